import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.TimeZone;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

/** Reads inputs.txt and prints what Kafka's own converters make of each line. */
public class Record {
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    interface Step {
        byte[] run() throws Exception;
    }

    static Converter json(String... settings) {
        Map<String, Object> config = new HashMap<>();
        for (int i = 0; i < settings.length; i += 2) config.put(settings[i], settings[i + 1]);
        JsonConverter c = new JsonConverter();
        c.configure(config, false);
        return c;
    }

    static void show(String label, Step step) {
        String text;
        try {
            byte[] out = step.run();
            text = out == null ? "null" : "= " + new String(out, StandardCharsets.UTF_8).replaceAll("\\[B@[0-9a-f]+", "[B@?");
        } catch (Throwable t) {
            text = "error";
        }
        OUT.println(label + "\t" + text);
    }

    static String type(SchemaAndValue v) {
        if (v == null || v.schema() == null) return "none";
        return v.schema().name() == null ? v.schema().type().toString() : v.schema().name();
    }

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Converter envelope = json("schemas.enable", "true");
        Converter plain = json("schemas.enable", "false");
        Converter numeric = json("schemas.enable", "false", "decimal.format", "NUMERIC");
        Converter keepNull = json("schemas.enable", "false", "replace.null.with.default", "false");
        StringConverter string = new StringConverter();
        string.configure(Map.of(), false);
        SimpleHeaderConverter header = new SimpleHeaderConverter();
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            if (line.startsWith("#") || line.isEmpty()) continue;
            int tab = line.indexOf('\t');
            String kind = line.substring(0, tab);
            byte[] data = line.substring(tab + 1).getBytes(StandardCharsets.UTF_8);
            OUT.println(line);
            SchemaAndValue v;
            try {
                v = switch (kind) {
                    case "env" -> envelope.toConnectData("t", data);
                    case "plain" -> plain.toConnectData("t", data);
                    default -> header.toConnectHeader("t", "h", data);
                };
            } catch (Throwable t) {
                OUT.println("read\terror");
                OUT.println();
                continue;
            }
            final SchemaAndValue value = v == null ? SchemaAndValue.NULL : v;
            OUT.println("read\t" + type(value));
            show("header", () -> header.fromConnectHeader("t", "h", value.schema(), value.value()));
            if (!kind.equals("header")) {
                show("envelope", () -> envelope.fromConnectData("t", value.schema(), value.value()));
                show("plain", () -> plain.fromConnectData("t", value.schema(), value.value()));
                show("numeric", () -> numeric.fromConnectData("t", value.schema(), value.value()));
                show("keepnull", () -> keepNull.fromConnectData("t", value.schema(), value.value()));
                show("string", () -> string.fromConnectData("t", value.schema(), value.value()));
            }
            OUT.println();
        }
    }
}
