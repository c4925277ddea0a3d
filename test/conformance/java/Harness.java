import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Runs scenarios against a server that it starts, and may kill, by a command. */
final class Harness {
    interface Body {
        void run() throws Exception;
    }

    final String address;
    private final ProcessBuilder command;
    private final String pattern;
    private Process server;
    private int failed;
    private int passed;

    Harness(String address, List<String> command, String pattern) {
        this.address = address;
        this.pattern = pattern;
        this.command = new ProcessBuilder(command).redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(new java.io.File(System.getProperty("server.log", "/dev/null"))));
    }

    void start() throws Exception {
        server = command.start();
        Runtime.getRuntime().addShutdownHook(new Thread(server::destroyForcibly));
        eventually("the server listens", Duration.ofSeconds(180), this::listens);
    }

    /** Ends the server as kill -9 does, and starts it on the same data. */
    void killAndStart() throws Exception {
        server.destroyForcibly().waitFor();
        start();
    }

    void stop() throws Exception {
        server.destroy();
        if (!server.waitFor(30, TimeUnit.SECONDS)) {
            server.destroyForcibly().waitFor();
        }
    }

    private boolean listens() {
        var at = address.split(":");
        try (var s = new Socket()) {
            s.connect(new InetSocketAddress(at[0], Integer.parseInt(at[1])), 500);
            return true;
        } catch (java.io.IOException e) {
            return false;
        }
    }

    /** Runs one scenario and prints a line about it. */
    void scenario(String name, Body body) {
        if (!name.matches(pattern)) {
            return;
        }
        long began = System.nanoTime();
        try {
            body.run();
            passed++;
            System.out.printf("ok   %s (%.1f s)%n", name, (System.nanoTime() - began) / 1e9);
        } catch (Throwable e) {
            failed++;
            System.out.printf("FAIL %s: %s%n", name, e);
            for (var at : e.getStackTrace()) {
                if (at.getFileName() != null && at.getFileName().endsWith("Scenarios.java")) {
                    System.out.printf("     at %s:%d%n", at.getFileName(), at.getLineNumber());
                }
            }
            for (var cause = e.getCause(); cause != null; cause = cause.getCause()) {
                System.out.printf("     caused by %s%n", cause);
            }
        }
    }

    /** Prints how it ended and returns whether nothing failed. */
    boolean summary() {
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed == 0 && passed > 0;
    }

    static void check(boolean holds, String what, Object... args) {
        if (!holds) {
            throw new AssertionError(String.format(what, args));
        }
    }

    static void equal(Object want, Object got, String what) {
        check(want.equals(got), "%s: want %s, got %s", what, want, got);
    }

    /** Wants an error of a class from a call, be it the cause of what is thrown. */
    static <E extends Throwable> E fails(Class<E> kind, Callable<?> call) throws Exception {
        try {
            var got = call.call();
            throw new AssertionError("want " + kind.getSimpleName() + ", got " + got);
        } catch (Exception e) {
            for (Throwable t = e; t != null; t = t.getCause()) {
                if (kind.isInstance(t)) {
                    return kind.cast(t);
                }
            }
            throw e;
        }
    }

    static void eventually(String what, Duration limit, BooleanSupplier holds) throws Exception {
        long end = System.nanoTime() + limit.toNanos();
        while (!holds.getAsBoolean()) {
            check(System.nanoTime() < end, "after %s not so: %s", limit, what);
            Thread.sleep(100);
        }
    }

    Admin admin() {
        var p = new Properties();
        p.put("bootstrap.servers", address);
        p.put("default.api.timeout.ms", "20000");
        p.put("request.timeout.ms", "10000");
        return Admin.create(p);
    }

    /** Creates a topic with configs given as name, value, name, value. */
    void topic(String name, int partitions, String... configs) throws Exception {
        try (var admin = admin()) {
            admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(pairs(configs)))).all().get();
        }
    }

    static Map<String, String> pairs(String... list) {
        var m = new HashMap<String, String>();
        for (int i = 0; i < list.length; i += 2) {
            m.put(list[i], list[i + 1]);
        }
        return m;
    }

    private Properties properties(String... extra) {
        var p = new Properties();
        p.put("bootstrap.servers", address);
        p.putAll(pairs(extra));
        return p;
    }

    KafkaProducer<String, String> producer(String... extra) {
        return new KafkaProducer<>(properties(extra), new StringSerializer(), new StringSerializer());
    }

    KafkaConsumer<String, String> consumer(String... extra) {
        var p = properties(extra);
        p.putIfAbsent("auto.offset.reset", "earliest");
        p.putIfAbsent("enable.auto.commit", "false");
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }

    /** Sends values FROM..TO-1 with themselves as keys and waits for all. */
    List<RecordMetadata> send(KafkaProducer<String, String> producer, String topic, int from, int to) throws Exception {
        var sent = new ArrayList<java.util.concurrent.Future<RecordMetadata>>();
        for (int i = from; i < to; i++) {
            sent.add(producer.send(new ProducerRecord<>(topic, "" + i, "" + i)));
        }
        var all = new ArrayList<RecordMetadata>();
        for (var f : sent) {
            all.add(f.get());
        }
        return all;
    }

    /** Reads n records of a topic from its start, and sees that no more come. */
    List<ConsumerRecord<String, String>> read(String topic, int n, String... extra) throws Exception {
        try (var c = consumer(extra)) {
            c.assign(partitions(c, topic));
            c.seekToBeginning(c.assignment());
            var got = poll(c, n);
            c.poll(Duration.ofMillis(300)).forEach(got::add);
            equal(n, got.size(), "records in " + topic);
            return got;
        }
    }

    static Collection<TopicPartition> partitions(KafkaConsumer<?, ?> c, String topic) {
        return c.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
    }

    /** Polls until n records have come. */
    static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> c, int n) {
        var got = new ArrayList<ConsumerRecord<String, String>>();
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (got.size() < n) {
            check(System.nanoTime() < end, "%d of %d records after a minute", got.size(), n);
            c.poll(Duration.ofMillis(200)).forEach(got::add);
        }
        return got;
    }

    static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    static List<String> sequence(int from, int to) {
        var all = new ArrayList<String>();
        for (int i = from; i < to; i++) {
            all.add("" + i);
        }
        return all;
    }

    static byte[] utf8(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }
}
