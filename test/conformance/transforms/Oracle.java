import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Time;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.data.Values;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/** Prints what Kafka's own transforms, and Java's own patterns, make of the lines of input files. */
public class Oracle {
    static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    static final JsonConverter ENVELOPE = json("true");
    static final JsonConverter PLAIN = json("false");

    static JsonConverter json(String schemas) {
        JsonConverter c = new JsonConverter();
        c.configure(Map.of("schemas.enable", schemas, "replace.null.with.default", "false"), false);
        return c;
    }

    static List<String[]> lines(String file) throws Exception {
        List<String[]> all = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(file)))
            if (!line.isEmpty() && !line.startsWith("#")) all.add(line.split("\t", -1));
        return all;
    }

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        switch (args[0]) {
            case "transforms" -> transforms(args[1], args[2]);
            case "regex" -> regex(args[1]);
            default -> dates(args[1]);
        }
        OUT.flush();
    }

    // Records: name, topic, partition, offset, timestamp, headers, kind and text of the key, of the value.

    static SchemaAndValue read(String kind, String text) {
        byte[] data = text.getBytes(StandardCharsets.UTF_8);
        return switch (kind) {
            case "e" -> ENVELOPE.toConnectData("t", data);
            case "p" -> PLAIN.toConnectData("t", data);
            default -> SchemaAndValue.NULL;
        };
    }

    static SinkRecord record(String[] f) {
        ConnectHeaders headers = new ConnectHeaders();
        for (String h : f[5].split(";"))
            if (!h.isEmpty()) headers.add(h.split("=")[0], Values.parseString(h.split("=", 2)[1]));
        SchemaAndValue key = read(f[6], f[7]), value = read(f[8], f[9]);
        Long timestamp = f[4].isEmpty() ? null : Long.valueOf(f[4]);
        return new SinkRecord(f[1], Integer.parseInt(f[2]), key.schema(), key.value(), value.schema(), value.value(),
            Long.parseLong(f[3]), timestamp, TimestampType.CREATE_TIME, headers);
    }

    @SuppressWarnings("unchecked")
    static void transforms(String recordsFile, String transformsFile) throws Exception {
        List<String[]> records = lines(recordsFile);
        for (String[] f : lines(transformsFile)) {
            OUT.println("# " + String.join("\t", f));
            Map<String, Object> props = new HashMap<>();
            for (int i = 1; i < f.length; i++) props.put(f[i].split("=")[0], f[i].split("=", 2)[1]);
            String base = "org.apache.kafka.connect.transforms.";
            Object plugin = Class.forName(base + f[0]).getDeclaredConstructor().newInstance();
            try {
                if (plugin instanceof Transformation<?> t) t.configure(props);
                else ((Predicate<?>) plugin).configure(props);
            } catch (Throwable t) {
                OUT.println("config\terror " + oneLine(t.getMessage()));
                continue;
            }
            for (String[] r : records) {
                SinkRecord in = record(r);
                String outcome;
                try {
                    outcome = plugin instanceof Transformation ? changes(in, ((Transformation<SinkRecord>) plugin).apply(in))
                        : "holds " + ((Predicate<SinkRecord>) plugin).test(in);
                } catch (Throwable t) {
                    outcome = "error " + oneLine(t.getMessage());
                }
                OUT.println(r[0] + "\t" + outcome);
            }
        }
    }

    static String oneLine(String s) {
        return s == null ? "" : s.replace("\n", "\\n").replace("\t", "\\t").replaceAll("@[0-9a-f]+", "@?");
    }

    static String changes(SinkRecord in, SinkRecord out) {
        if (out == null) return "dropped";
        String[] a = parts(in), b = parts(out);
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < a.length; i++)
            if (!a[i].equals(b[i])) s.append(s.length() == 0 ? "" : "\t").append(b[i]);
        return s.length() == 0 ? "same" : s.toString();
    }

    static String[] parts(SinkRecord r) {
        StringBuilder headers = new StringBuilder("headers ");
        for (Header h : r.headers()) headers.append(h.key()).append('=').append(both(h.schema(), h.value())).append(';');
        return new String[] {"topic " + r.topic(), "key " + both(r.keySchema(), r.key()), "value " + both(r.valueSchema(), r.value()), headers.toString()};
    }

    static String both(Schema s, Object v) {
        return (s == null ? "~" : schema(s)) + "=" + value(s, v);
    }

    static String schema(Schema s) {
        StringBuilder b = new StringBuilder(s.type().name());
        if (s.type() == Schema.Type.STRUCT) {
            b.append('(');
            for (Field f : s.fields()) b.append(f.name()).append(':').append(schema(f.schema())).append(',');
            b.append(')');
        }
        if (s.type() == Schema.Type.ARRAY) b.append('(').append(schema(s.valueSchema())).append(')');
        if (s.type() == Schema.Type.MAP) b.append('(').append(schema(s.keySchema())).append(',').append(schema(s.valueSchema())).append(')');
        if (s.isOptional()) b.append('?');
        if (s.name() != null) b.append('<').append(s.name().replace("org.apache.kafka.connect.data.", "")).append('>');
        if (s.version() != null && s.version() != 0) b.append('#').append(s.version());
        if (s.doc() != null) b.append('"').append(s.doc()).append('"');
        if (s.parameters() != null && !s.parameters().isEmpty()) b.append(new TreeMap<>(s.parameters()));
        if (s.defaultValue() != null) b.append(":=").append(value(s, s.defaultValue()));
        return b.toString();
    }

    static String value(Schema s, Object v) {
        if (v == null) return "null";
        if (v instanceof String t) return '"' + t.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") + '"';
        if (v instanceof Float f) return s == null ? value(null, (double) f) : "f" + Integer.toHexString(Float.floatToIntBits(f));
        if (v instanceof Double d) return "d" + Long.toHexString(Double.doubleToLongBits(d));
        if (v instanceof byte[] b) return hex(b);
        if (v instanceof ByteBuffer b) return hex(b.array());
        if (v instanceof BigDecimal d) return "n" + d.setScale(s == null ? d.scale() : Integer.parseInt(s.parameters().get(Decimal.SCALE_FIELD))).unscaledValue();
        if (v instanceof Date d) return date(s, d);
        if (v instanceof List<?> l) {
            StringBuilder b = new StringBuilder("[");
            for (Object e : l) b.append(value(s == null ? null : s.valueSchema(), e)).append(',');
            return b.append(']').toString();
        }
        if (v instanceof Map<?, ?> m) {
            TreeMap<String, String> sorted = new TreeMap<>();
            m.forEach((k, e) -> sorted.put(value(s == null ? null : s.keySchema(), k), value(s == null ? null : s.valueSchema(), e)));
            return sorted.toString();
        }
        if (v instanceof Struct t) {
            StringBuilder b = new StringBuilder("(");
            for (Field f : t.schema().fields()) b.append(value(f.schema(), t.getWithoutDefault(f.name()))).append(',');
            return b.append(')').toString();
        }
        return v.toString();
    }

    static String date(Schema s, Date d) {
        if (s != null && Time.LOGICAL_NAME.equals(s.name())) return "" + Time.fromLogical(s, d);
        if (s != null && org.apache.kafka.connect.data.Date.LOGICAL_NAME.equals(s.name())) return "" + org.apache.kafka.connect.data.Date.fromLogical(s, d);
        return "" + d.getTime();
    }

    static String hex(byte[] b) {
        StringBuilder s = new StringBuilder("x");
        for (byte c : b) s.append(String.format("%02x", c));
        return s.toString();
    }

    // Regular expressions: pattern, replacement, texts.
    static void regex(String file) throws Exception {
        for (String[] f : lines(file)) {
            OUT.println("# " + String.join("\t", f));
            try {
                Pattern p = Pattern.compile(f[0]);
                for (int i = 2; i < f.length; i++) {
                    Matcher m = p.matcher(f[i]);
                    String replaced;
                    try {
                        replaced = p.matcher(f[i]).replaceFirst(f[1]);
                    } catch (Throwable t) {
                        replaced = "error";
                    }
                    OUT.println(f[i] + "\t" + m.matches() + "\t" + replaced);
                }
            } catch (Throwable t) {
                OUT.println("error");
            }
        }
    }

    // Dates: f, pattern, milliseconds to format; p, pattern, texts to parse.
    static void dates(String file) throws Exception {
        for (String[] f : lines(file)) {
            OUT.println("# " + String.join("\t", f));
            SimpleDateFormat format;
            try {
                format = new SimpleDateFormat(f[1], java.util.Locale.US);
            } catch (Throwable t) {
                OUT.println("error");
                continue;
            }
            format.setTimeZone(TimeZone.getTimeZone("UTC"));
            for (int i = 2; i < f.length; i++) {
                String out;
                try {
                    out = f[0].equals("f") ? format.format(new Date(Long.parseLong(f[i]))) : "" + format.parse(f[i]).getTime();
                    format.setTimeZone(TimeZone.getTimeZone("UTC"));
                } catch (Throwable t) {
                    out = "error";
                }
                OUT.println(f[i] + "\t" + out);
            }
        }
    }
}
