import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TimeZone;
import org.apache.kafka.connect.converters.BooleanConverter;
import org.apache.kafka.connect.converters.ByteArrayConverter;
import org.apache.kafka.connect.converters.DoubleConverter;
import org.apache.kafka.connect.converters.FloatConverter;
import org.apache.kafka.connect.converters.IntegerConverter;
import org.apache.kafka.connect.converters.LongConverter;
import org.apache.kafka.connect.converters.ShortConverter;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

/** Reads a file of inputs and prints what Kafka's own converters make of each line; a second argument asks for more of it. */
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

    static StringConverter text(String encoding) {
        StringConverter c = new StringConverter();
        c.configure(Map.of("converter.encoding", encoding), false);
        return c;
    }

    /** The converters of primitive values by the kind of their inputs. */
    static Map<String, Converter> primitives() {
        Map<String, Converter> m = new LinkedHashMap<>();
        m.put("boolean", new BooleanConverter());
        m.put("short", new ShortConverter());
        m.put("integer", new IntegerConverter());
        m.put("long", new LongConverter());
        m.put("float", new FloatConverter());
        m.put("double", new DoubleConverter());
        m.put("bytes", new ByteArrayConverter());
        for (Converter c : m.values()) c.configure(Map.of(), false);
        m.put("utf8", text("UTF-8"));
        m.put("latin1", text("ISO-8859-1"));
        m.put("ascii", text("US-ASCII"));
        return m;
    }

    static void showHex(String label, Step step) {
        show(label, () -> {
            byte[] out = step.run();
            return out == null ? null : HexFormat.of().formatHex(out).getBytes(StandardCharsets.UTF_8);
        });
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
        Map<String, Converter> primitive = primitives();
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            if (line.startsWith("#") || line.isEmpty()) continue;
            int tab = line.indexOf('\t');
            String kind = line.substring(0, tab).replace("?", "");
            OUT.println(line);
            SchemaAndValue v;
            Converter content = null;
            try {
                String text = line.substring(tab + 1);
                if (kind.equals("content")) {
                    content = json("schemas.enable", "true", "schema.content", text.substring(0, text.indexOf('\t')));
                    text = text.substring(text.indexOf('\t') + 1);
                }
                byte[] data = primitive.containsKey(kind) ? Base64.getDecoder().decode(text) : text.getBytes(StandardCharsets.UTF_8);
                final Converter reader = content != null ? content : primitive.get(kind);
                v = reader != null ? reader.toConnectData("t", data) : switch (kind) {
                    case "env" -> envelope.toConnectData("t", data);
                    case "plain" -> plain.toConnectData("t", data);
                    default -> header.toConnectHeader("t", "h", data);
                };
            } catch (Throwable t) {
                OUT.println("read\terror");
                OUT.println();
                continue;
            }
            final Converter writer = content;
            final SchemaAndValue value = v == null ? SchemaAndValue.NULL : v;
            OUT.println("read\t" + type(value));
            if (primitive.containsKey(kind)) {
                show("plain", () -> plain.fromConnectData("t", value.schema(), value.value()));
                showHex("back", () -> primitive.get(kind).fromConnectData("t", value.schema(), value.value()));
                OUT.println();
                continue;
            }
            if (content != null) show("content", () -> writer.fromConnectData("t", value.schema(), value.value()));
            show("header", () -> header.fromConnectHeader("t", "h", value.schema(), value.value()));
            if (!kind.equals("header")) {
                show("envelope", () -> envelope.fromConnectData("t", value.schema(), value.value()));
                show("plain", () -> plain.fromConnectData("t", value.schema(), value.value()));
                show("numeric", () -> numeric.fromConnectData("t", value.schema(), value.value()));
                show("keepnull", () -> keepNull.fromConnectData("t", value.schema(), value.value()));
                show("string", () -> string.fromConnectData("t", value.schema(), value.value()));
                if (args.length > 1 && value.schema() != null && value.schema().type().isPrimitive())
                    for (Map.Entry<String, Converter> p : primitive.entrySet())
                        showHex(p.getKey(), () -> p.getValue().fromConnectData("t", value.schema(), value.value()));
            }
            OUT.println();
        }
    }
}
