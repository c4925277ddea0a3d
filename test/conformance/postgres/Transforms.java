import org.apache.kafka.connect.transforms.Transformation;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;

/**
 * What a transform of Debezium's makes of records, with each config: topic, key, value and headers as JsonConverter writes
 * them, parted by tabs.
 */
public class Transforms {
    static final JsonConverter json = new JsonConverter();

    public static void main(String[] args) throws Exception {
        json.configure(Map.of("schemas.enable", "true", "converter.type", "value", "replace.null.with.default", "false"));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        transform = args[0];
        List<String> records = lines(args[1]);
        for (String config : lines(args[2])) {
            out.println("# " + config);
            Map<String, String> settings = new HashMap<>();
            for (String pair : config.split(" ")) {
                if (pair.contains("=")) {
                    settings.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
                }
            }
            for (String record : records) {
                out.println(answer(settings, record.split("\t", -1)));
            }
        }
    }

    static String transform;

    @SuppressWarnings("unchecked")
    static Transformation<SourceRecord> make() throws Exception {
        return (Transformation<SourceRecord>) Class.forName("io.debezium.transforms." + transform).getConstructor().newInstance();
    }

    static List<String> lines(String file) throws Exception {
        return Files.readAllLines(Path.of(file)).stream().filter(l -> !l.isEmpty() && !l.startsWith("#")).toList();
    }

    static String answer(Map<String, String> settings, String[] in) {
        try (Transformation<SourceRecord> t = make()) {
            t.configure(settings);
            SchemaAndValue key = read(in[1]);
            SchemaAndValue value = read(in[2]);
            ConnectHeaders headers = new ConnectHeaders();
            if (!in[3].isEmpty()) {
                headers.add("drop", Arrays.asList(in[3].split(",")), SchemaBuilder.array(Schema.STRING_SCHEMA).build());
            }
            SourceRecord r = t.apply(new SourceRecord(null, null, in[0], null, key.schema(), key.value(), value.schema(), value.value(), null, headers));
            if (r == null) {
                return "dropped";
            }
            StringBuilder b = new StringBuilder(r.topic() + (r.kafkaPartition() == null ? "" : " partition " + r.kafkaPartition())
                    + (r.timestamp() == null ? "" : " at " + r.timestamp()) + "\t" + write(r.keySchema(), r.key()) + "\t" + write(r.valueSchema(), r.value()));
            for (Header h : r.headers()) {
                b.append("\t").append(h.key()).append(" ").append(write(h.schema(), h.value()));
            }
            return b.toString();
        }
        catch (Exception e) {
            return "error " + e.getMessage();
        }
    }

    static SchemaAndValue read(String text) {
        return text.equals("-") ? SchemaAndValue.NULL : json.toConnectData("t", text.getBytes(StandardCharsets.UTF_8));
    }

    static String write(Schema schema, Object value) {
        byte[] b = json.fromConnectData("t", schema, value);
        return b == null ? "-" : new String(b, StandardCharsets.UTF_8);
    }
}
