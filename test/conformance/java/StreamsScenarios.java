import java.nio.file.Files;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** Kafka Streams with exactly_once_v2: repartition topic, changelog, restarts. */
final class StreamsScenarios {
    private static final String[] WORDS = {"log", "batch", "offset", "group", "epoch"};
    private final Harness h;

    StreamsScenarios(Harness h) {
        this.h = h;
    }

    void run() {
        h.scenario("streams-word-count-exactly-once", this::wordCount);
    }

    private KafkaStreams streams(String dir) {
        var b = new StreamsBuilder();
        KStream<String, String> lines = b.stream("s-lines");
        lines.flatMapValues(l -> Arrays.asList(l.split(" ")))
            .groupBy((k, word) -> word)
            .count(Materialized.as("counts"))
            .toStream()
            .mapValues(Object::toString)
            .to("s-counts", Produced.with(Serdes.String(), Serdes.String()));
        var p = new Properties();
        p.put("application.id", "s-app");
        p.put("bootstrap.servers", h.address);
        p.put("processing.guarantee", "exactly_once_v2");
        p.put("default.key.serde", Serdes.String().getClass());
        p.put("default.value.serde", Serdes.String().getClass());
        p.put("state.dir", dir);
        p.put("commit.interval.ms", "100");
        p.put("consumer.session.timeout.ms", "6000");
        p.put("consumer.auto.offset.reset", "earliest");
        p.put("repartition.purge.interval.ms", "500");
        var s = new KafkaStreams(b.build(), p);
        s.setUncaughtExceptionHandler(e -> StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.REPLACE_THREAD);
        return s;
    }

    private void wordCount() throws Exception {
        h.topic("s-lines", 2);
        h.topic("s-counts", 2);
        var want = new HashMap<String, Long>();
        int n = 0;
        for (int round = 0; round < 3; round++) {
            // A new state directory each time: the store comes back from its changelog.
            var s = streams(Files.createTempDirectory("streams").toString());
            s.start();
            n = produce(n, want);
            if (round == 1) {
                h.killAndStart();
                n = produce(n, want);
            }
            counted(want);
            s.close(Duration.ofSeconds(20));
        }
        purged();
    }

    private int produce(int from, Map<String, Long> want) throws Exception {
        try (var p = h.producer()) {
            for (int i = from; i < from + 200; i++) {
                var line = WORDS[i % 5] + " " + WORDS[i % 3];
                p.send(new ProducerRecord<>("s-lines", "" + i, line));
                want.merge(WORDS[i % 5], 1L, Long::sum);
                want.merge(WORDS[i % 3], 1L, Long::sum);
            }
            p.flush();
        }
        return from + 200;
    }

    /** The committed counts end at what a recomputation gives, and never go back. */
    private void counted(Map<String, Long> want) throws Exception {
        var got = new HashMap<String, Long>();
        try (var c = h.consumer("isolation.level", "read_committed")) {
            c.assign(Harness.partitions(c, "s-counts"));
            c.seekToBeginning(c.assignment());
            Harness.eventually("the counts are " + want, Duration.ofSeconds(90), () -> {
                for (var r : c.poll(Duration.ofMillis(200))) {
                    long count = Long.parseLong(r.value());
                    Harness.check(count >= got.getOrDefault(r.key(), 0L), "the count of %s goes back to %d", r.key(), count);
                    got.put(r.key(), count);
                }
                return got.equals(want);
            });
        }
    }

    /** Streams deletes the records of its repartition topic that it has used. */
    private void purged() throws Exception {
        try (var c = h.consumer()) {
            var topic = c.listTopics().keySet().stream().filter(t -> t.endsWith("-repartition")).findFirst().orElseThrow();
            var starts = c.beginningOffsets(Harness.partitions(c, topic)).values().stream().mapToLong(Long::longValue).sum();
            Harness.check(starts > 0, "nothing was purged from %s", topic);
        }
    }
}
