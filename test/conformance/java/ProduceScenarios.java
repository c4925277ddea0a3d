import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.record.TimestampType;

/** Produce, fetch and list offsets. */
final class ProduceScenarios {
    private final Harness h;

    ProduceScenarios(Harness h) {
        this.h = h;
    }

    void run() {
        h.scenario("produce-defaults", this::defaults);
        h.scenario("produce-too-large-batch-is-split", this::splits);
        h.scenario("produce-acks", this::acks);
        h.scenario("produce-codecs", this::codecs);
        h.scenario("produce-timestamps", this::timestamps);
        h.scenario("produce-null-key-to-compacted-topic", this::nullKey);
        h.scenario("fetch-sessions-of-200-idle-partitions", this::sessions);
        h.scenario("fetch-batch-larger-than-limit", this::largeBatch);
        h.scenario("fetch-reset-policies", this::resets);
        h.scenario("list-offsets-special-timestamps", this::listOffsets);
    }

    private void defaults() throws Exception {
        h.topic("p-defaults", 3);
        try (var p = h.producer()) {
            h.send(p, "p-defaults", 0, 1000);
        }
        var got = h.read("p-defaults", 1000);
        Harness.equal(1000L, got.stream().map(r -> r.value()).distinct().count(), "distinct values");
    }

    /** A batch above max.message.bytes comes back MESSAGE_TOO_LARGE, and the client splits it. */
    private void splits() throws Exception {
        h.topic("p-split", 1, "max.message.bytes", "20000");
        try (var p = h.producer("batch.size", "500000", "linger.ms", "200")) {
            h.send(p, "p-split", 0, 5000);
            Harness.fails(RecordTooLargeException.class, () -> p.send(new ProducerRecord<>("p-split", "x".repeat(50_000))).get());
        }
        Harness.equal(Harness.sequence(0, 5000), Harness.values(h.read("p-split", 5000)), "values");
    }

    private void acks() throws Exception {
        h.topic("p-acks", 1);
        int n = 0;
        for (var acks : List.of("0", "1", "all", "0")) {
            try (var p = h.producer("acks", acks, "enable.idempotence", "" + acks.equals("all"))) {
                h.send(p, "p-acks", n, n + 100);
                p.flush();
                h.send(p, "p-acks", n + 100, n + 200);
            }
            n += 200;
        }
        Harness.equal(Harness.sequence(0, n), Harness.values(h.read("p-acks", n)), "values");
    }

