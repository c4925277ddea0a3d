import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.FenceProducersOptions;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;

/** Transactions as producers, consumers and administrators see them. */
final class TransactionScenarios {
    private final Harness h;

    TransactionScenarios(Harness h) {
        this.h = h;
    }

    void run() {
        h.scenario("transaction-commit-and-abort", this::commitAndAbort);
        h.scenario("transaction-stable-offset-waits-for-the-earliest", this::earliest);
        h.scenario("transaction-zombie-is-fenced", this::zombie);
        h.scenario("transaction-times-out", this::timesOut);
        h.scenario("transaction-consume-transform-produce", this::transform);
        h.scenario("transaction-offsets-require-stable", this::requireStable);
        h.scenario("transaction-admin", this::admin);
    }

    private KafkaProducer<String, String> transactional(String id, String... extra) {
        var all = new java.util.ArrayList<>(List.of("transactional.id", id, "linger.ms", "5"));
        all.addAll(List.of(extra));
        var p = h.producer(all.toArray(String[]::new));
        p.initTransactions();
        return p;
    }

    private void commitAndAbort() throws Exception {
        h.topic("x-ends", 2);
        try (var p = transactional("x-ends")) {
            for (int i = 0; i < 10; i++) {
                p.beginTransaction();
                h.send(p, "x-ends", i * 100, i * 100 + 100);
                if (i % 2 == 0) {
                    p.commitTransaction();
                } else {
                    p.abortTransaction();
                }
            }
            var committed = h.read("x-ends", 500, "isolation.level", "read_committed");
            Harness.check(committed.stream().allMatch(r -> Integer.parseInt(r.value()) / 100 % 2 == 0), "an aborted record was read");
            h.read("x-ends", 1000, "isolation.level", "read_uncommitted");
            try (var c = h.consumer()) {
                long ends = c.endOffsets(Harness.partitions(c, "x-ends")).values().stream().mapToLong(Long::longValue).sum();
                Harness.check(ends > 1000, "the ends do not count markers: %d", ends);
            }
            p.beginTransaction();
            p.commitTransaction();
        }
    }

    private void earliest() throws Exception {
        h.topic("x-stable", 1);
        var tp = new TopicPartition("x-stable", 0);
        try (var first = transactional("x-first"); var second = transactional("x-second"); var plain = h.producer();
                var c = h.consumer("isolation.level", "read_committed")) {
            first.beginTransaction();
            h.send(first, "x-stable", 0, 10);
            second.beginTransaction();
            h.send(second, "x-stable", 10, 20);
            h.send(plain, "x-stable", 20, 30);
            second.commitTransaction();
            Harness.equal(0L, c.endOffsets(List.of(tp)).get(tp), "last stable offset while the first is open");
            c.assign(List.of(tp));
            Harness.check(c.poll(Duration.ofMillis(500)).isEmpty(), "records above the last stable offset");
            first.abortTransaction();
            Harness.equal(Harness.sequence(10, 30), Harness.values(Harness.poll(c, 20)), "values");
        }
    }

    private void zombie() throws Exception {
        h.topic("x-zombie", 1);
        try (var old = transactional("x-zombie")) {
            old.beginTransaction();
            h.send(old, "x-zombie", 0, 10);
            try (var young = transactional("x-zombie")) {
                young.beginTransaction();
                h.send(young, "x-zombie", 10, 20);
                Harness.fails(KafkaException.class, () -> {
                    h.send(old, "x-zombie", 20, 30);
                    old.commitTransaction();
                    return "the zombie committed";
                });
                young.commitTransaction();
            }
        }
        Harness.equal(Harness.sequence(10, 20), Harness.values(h.read("x-zombie", 10, "isolation.level", "read_committed")), "values");
    }

