import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.avro.JsonProperties;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaNormalization;

/**
 * Prints what Avro for Java makes of schemas and of pairs of them.
 *
 *     Oracle cases FILE     readable answers to the lines of cases.txt
 *     Oracle corpus FILE    short answers to the corpus, one line for each of its lines
 */
public class Oracle {
    static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    /** A parsed text with the texts that it refers to. */
    record Parsed(Schema schema, List<Schema> references) {
        @SuppressWarnings("deprecation")
        String canonical() {
            return schema.toString(references, false);
        }
    }

    /** Parses as a registry does: strictly if the schema is new, otherwise with a look at the names afterwards. */
    static Parsed parse(boolean isNew, List<String> texts) {
        Schema.Parser parser = new Schema.Parser(isNew ? NameValidator.STRICT_VALIDATOR : NameValidator.NO_VALIDATION);
        parser.setValidateDefaults(isNew);
        List<Schema> schemas = new ArrayList<>();
        for (String text : texts) schemas.add(parser.parse(text));
        Schema main = schemas.remove(schemas.size() - 1);
        if (!isNew) names(main, Collections.newSetFromMap(new IdentityHashMap<>()));
        return new Parsed(main, schemas);
    }

    static Parsed tryParse(boolean isNew, List<String> texts) {
        try {
            return parse(isNew, texts);
        } catch (Exception | StackOverflowError e) {
            return null;
        }
    }

    static void name(String name) {
        NameValidator.Result r = NameValidator.UTF_VALIDATOR.validate(name);
        if (!r.isOK()) throw new IllegalArgumentException(r.getErrors());
    }

    static void names(Schema s, Set<Schema> seen) {
        if (!seen.add(s)) return;
        switch (s.getType()) {
            case RECORD -> {
                name(s.getName());
                for (Schema.Field f : s.getFields()) {
                    name(f.name());
                    names(f.schema(), seen);
                }
            }
            case ENUM -> {
                name(s.getName());
                s.getEnumSymbols().forEach(Oracle::name);
            }
            case FIXED -> name(s.getName());
            case ARRAY -> names(s.getElementType(), seen);
            case MAP -> names(s.getValueType(), seen);
            case UNION -> s.getTypes().forEach(t -> names(t, seen));
            default -> { }
        }
    }

    /** The logical types of a schema and its defaults as values of their types. */
    static void details(Schema s, Set<String> seen, StringBuilder b) {
        Schema.Type type = s.getType();
        boolean named = type == Schema.Type.RECORD || type == Schema.Type.ENUM || type == Schema.Type.FIXED;
        if (named && !seen.add(s.getFullName())) return;
        b.append(type.getName());
        LogicalType logical = s.getLogicalType();
        if (logical != null) b.append(':').append(logical.getName());
        if (logical instanceof LogicalTypes.Decimal d) b.append(',').append(d.getPrecision()).append(',').append(d.getScale());
        b.append(';');
        switch (type) {
            case RECORD -> {
                for (Schema.Field f : s.getFields()) {
                    if (f.hasDefaultValue()) {
                        Object value = f.defaultVal();
                        b.append('=').append(value == null ? "none" : value(value)).append(';');
                    }
                    details(f.schema(), seen, b);
                }
            }
            case ARRAY -> details(s.getElementType(), seen, b);
            case MAP -> details(s.getValueType(), seen, b);
            case UNION -> s.getTypes().forEach(t -> details(t, seen, b));
            default -> { }
        }
    }

    // A value in a form of our own: Java 17 writes some floats with more digits than later releases.
    static String value(Object v) {
        if (v instanceof Map<?, ?> m) return m.entrySet().stream().map(e -> e.getKey() + ":" + value(e.getValue())).collect(Collectors.joining(",", "{", "}"));
        if (v instanceof List<?> l) return l.stream().map(Oracle::value).collect(Collectors.joining(",", "[", "]"));
        if (v instanceof byte[] b) return new String(b, StandardCharsets.ISO_8859_1);
        if (v instanceof Float || v instanceof Double) return String.format("%08x", Float.floatToIntBits(((Number) v).floatValue()));
        if (v == JsonProperties.NULL_VALUE) return "null";
        return v.toString();
    }

