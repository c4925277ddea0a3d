import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** Consumer groups of both protocols. */
final class GroupScenarios {
    private static final String ASSIGNORS = "org.apache.kafka.clients.consumer.";
    private final Harness h;

    GroupScenarios(Harness h) {
        this.h = h;
    }

    void run() {
        for (var assignor : List.of("RangeAssignor", "RoundRobinAssignor", "StickyAssignor", "CooperativeStickyAssignor")) {
            h.scenario("group-members-come-and-go-" + assignor, () -> comeAndGo("partition.assignment.strategy", ASSIGNORS + assignor));
        }
        h.scenario("group-members-come-and-go-consumer-protocol", () -> comeAndGo("group.protocol", "consumer"));
        h.scenario("group-cooperative-keeps-partitions", this::cooperative);
        h.scenario("group-static-member-restarts", () -> staticMember("session.timeout.ms", "30000"));
        h.scenario("group-static-member-restarts-consumer-protocol", () -> staticMember("group.protocol", "consumer"));
        h.scenario("group-session-expires", this::expires);
        h.scenario("group-regex-finds-new-topic", this::regex);
        h.scenario("group-migrates-to-consumer-protocol-and-back", this::migrates);
        h.scenario("group-commits-and-metadata", this::commits);
        h.scenario("group-admin", this::admin);
        h.scenario("group-admin-removes-member", this::removes);
    }

    /** A member of a group that polls in a thread of its own. */
    private final class Member implements AutoCloseable {
        final KafkaConsumer<String, String> consumer;
        final ConcurrentLinkedQueue<String> values = new ConcurrentLinkedQueue<>();
        final AtomicInteger lost = new AtomicInteger(); // partitions revoked
        final AtomicInteger rebalances = new AtomicInteger();
        volatile Set<TopicPartition> owned = Set.of();
        volatile boolean leaves = true;
        private volatile boolean done;
        private volatile Throwable error;
        private final Thread thread;