    private void codecs() throws Exception {
        h.topic("p-codecs", 1);
        var large = "y".repeat(900_000);
        for (var codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var p = h.producer("compression.type", codec, "linger.ms", "50")) {
                var record = new ProducerRecord<String, String>("p-codecs", null, codec);
                record.headers().add("codec", Harness.utf8(codec)).add("null", null);
                p.send(record).get();
                p.send(new ProducerRecord<>("p-codecs", codec, null)).get();
                p.send(new ProducerRecord<>("p-codecs", "", "")).get();
                p.send(new ProducerRecord<>("p-codecs", codec, large)).get();
            }
        }
        var got = h.read("p-codecs", 20);
        for (int i = 0; i < got.size(); i += 4) {
            var codec = got.get(i).value();
            Harness.check(got.get(i).key() == null, "key of %s", codec);
            Harness.equal(codec, new String(got.get(i).headers().lastHeader("codec").value()), "header");
            Harness.check(got.get(i).headers().lastHeader("null").value() == null, "null header of %s", codec);
            Harness.check(got.get(i + 1).value() == null, "null value of %s", codec);
            Harness.equal("", got.get(i + 2).value(), "empty value");
            Harness.equal(large, got.get(i + 3).value(), "large value");
        }
    }

    private void timestamps() throws Exception {
        h.topic("p-create", 1, "retention.ms", "-1");
        h.topic("p-append", 1, "message.timestamp.type", "LogAppendTime");
        long before = System.currentTimeMillis();
        try (var p = h.producer()) {
            p.send(new ProducerRecord<>("p-create", 0, 1_000L, "k", "v")).get();
            var at = p.send(new ProducerRecord<>("p-append", 0, 1_000L, "k", "v")).get();
            Harness.check(at.timestamp() >= before, "the answer's append time is %d", at.timestamp());
            Harness.fails(InvalidTimestampException.class, () -> p.send(new ProducerRecord<>("p-create", 0, before + 7_200_000, "k", "v")).get());
        }
        var create = h.read("p-create", 1).get(0);
        Harness.equal(1_000L, create.timestamp(), "create time");
        Harness.equal(TimestampType.CREATE_TIME, create.timestampType(), "type");
        var append = h.read("p-append", 1).get(0);
        Harness.check(append.timestamp() >= before, "append time %d", append.timestamp());
        Harness.equal(TimestampType.LOG_APPEND_TIME, append.timestampType(), "type");
    }

    private void nullKey() throws Exception {
        h.topic("p-compacted", 1, "cleanup.policy", "compact");
        try (var p = h.producer()) {
            Harness.fails(org.apache.kafka.common.InvalidRecordException.class, () -> p.send(new ProducerRecord<>("p-compacted", "v")).get());
            p.send(new ProducerRecord<>("p-compacted", "k", "v")).get();
        }
        h.read("p-compacted", 1);
    }

    /** An idle fetch of 200 partitions in a session, in which one partition gets a record. */
    private void sessions() throws Exception {
        h.topic("p-sessions", 200);
        try (var c = h.consumer(); var p = h.producer()) {
            c.assign(Harness.partitions(c, "p-sessions"));
            for (int i = 0; i < 10; i++) {
                Harness.check(c.poll(Duration.ofMillis(100)).isEmpty(), "records out of nothing");
            }
            for (int i = 0; i < 20; i++) {
                p.send(new ProducerRecord<>("p-sessions", i * 7 % 200, "k", "" + i)).get();
                Harness.equal("" + i, Harness.poll(c, 1).get(0).value(), "value");
            }
        }
    }

    private void largeBatch() throws Exception {
        h.topic("p-large", 1);
        try (var p = h.producer()) {
            p.send(new ProducerRecord<>("p-large", "k", "z".repeat(300_000))).get();
            p.send(new ProducerRecord<>("p-large", "k", "end")).get();
        }
        var got = h.read("p-large", 2, "max.partition.fetch.bytes", "1000", "fetch.max.bytes", "1000");
        Harness.equal(300_000, got.get(0).value().length(), "length");
    }

    private void resets() throws Exception {
        h.topic("p-reset", 1);
        var tp = new TopicPartition("p-reset", 0);
        try (var p = h.producer(); var admin = h.admin()) {
            h.send(p, "p-reset", 0, 10);
            admin.deleteRecords(Map.of(tp, org.apache.kafka.clients.admin.RecordsToDelete.beforeOffset(4))).all().get();
        }
        for (var policy : Map.of("earliest", 4L, "latest", 10L).entrySet()) {
            for (long from : new long[] {0, 99}) {
                try (var c = h.consumer("auto.offset.reset", policy.getKey())) {
                    c.assign(List.of(tp));
                    c.seek(tp, from);
                    Harness.eventually("the position is reset", Duration.ofSeconds(10), () -> {
                        c.poll(Duration.ofMillis(100));
                        return c.position(tp) >= policy.getValue() && c.position(tp) <= 10;
                    });
                }
            }
        }
        try (var c = h.consumer("auto.offset.reset", "none")) {
            c.assign(List.of(tp));
            c.seek(tp, 10);
            Harness.check(c.poll(Duration.ofMillis(500)).isEmpty(), "exactly the end is no reset");
            c.seek(tp, 0);
            Harness.fails(org.apache.kafka.clients.consumer.OffsetOutOfRangeException.class, () -> {
                for (int i = 0; i < 20; i++) {
                    c.poll(Duration.ofMillis(200));
                }
                return "no error";
            });
        }
    }

    private void listOffsets() throws Exception {
        h.topic("p-list", 1, "retention.ms", "-1");
        var tp = new TopicPartition("p-list", 0);
        try (var p = h.producer("linger.ms", "0"); var admin = h.admin()) {
            for (long t : new long[] {1000, 5000, 3000, 2000}) {
                p.send(new ProducerRecord<>("p-list", 0, t, "k", "v")).get();
            }
            var want = Map.of(OffsetSpec.earliest(), 0L, OffsetSpec.latest(), 4L, OffsetSpec.maxTimestamp(), 1L, OffsetSpec.earliestLocal(), 0L,
                OffsetSpec.forTimestamp(1500), 1L, OffsetSpec.forTimestamp(5001), -1L, OffsetSpec.latestTiered(), -1L);
            for (var level : IsolationLevel.values()) {
                for (var e : want.entrySet()) {
                    var got = admin.listOffsets(Map.of(tp, e.getKey()), new ListOffsetsOptions(level)).partitionResult(tp).get();
                    Harness.equal(e.getValue(), got.offset(), e.getKey().getClass().getSimpleName() + " " + level);
                }
            }
        }
    }
}
