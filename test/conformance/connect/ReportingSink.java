import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** A sink that reports every record as one that it cannot write (KIP-610). */
public class ReportingSink extends SinkConnector {
    @Override public String version() { return "1"; }
    @Override public void start(Map<String, String> config) { }
    @Override public void stop() { }
    @Override public Class<? extends Task> taskClass() { return ReportingTask.class; }
    @Override public List<Map<String, String>> taskConfigs(int max) { return Collections.singletonList(Collections.emptyMap()); }
    @Override public ConfigDef config() { return new ConfigDef(); }

    public static class ReportingTask extends SinkTask {
        @Override public String version() { return "1"; }
        @Override public void start(Map<String, String> config) { }
        @Override public void stop() { }
        @Override public void put(Collection<SinkRecord> records) {
            for (SinkRecord r : records) {
                context.errantRecordReporter().report(r, new DataException("no such column"));
            }
        }
    }
}