        Member(String group, Object subscription, String... extra) {
            var all = new ArrayList<>(List.of("group.id", group));
            all.addAll(List.of(extra));
            consumer = h.consumer(all.toArray(String[]::new));
            var listener = new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> p) {
                    lost.addAndGet(p.size());
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> p) {
                    rebalances.incrementAndGet();
                }
            };
            if (subscription instanceof SubscriptionPattern pattern) {
                consumer.subscribe(pattern, listener);
            } else if (subscription instanceof Pattern pattern) {
                consumer.subscribe(pattern, listener);
            } else {
                consumer.subscribe(List.of((String) subscription), listener);
            }
            thread = new Thread(this::loop);
            thread.start();
        }

        private void loop() {
            try {
                while (!done) {
                    for (var r : consumer.poll(Duration.ofMillis(100))) {
                        values.add(r.value());
                    }
                    owned = Set.copyOf(consumer.assignment());
                }
                if (leaves) {
                    consumer.commitSync();
                }
            } catch (Throwable e) {
                error = e;
            } finally {
                consumer.close(Duration.ofSeconds(leaves ? 10 : 0));
            }
        }

        @Override
        public void close() throws Exception {
            done = true;
            thread.join();
            if (error != null) {
                throw new AssertionError("member", error);
            }
        }
    }

    /** Waits until the members own n partitions, each once, and each member some. */
    private static void balanced(int n, Member... members) throws Exception {
        Harness.eventually(n + " partitions are owned once", Duration.ofSeconds(60), () -> {
            var all = new HashSet<TopicPartition>();
            int sum = 0;
            for (var m : members) {
                sum += m.owned.size();
                all.addAll(m.owned);
                if (m.owned.isEmpty()) {
                    return false;
                }
            }
            return sum == n && all.size() == n;
        });
    }

    private void comeAndGo(String... extra) throws Exception {
        var topic = "g-" + extra[1].replace(ASSIGNORS, "");
        h.topic(topic, 6);
        try (var p = h.producer(); var a = new Member(topic, topic, extra)) {
            balanced(6, a);
            try (var b = new Member(topic, topic, extra); var c = new Member(topic, topic, extra)) {
                balanced(6, a, b, c);
                h.send(p, topic, 0, 600);
                Harness.eventually("600 records have come", Duration.ofSeconds(30), () -> a.values.size() + b.values.size() + c.values.size() >= 600);
                var all = new HashSet<String>(a.values);
                all.addAll(b.values);
                all.addAll(c.values);
                Harness.equal(600, all.size(), "distinct values");
                Harness.equal(600, a.values.size() + b.values.size() + c.values.size(), "values");
            }
            balanced(6, a);
        }
    }

    /** A second member takes partitions from the first without revoking those that stay. */
    private void cooperative() throws Exception {
        var extra = new String[] {"partition.assignment.strategy", ASSIGNORS + "CooperativeStickyAssignor"};
        h.topic("g-coop", 6);
        try (var a = new Member("g-coop", "g-coop", extra)) {
            balanced(6, a);
            try (var b = new Member("g-coop", "g-coop", extra)) {
                balanced(6, a, b);
                Harness.equal(3, a.lost.get(), "partitions revoked from the first member");
            }
        }
    }

    /** A static member that comes back within its session gets its partitions, and nobody else notices. */
    private void staticMember(String... extra) throws Exception {
        var topic = "g-static-" + extra[1];
        h.topic(topic, 4);
        var one = with(extra, "group.instance.id", "one");
        try (var b = new Member(topic, topic, with(extra, "group.instance.id", "two"))) {
            Set<TopicPartition> had;
            try (var a = new Member(topic, topic, one)) {
                balanced(4, a, b);
                had = a.owned;
                a.leaves = false;
            }
            int rebalances = b.rebalances.get();
            try (var a = new Member(topic, topic, one)) {
                balanced(4, a, b);
                Harness.equal(had, a.owned, "partitions after the restart");
                Harness.equal(rebalances, b.rebalances.get(), "rebalances of the other member");
            }
        }
    }

    private static String[] with(String[] list, String... more) {
        var all = new ArrayList<>(List.of(list));
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }

    /** A member that dies without a word is replaced when its session ends. */
    private void expires() throws Exception {
        h.topic("g-expire", 2);
        var dead = new Member("g-expire", "g-expire", "session.timeout.ms", "6000", "heartbeat.interval.ms", "1000", "group.instance.id", "dead");
        balanced(2, dead);
        dead.leaves = false;
        dead.close();
        try (var heir = new Member("g-expire", "g-expire", "session.timeout.ms", "6000", "heartbeat.interval.ms", "1000")) {
            balanced(2, heir);
        }
    }

    private void regex() throws Exception {
        h.topic("g-regex-1", 1);
        try (var server = new Member("g-regex-server", new SubscriptionPattern("g-regex-.*"), "group.protocol", "consumer", "metadata.max.age.ms", "1000");
                var client = new Member("g-regex-client", Pattern.compile("g-regex-.*"), "metadata.max.age.ms", "1000")) {
            balanced(1, server);
            balanced(1, client);
            h.topic("g-regex-2", 2);
            balanced(3, server);
            balanced(3, client);
        }
    }

    /** Members of the classic and of the consumer protocol in one group, and back. */
    private void migrates() throws Exception {
        h.topic("g-migrate", 4);
        try (var classic = new Member("g-migrate", "g-migrate")) {
            balanced(4, classic);
            try (var modern = new Member("g-migrate", "g-migrate", "group.protocol", "consumer")) {
                balanced(4, classic, modern);
                try (var another = new Member("g-migrate", "g-migrate", "group.protocol", "classic")) {
                    balanced(4, classic, modern, another);
                }
            }
            balanced(4, classic);
        }
    }

    private void commits() throws Exception {
        h.topic("g-commit", 2);
        var tp = new TopicPartition("g-commit", 0);
        try (var c = h.consumer("group.id", "g-commit")) {
            c.assign(List.of(tp));
            c.commitSync(Map.of(tp, new OffsetAndMetadata(7, "note \u00e9")));
        }
        try (var c = h.consumer("group.id", "g-commit")) {
            var got = c.committed(Set.of(tp, new TopicPartition("g-commit", 1)));
            Harness.equal(7L, got.get(tp).offset(), "offset");
            Harness.equal("note \u00e9", got.get(tp).metadata(), "metadata");
            Harness.check(got.get(new TopicPartition("g-commit", 1)) == null, "partition 1: %s", got);
        }
    }

    private void admin() throws Exception {
        h.topic("g-admin", 2);
        var tp = new TopicPartition("g-admin", 0);
        try (var admin = h.admin()) {
            try (var m = new Member("g-admin", "g-admin")) {
                balanced(2, m);
                var d = admin.describeConsumerGroups(List.of("g-admin")).all().get().get("g-admin");
                Harness.equal(GroupState.STABLE, d.groupState(), "state");
                Harness.equal(2, d.members().iterator().next().assignment().topicPartitions().size(), "assigned");
                Harness.fails(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of("g-admin")).all().get());
                Harness.fails(UnknownMemberIdException.class, () -> admin.alterConsumerGroupOffsets("g-admin", Map.of(tp, new OffsetAndMetadata(1))).all().get());
            }
            admin.alterConsumerGroupOffsets("g-admin", Map.of(tp, new OffsetAndMetadata(5))).all().get();
            var offsets = admin.listConsumerGroupOffsets(Map.of("g-admin", new ListConsumerGroupOffsetsSpec())).all().get().get("g-admin");
            Harness.equal(5L, offsets.get(tp).offset(), "altered offset");
            Harness.check(names(admin).contains("g-admin"), "listed");
            admin.deleteConsumerGroupOffsets("g-admin", Set.of(tp)).all().get();
            admin.deleteConsumerGroups(List.of("g-admin")).all().get();
            Harness.fails(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of("g-admin")).all().get());
            Harness.fails(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of("g-admin")).all().get());
        }
    }

    private static List<String> names(Admin admin) throws Exception {
        return admin.listGroups().all().get().stream().map(GroupListing::groupId).toList();
    }

    private void removes() throws Exception {
        h.topic("g-remove", 1);
        try (var admin = h.admin()) {
            var m = new Member("g-remove", "g-remove", "group.instance.id", "i");
            balanced(1, m);
            m.leaves = false;
            m.close();
            admin.removeMembersFromConsumerGroup("g-remove", new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("i")))).all().get();
            Harness.equal(GroupState.EMPTY, admin.describeConsumerGroups(List.of("g-remove")).all().get().get("g-remove").groupState(), "state");
        }
    }
}