    static String details(Schema s) {
        try {
            StringBuilder b = new StringBuilder();
            details(s, new java.util.HashSet<>(), b);
            return b.toString();
        } catch (Exception e) {
            return "!";
        }
    }

    static List<String> differences(Schema reader, Schema writer) {
        try {
            return SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult().getIncompatibilities().stream()
                    .map(i -> i.getType() + " " + i.getLocation() + " " + i.getMessage())
                    .collect(Collectors.toList());
        } catch (Exception e) {
            return List.of("exception " + e.getMessage());
        }
    }

    static byte[] digest(String algorithm, String text) throws Exception {
        return MessageDigest.getInstance(algorithm).digest(text.getBytes(StandardCharsets.UTF_8));
    }

    static String hash(String text) throws Exception {
        return text.equals("!") ? "!" : HexFormat.of().formatHex(digest("SHA-256", text), 0, 5);
    }

    static String rabin(Schema s) {
        return String.format("%016x", SchemaNormalization.parsingFingerprint64(s));
    }

    // One line of the corpus is a schema as a JSON string, or two numbers of lines: reader and writer.
    static void corpus(List<String> lines) throws Exception {
        ObjectMapper json = new ObjectMapper();
        List<Schema> schemas = new ArrayList<>();
        for (String line : lines) {
            if (line.startsWith("\"")) {
                schemas.add(corpusSchema(json.readValue(line, String.class)));
                continue;
            }
            String[] numbers = line.split(" ");
            Schema reader = schemas.get(Integer.parseInt(numbers[0])), writer = schemas.get(Integer.parseInt(numbers[1]));
            if (reader == null || writer == null) {
                OUT.println("-");
                continue;
            }
            OUT.println(String.join("\t", differences(reader, writer)));
        }
    }

    static Schema corpusSchema(String text) throws Exception {
        Parsed registered = tryParse(false, List.of(text));
        boolean isNew = tryParse(true, List.of(text)) != null;
        if (registered == null) {
            OUT.println(isNew ? "new only" : "-");
            return null;
        }
        OUT.println((isNew ? "n " : "r ") + hash(registered.canonical()) + " " + rabin(registered.schema()) + " " + hash(details(registered.schema())));
        return registered.schema();
    }

    static void cases(List<String> lines) throws Exception {
        ObjectMapper json = new ObjectMapper();
        for (String line : lines) {
            if (line.isBlank() || line.startsWith("#")) continue;
            OUT.println("> " + line);
            List<String> parts = Arrays.asList(line.split("\t"));
            List<String> texts = new ArrayList<>(parts.subList(1, parts.size()));
            switch (parts.get(0)) {
                case "pair" -> differences(parse(false, texts.subList(0, 1)).schema(), parse(false, texts.subList(1, 2)).schema()).forEach(OUT::println);
                case "quoted" -> schemaCase(List.of(json.readValue(texts.get(0), String.class)));
                default -> schemaCase(texts);
            }
        }
    }

    static void schemaCase(List<String> texts) throws Exception {
        for (boolean isNew : new boolean[] {true, false}) {
            Parsed p = tryParse(isNew, texts);
            OUT.println((isNew ? "new " : "registered ") + (p == null ? "refused" : p.canonical()));
            if (p == null || isNew) continue;
            String form = SchemaNormalization.toParsingForm(p.schema());
            OUT.println("form " + form);
            OUT.println("resolved " + p.schema());
            OUT.println("prints " + rabin(p.schema()) + " " + HexFormat.of().formatHex(digest("MD5", form)) + " " + hash(form));
            OUT.println("details " + details(p.schema()));
        }
    }

    public static void main(String[] args) throws Exception {
        List<String> lines = Files.readAllLines(Path.of(args[1]));
        if (args[0].equals("corpus")) corpus(lines);
        else cases(lines);
        OUT.flush();
    }
}