    private void timesOut() throws Exception {
        h.topic("x-timeout", 1);
        var tp = new TopicPartition("x-timeout", 0);
        try (var p = transactional("x-timeout", "transaction.timeout.ms", "1000"); var c = h.consumer("isolation.level", "read_committed")) {
            p.beginTransaction();
            h.send(p, "x-timeout", 0, 5);
            Harness.eventually("the last stable offset passes the transaction", Duration.ofSeconds(40), () -> c.endOffsets(List.of(tp)).get(tp) >= 6);
            Harness.fails(KafkaException.class, () -> {
                p.commitTransaction();
                return "committed what has timed out";
            });
        }
        h.read("x-timeout", 0, "isolation.level", "read_committed");
    }

    private void transform() throws Exception {
        for (var protocol : List.of("classic", "consumer")) {
            var in = "x-in-" + protocol;
            var out = "x-out-" + protocol;
            h.topic(in, 3);
            h.topic(out, 3);
            try (var p = h.producer()) {
                h.send(p, in, 0, 500);
            }
            try (var p = transactional("x-transform-" + protocol);
                    var c = h.consumer("group.id", in, "group.protocol", protocol, "isolation.level", "read_committed", "max.poll.records", "50")) {
                c.subscribe(List.of(in));
                Pump.run(h, c, p, in, out, 500);
            }
            var got = h.read(out, 500, "isolation.level", "read_committed");
            Harness.equal(500L, got.stream().map(r -> r.value()).distinct().count(), "distinct values");
        }
    }

    /** Offsets that a transaction has not ended yet make a stable fetch wait. */
    private void requireStable() throws Exception {
        h.topic("x-offsets", 1);
        var tp = new TopicPartition("x-offsets", 0);
        try (var p = transactional("x-offsets"); var c = h.consumer("group.id", "x-offsets", "isolation.level", "read_committed", "default.api.timeout.ms", "2000")) {
            p.beginTransaction();
            p.sendOffsetsToTransaction(Map.of(tp, new OffsetAndMetadata(3)), new ConsumerGroupMetadata("x-offsets"));
            Harness.fails(org.apache.kafka.common.errors.TimeoutException.class, () -> c.committed(Set.of(tp)));
            p.commitTransaction();
            Harness.equal(3L, c.committed(Set.of(tp)).get(tp).offset(), "offset");
            p.beginTransaction();
            p.sendOffsetsToTransaction(Map.of(tp, new OffsetAndMetadata(9)), new ConsumerGroupMetadata("x-offsets"));
            p.abortTransaction();
            Harness.equal(3L, c.committed(Set.of(tp)).get(tp).offset(), "offset after an abort");
        }
    }

    private void admin() throws Exception {
        h.topic("x-admin", 1);
        var tp = new TopicPartition("x-admin", 0);
        try (var p = transactional("x-admin"); var admin = h.admin()) {
            p.beginTransaction();
            h.send(p, "x-admin", 0, 3);
            var d = admin.describeTransactions(Set.of("x-admin")).all().get().get("x-admin");
            Harness.equal(TransactionState.ONGOING, d.state(), "state");
            Harness.equal(Set.of(tp), d.topicPartitions(), "partitions");
            var listed = admin.listTransactions(new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING))).all().get();
            Harness.check(listed.stream().anyMatch(t -> t.transactionalId().equals("x-admin")), "%s", listed);
            var producers = admin.describeProducers(Set.of(tp)).all().get().get(tp).activeProducers();
            Harness.equal(d.producerId(), producers.get(0).producerId(), "producer id");
            Harness.equal(0L, producers.get(0).currentTransactionStartOffset().getAsLong(), "start offset");
            admin.abortTransaction(new AbortTransactionSpec(tp, d.producerId(), (short) d.producerEpoch(), producers.get(0).coordinatorEpoch().orElse(0))).all().get();
            h.read("x-admin", 0, "isolation.level", "read_committed");
            admin.fenceProducers(List.of("x-admin"), new FenceProducersOptions().timeoutMs(10_000)).all().get();
            Harness.fails(KafkaException.class, () -> {
                h.send(p, "x-admin", 3, 6);
                p.commitTransaction();
                return "a fenced producer committed";
            });
            Harness.fails(TransactionalIdNotFoundException.class, () -> admin.describeTransactions(Set.of("x-none")).all().get());
        }
    }
}
