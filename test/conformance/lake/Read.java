import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.IndexedRecord;
import org.apache.parquet.avro.AvroParquetReader;
import org.apache.parquet.io.LocalInputFile;

/**
 * Reads the Parquet files of a folder with Parquet for Java, as Spark and Hive do, and writes the rows of each as JSON lines beside it, as
 * NAME.java.
 */
public class Read {
    public static void main(String[] args) throws Exception {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(Path.of(args[0]), "values*.parquet")) {
            for (Path file : files) {
                if (!file.toString().contains(".br.")) { // Hadoop has no codec for Brotli
                    read(file);
                }
            }
        }
    }

    static void read(Path file) throws Exception {
        GenericData model = new GenericData();
        model.addLogicalTypeConversion(new Conversions.DecimalConversion());
        try (var reader = AvroParquetReader.<GenericRecord>builder(new LocalInputFile(file)).withDataModel(model).build();
                var out = new PrintWriter(Files.newBufferedWriter(Path.of(file + ".java")))) {
            for (GenericRecord row = reader.read(); row != null; row = reader.read()) {
                out.println(json(row));
            }
        }
    }

    static String json(Object v) {
        if (v == null || v instanceof Number || v instanceof Boolean) {
            return String.valueOf(v);
        }
        if (v instanceof ByteBuffer b) {
            byte[] bytes = new byte[b.remaining()];
            b.duplicate().get(bytes);
            return text(Base64.getEncoder().encodeToString(bytes));
        }
        if (v instanceof GenericFixed f) {
            return text(Base64.getEncoder().encodeToString(f.bytes()));
        }
        List<String> parts = new ArrayList<>();
        if (v instanceof IndexedRecord r) {
            for (Schema.Field f : r.getSchema().getFields()) {
                parts.add(text(f.name()) + ":" + json(r.get(f.pos())));
            }
            return "{" + String.join(",", parts) + "}";
        }
        if (v instanceof Map<?, ?> m) {
            m.forEach((key, value) -> parts.add(text(key.toString()) + ":" + json(value)));
            return "{" + String.join(",", parts) + "}";
        }
        if (v instanceof Iterable<?> all) {
            all.forEach(e -> parts.add(json(e)));
            return "[" + String.join(",", parts) + "]";
        }
        return text(v.toString());
    }

    static String text(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c < ' ' || c == '"' || c == '\\') {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        return b.append('"').toString();
    }
}
