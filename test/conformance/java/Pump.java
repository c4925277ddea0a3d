import java.time.Duration;
import java.util.HashMap;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Consumes, transforms and produces in transactions. */
final class Pump {
    private Pump() {
    }

    /** Pumps until n records are through; anything that goes wrong ends it. */
    static void run(Harness h, KafkaConsumer<String, String> c, KafkaProducer<String, String> p, String in, String out, int n) throws Exception {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        for (int done = 0; done < n;) {
            Harness.check(System.nanoTime() < end, "%d of %d records after a minute", done, n);
            done += once(c, p, out);
        }
    }

    /** One transaction; returns how many records went through. */
    static int once(KafkaConsumer<String, String> c, KafkaProducer<String, String> p, String out) {
        var records = c.poll(Duration.ofMillis(200));
        if (records.isEmpty()) {
            return 0;
        }
        p.beginTransaction();
        var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
        for (var r : records) {
            p.send(new ProducerRecord<>(out, r.key(), "t" + r.value()));
            offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        p.sendOffsetsToTransaction(offsets, c.groupMetadata());
        p.commitTransaction();
        return records.count();
    }
}
