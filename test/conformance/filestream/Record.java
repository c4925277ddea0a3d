import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.file.FileStreamSourceConnector;
import org.apache.kafka.connect.file.FileStreamSourceTask;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTaskContext;
import org.apache.kafka.connect.storage.OffsetStorageReader;

/** Plays cases.txt against Kafka's file source and prints each step with what came of it. */
public class Record {
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    static final JsonConverter JSON = new JsonConverter();

    static Path file;
    static FileStreamSourceTask task;
    static Long position;

    static SourceTaskContext context() {
        OffsetStorageReader reader = new OffsetStorageReader() {
            public <T> Map<String, Object> offset(Map<String, T> partition) {
                return position == null ? null : Map.of("position", position);
            }

            public <T> Map<Map<String, T>, Map<String, Object>> offsets(Collection<Map<String, T>> partitions) {
                throw new UnsupportedOperationException();
            }
        };
        return (SourceTaskContext) java.lang.reflect.Proxy.newProxyInstance(Record.class.getClassLoader(),
            new Class<?>[] {SourceTaskContext.class}, (proxy, method, args) -> reader);
    }

    static void start() {
        if (task != null) task.stop();
        task = new FileStreamSourceTask();
        task.initialize(context());
        task.start(Map.of("file", file.toString(), "topic", "t", "batch.size", "2000"));
    }

    static byte[] unescape(String s) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c != '\\') {
                out.writeBytes(String.valueOf(c).getBytes(StandardCharsets.UTF_8));
                continue;
            }
            switch (s.charAt(++i)) {
                case 'n' -> out.write('\n');
                case 'r' -> out.write('\r');
                case 't' -> out.write('\t');
                case 'x' -> {
                    out.write(Integer.parseInt(s.substring(i + 1, i + 3), 16));
                    i += 2;
                }
                default -> out.write('\\');
            }
        }
        return out.toByteArray();
    }

    @SuppressWarnings("unchecked")
    static Map<String, ?> map(String json) {
        return (Map<String, ?>) JSON.toConnectData("t", json.getBytes(StandardCharsets.UTF_8)).value();
    }

    static void poll() throws Exception {
        for (List<SourceRecord> records = task.poll(); records != null; records = task.poll()) {
            for (SourceRecord r : records) {
                position = (Long) r.sourceOffset().get("position");
                OUT.println("\t" + r.valueSchema().type() + "\t" + position + "\t" + ((String) r.value()).replace("\t", "\\t"));
            }
        }
    }

    static void alter(String config, String arguments) {
        int space = arguments.indexOf(' ');
        Map<Map<String, ?>, Map<String, ?>> offsets = new HashMap<>();
        offsets.put(map(arguments.substring(0, space)), map(arguments.substring(space + 1)));
        Map<String, String> settings = new HashMap<>(Map.of("topic", "t"));
        if (config != null) settings.put("file", config);
        try {
            OUT.println("\t" + new FileStreamSourceConnector().alterOffsets(settings, offsets));
        } catch (Exception e) {
            OUT.println("\t" + e.getMessage());
        }
    }

    static void step(String line) throws Exception {
        OUT.println(line);
        int space = line.indexOf(' ');
        String verb = space < 0 ? line : line.substring(0, space);
        String rest = space < 0 ? "" : line.substring(space + 1);
        switch (verb) {
            case "append" -> Files.write(file, unescape(rest), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            case "poll" -> poll();
            case "restart" -> start();
            case "position" -> {
                position = Long.parseLong(rest);
                start();
            }
            case "alter" -> alter("/f", rest);
            case "stdin" -> alter(null, rest);
            default -> throw new IllegalArgumentException(line);
        }
    }

    public static void main(String[] args) throws Exception {
        JSON.configure(Map.of("schemas.enable", "false"), false);
        Path dir = Files.createTempDirectory("filestream");
        int n = 0;
        for (String block : Files.readString(Path.of(args[0])).split("\n\n+")) {
            if (block.startsWith("#")) continue;
            file = dir.resolve("file" + n++);
            Files.createFile(file);
            position = null;
            start();
            for (String line : block.split("\n")) if (!line.isEmpty()) step(line);
            OUT.println();
        }
    }
}
