import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;

/** What clients see when the server is killed with -9 and comes back. */
final class CrashScenarios {
    private final Harness h;

    CrashScenarios(Harness h) {
        this.h = h;
    }

    void run() {
        h.scenario("crash-idempotent-producer", this::idempotent);
        h.scenario("crash-fetch-session", this::fetchSession);
        h.scenario("crash-exactly-once", this::exactlyOnce);
    }

    /** Five requests in flight while the server is killed: nothing lost, doubled or out of order. */
    private void idempotent() throws Exception {
        h.topic("k-idempotent", 2);
        var errors = new AtomicInteger();
        int n = 0;
        try (var p = h.producer("linger.ms", "0", "batch.size", "500", "delivery.timeout.ms", "60000", "max.in.flight.requests.per.connection", "5")) {
            for (int kill = 0; kill < 3; kill++) {
                for (int i = 0; i < 3000; i++, n++) {
                    p.send(new ProducerRecord<>("k-idempotent", n % 2, null, "" + n), (m, e) -> {
                        if (e != null) {
                            errors.incrementAndGet();
                        }
                    });
                    if (i == 1500) {
                        h.killAndStart();
                    }
                }
            }
            p.flush();
        }
        Harness.equal(0, errors.get(), "records not acknowledged");
        var got = h.read("k-idempotent", n);
        for (int partition = 0; partition < 2; partition++) {
            int want = partition;
            for (var r : got) {
                if (r.partition() == partition) {
                    Harness.equal("" + want, r.value(), "value in partition " + partition);
                    want += 2;
                }
            }
        }
    }

    /** A fetch session that the server has forgotten is replaced. */
    private void fetchSession() throws Exception {
        h.topic("k-session", 20);
        try (var c = h.consumer(); var p = h.producer()) {
            c.assign(Harness.partitions(c, "k-session"));
            for (int i = 0; i < 5; i++) {
                c.poll(Duration.ofMillis(100));
            }
            h.killAndStart();
            h.send(p, "k-session", 0, 50);
            Harness.equal(50, Harness.poll(c, 50).size(), "records");
        }
    }

    /** Two workers consume, transform and produce while the server is killed: each value comes out once. */
    private void exactlyOnce() throws Exception {
        h.topic("k-in", 4);
        h.topic("k-out", 4);
        int n = 4000;
        try (var p = h.producer()) {
            h.send(p, "k-in", 0, n);
        }
        var done = new AtomicBoolean();
        var workers = new ArrayList<Thread>();
        for (int w = 0; w < 2; w++) {
            int id = w;
            var t = new Thread(() -> work(id, done));
            t.start();
            workers.add(t);
        }
        for (int kill = 0; kill < 4; kill++) {
            Thread.sleep(2500);
            h.killAndStart();
        }
        try (var c = h.consumer("isolation.level", "read_committed")) {
            c.assign(Harness.partitions(c, "k-out"));
            var got = Harness.values(Harness.poll(c, n));
            done.set(true);
            for (var t : workers) {
                t.join();
            }
            c.poll(Duration.ofSeconds(1)).forEach(r -> got.add(r.value()));
            Harness.equal((long) n, got.stream().distinct().count(), "distinct values");
            Harness.equal(n, got.size(), "values");
        } finally {
            done.set(true);
        }
    }

    /** Works with new clients after each error, as a supervised process would. */
    private void work(int id, AtomicBoolean done) {
        while (!done.get()) {
            try (var c = h.consumer("group.id", "k-workers", "isolation.level", "read_committed", "max.poll.records", "20", "session.timeout.ms", "6000");
                    var p = h.producer("transactional.id", "k-worker-" + id, "max.block.ms", "20000")) {
                c.subscribe(List.of("k-in"));
                p.initTransactions();
                while (!done.get()) {
                    Pump.once(c, p, "k-out");
                }
            } catch (KafkaException e) {
                continue;
            }
        }
    }
}
