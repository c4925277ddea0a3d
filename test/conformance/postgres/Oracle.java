import com.sun.net.httpserver.HttpServer;
import io.debezium.config.Configuration;
import io.debezium.connector.postgresql.PostgresConnector;
import io.debezium.connector.postgresql.PostgresConnectorConfig;
import io.debezium.function.Predicates;
import io.debezium.pipeline.notification.Notification;
import io.debezium.pipeline.notification.channels.HttpNotificationChannel;
import io.debezium.relational.Column;
import io.debezium.relational.TableId;
import io.debezium.relational.mapping.MaskStrings;
import io.debezium.relational.mapping.TruncateColumn;
import io.debezium.schema.SchemaNameAdjuster;
import io.debezium.spi.topic.TopicNamingStrategy;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Types;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.common.config.ConfigDef;

/** Answers of Debezium's own classes, one line for each line of the input. */
public class Oracle {
    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        if (args[0].equals("options")) {
            options(out);
            return;
        }
        for (String line : Files.readAllLines(Path.of(args[1]))) {
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            out.println(line);
            out.println("\t" + answer(args[0], unescape(line).split("\t", -1)));
        }
    }

    static void options(PrintStream out) {
        for (ConfigDef.ConfigKey k : new PostgresConnector().config().configKeys().values()) {
            Object def = k.defaultValue == ConfigDef.NO_DEFAULT_VALUE ? "required" : k.defaultValue == null ? "null" : "=" + k.defaultValue;
            out.println(k.name + "\t" + k.type + "\t" + def + "\t" + k.importance);
        }
    }

    static String answer(String what, String[] in) {
        try {
            switch (what) {
                case "topics":
                    return topic(in);
                case "adjust":
                    return adjust(in);
                case "filters":
                    return "" + Predicates.includes(in[0]).test(in[1]);
                case "masks":
                    return mask(in);
                case "http":
                    return http(in);
            }
            return "?";
        }
        catch (Exception e) {
            return "error";
        }
    }

    /** strategy, delimiter, schema, table, then name=value of further options. */
    @SuppressWarnings("unchecked")
    static String topic(String[] in) throws Exception {
        Properties p = new Properties();
        p.put("topic.prefix", "pre");
        p.put("topic.delimiter", in[1]);
        for (int i = 4; i < in.length; i++) {
            String[] pair = in[i].split("=", 2);
            p.put(pair[0], pair[1]);
        }
        TopicNamingStrategy<TableId> s = (TopicNamingStrategy<TableId>) Class.forName("io.debezium.schema." + in[0])
                .getConstructor(Properties.class).newInstance(p);
        TableId id = new TableId(null, in[2], in[3]);
        return s.dataChangeTopic(id) + "\t" + s.recordSchemaPrefix(id) + "\t" + s.transactionTopic() + "\t" + s.heartbeatTopic();
    }

    static String adjust(String[] in) {
        SchemaNameAdjuster a = switch (in[0]) {
            case "schema avro" -> SchemaNameAdjuster.AVRO;
            case "schema avro_unicode" -> SchemaNameAdjuster.AVRO_UNICODE;
            case "field avro" -> SchemaNameAdjuster.AVRO_FIELD_NAMER;
            case "field avro_unicode" -> SchemaNameAdjuster.AVRO_UNICODE_FIELD_NAMER;
            default -> SchemaNameAdjuster.NO_OP;
        };
        return a.adjust(in[1]);
    }

    /** mask, length of the column, value. */
    static String mask(String[] in) {
        Column c = Column.editor().name("c").type("varchar").jdbcType(Types.VARCHAR).length(Integer.parseInt(in[1])).create();
        String[] m = in[0].split(" ");
        Object v = in[2].equals("~") ? null : in[2];
        Object got = switch (m[0]) {
            case "truncate" -> new TruncateColumn(Integer.parseInt(m[1])).create(c).convert(v);
            case "stars" -> new MaskStrings("*".repeat(Integer.parseInt(m[1]))).create(c).convert(v);
            case "v1" -> new MaskStrings(m[2].getBytes(StandardCharsets.UTF_8), m[1], MaskStrings.HashingByteArrayStrategy.V1).create(c).convert(v);
            default -> new MaskStrings(m[2].getBytes(StandardCharsets.UTF_8), m[1], MaskStrings.HashingByteArrayStrategy.V2).create(c).convert(v);
        };
        return got == null ? "~" : got.toString();
    }

    /** What comes of a URL, of a notification's body, or of answers. */
    static String http(String[] in) throws Exception {
        switch (in[0]) {
            case "url": // URL, whether private networks are allowed
                List<String> problems = new ArrayList<>();
                HttpNotificationChannel.NOTIFICATION_URL.validate(httpConfig(in[1], in[2], "0"), (field, value, problem) -> problems.add(problem));
                return problems.isEmpty() ? "ok" : String.join("; ", problems);
            case "body": // id, aggregate type, type, timestamp, then name=value
                Map<String, String> data = new LinkedHashMap<>();
                for (int i = 5; i < in.length; i++) {
                    String[] pair = in[i].split("=", 2);
                    data.put(pair[0], pair[1]);
                }
                return deliver(new Notification(in[1], in[2], in[3], data, Long.valueOf(in[4])), "0", "200").get(0);
            default: // type, retries, the statuses of the answers
                List<String> requests = deliver(new Notification("1", "Initial Snapshot", in[1], Map.of(), 1L), in[2], in[3]);
                return requests.stream().map(r -> r.split(" ", 2)[0]).collect(Collectors.joining(" "));
        }
    }

    static Configuration httpConfig(String url, String allowed, String retries) {
        return Configuration.create().with("topic.prefix", "pre").with("database.dbname", "d").with("notification.enabled.channels", "http")
                .with("notification.http.url", url).with("notification.http.allow.private.networks", allowed).with("notification.http.retries", retries).build();
    }

    /** The requests that come of a notification until 9 s pass without any, each with the seconds since the one before. */
    static List<String> deliver(Notification n, String retries, String statuses) throws Exception {
        String[] codes = statuses.split(",");
        List<String> requests = new ArrayList<>();
        long[] last = { System.nanoTime() };
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", e -> {
            long now = System.nanoTime();
            requests.add((requests.isEmpty() ? 0 : Math.round((now - last[0]) / 1e9)) + " " + e.getRequestMethod() + " " + e.getRequestURI() + " "
                    + e.getRequestHeaders().getFirst("Content-Type") + " " + new String(e.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            last[0] = now;
            e.getResponseHeaders().add("Location", "/elsewhere");
            e.sendResponseHeaders(Integer.parseInt(codes[Math.min(requests.size(), codes.length) - 1]), -1);
            e.close();
        });
        server.start();
        HttpNotificationChannel channel = new HttpNotificationChannel();
        channel.init(new PostgresConnectorConfig(httpConfig("http://127.0.0.1:" + server.getAddress().getPort() + "/notices?a=b", "true", retries)));
        channel.send(n);
        for (long end = 9_000_000_000L; System.nanoTime() - last[0] < end;) {
            Thread.sleep(100);
        }
        channel.close();
        server.stop(0);
        return requests;
    }

    /** &#92;0 is NUL, &#92;L 70,000 letters. */
    static String unescape(String s) {
        return s.replace("\\0", "\0").replace("\\L", "x".repeat(70000));
    }
}
