import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Fills a server with a little of everything that its files can hold, and writes what a
 * consumer then reads:
 *
 * <pre>java Fill ADDRESS FILE</pre>
 *
 * A line of the file is: topic, isolation level, offset, timestamp, key, value; or a topic,
 * an isolation level and "end" with the end offset.
 */
public final class Fill {
    private static final String FAR = "" + Long.MAX_VALUE;
    private final Harness h;
    private long now = System.currentTimeMillis(); // of the next record; a step ahead of more than segment.ms begins a segment

    private Fill(Harness h) {
        this.h = h;
    }

    public static void main(String[] args) throws Exception {
        var f = new Fill(new Harness(args[0], List.of(), ""));
        f.plain();
        f.transactions();
        f.compacted();
        try (var out = new PrintStream(args[1], "UTF-8")) {
            for (var topic : List.of("plain", "transactions", "compacted")) {
                f.print(out, topic, "read_committed");
                f.print(out, topic, "read_uncommitted");
            }
        }
    }

    private void send(KafkaProducer<String, String> p, String topic, String key, String value) throws Exception {
        now += 1000;
        var r = new ProducerRecord<>(topic, 0, now, key, value);
        r.headers().add("h", Harness.utf8("x"));
        p.send(r).get();
    }

    private void plain() throws Exception {
        h.topic("plain", 1, "retention.ms", "-1", "segment.ms", "600000", "message.timestamp.after.max.ms", FAR);
        for (var codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var p = h.producer("compression.type", codec, "linger.ms", "20")) {
                for (int i = 0; i < 40; i++) {
                    p.send(new ProducerRecord<>("plain", 0, now += 1000, i % 5 == 0 ? null : "k" + i, i % 7 == 0 ? null : codec + " " + "v".repeat(i)));
                }
                p.flush();
            }
            now += 700_000;
        }
    }

    private void transactions() throws Exception {
        h.topic("transactions", 1, "retention.ms", "-1", "segment.ms", "600000", "message.timestamp.after.max.ms", FAR);
        try (var a = h.producer("transactional.id", "fill-a"); var b = h.producer("transactional.id", "fill-b"); var plain = h.producer()) {
            a.initTransactions();
            b.initTransactions();
            for (int round = 0; round < 6; round++) {
                a.beginTransaction();
                b.beginTransaction();
                send(a, "transactions", "a", "a" + round);
                send(b, "transactions", "b", "b" + round);
                send(plain, "transactions", "p", "p" + round);
                send(a, "transactions", "a", "a" + round + "'");
                a.sendOffsetsToTransaction(Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(round, "n")), new org.apache.kafka.clients.consumer.ConsumerGroupMetadata("fill"));
                if (round % 2 == 0) {
                    b.abortTransaction();
                    a.commitTransaction();
                } else {
                    a.abortTransaction();
                    b.commitTransaction();
                }
                now += 700_000;
            }
        }
        try (var c = h.consumer("group.id", "fill-members")) {
            c.subscribe(List.of("plain"));
            Harness.poll(c, 10);
            c.commitSync();
        }
    }

    private void compacted() throws Exception {
        h.topic("compacted", 1, "cleanup.policy", "compact", "segment.ms", "600000", "min.cleanable.dirty.ratio", "0.01",
            "message.timestamp.after.max.ms", FAR);
        var tp = new TopicPartition("compacted", 0);
        try (var p = h.producer(); var x = h.producer("transactional.id", "fill-c"); var c = h.consumer()) {
            x.initTransactions();
            for (int round = 0; round < 5; round++) {
                for (int i = 0; i < 20; i++) {
                    send(p, "compacted", "k" + i, i == round ? null : "v" + round);
                }
                x.beginTransaction();
                send(x, "compacted", "x", "x" + round);
                if (round % 2 == 0) {
                    x.commitTransaction();
                } else {
                    x.abortTransaction();
                }
                now += 700_000;
            }
            send(p, "compacted", "end", "end");
            c.assign(List.of(tp));
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(Integer.getInteger("wait", 60));
            int n = 0;
            while ((n == 0 || n > 60) && System.nanoTime() < end) { // the cleaner works in the background
                c.seekToBeginning(List.of(tp));
                n = 0;
                for (var got = c.poll(Duration.ofSeconds(1)); !got.isEmpty(); got = c.poll(Duration.ofMillis(300))) {
                    n += got.count();
                }
            }
            System.out.println(n + " records in the compacted topic");
        }
    }

    private void print(PrintStream out, String topic, String level) throws Exception {
        var tp = new TopicPartition(topic, 0);
        try (var c = h.consumer("isolation.level", level)) {
            c.assign(List.of(tp));
            c.seekToBeginning(List.of(tp));
            long end = c.endOffsets(List.of(tp)).get(tp);
            while (c.position(tp) < end) {
                for (var r : c.poll(Duration.ofMillis(200))) {
                    out.printf("%s %s %d %d %s %s%n", topic, level, r.offset(), r.timestamp(), r.key(), r.value());
                }
            }
            out.printf("%s %s end %d%n", topic, level, end);
        }
    }
}
