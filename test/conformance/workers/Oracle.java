package org.apache.kafka.connect.runtime.distributed;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.LogContext;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator.ConnectorsAndTasks;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

/**
 * Prints what Kafka Connect's group protocol answers. It is in the package of its classes because the assignor can only
 * be driven from there. Work is written as its names with commas between them: c is a connector and c-0 its first task.
 */
public class Oracle {
    public static void main(String[] args) throws Exception {
        if (args[0].equals("wire"))
            wire(Files.readAllLines(Path.of(args[1])));
        else
            rounds(Integer.parseInt(args[1]));
    }

    // The wire format.

    static void wire(List<String> lines) {
        for (String line : lines) {
            System.out.println(line);
            if (line.isEmpty() || line.startsWith("#"))
                continue;
            Map<String, String> fields = new HashMap<>();
            for (String field : line.split(" ")) {
                String[] kv = field.split("=", 2);
                fields.put(kv[0], kv.length > 1 ? kv[1] : "");
            }
            System.out.println(HexFormat.of().formatHex(bytes(line.startsWith("subscription") ? subscription(fields) : assignment(fields))));
        }
    }

    static ByteBuffer subscription(Map<String, String> f) {
        int version = Integer.parseInt(f.get("version"));
        long offset = Long.parseLong(f.get("offset"));
        if (version == 0)
            return ConnectProtocol.serializeMetadata(new ConnectProtocol.WorkerState(f.get("url"), offset));
        ExtendedAssignment current = f.containsKey("leader") ? extended(f) : null;
        return IncrementalCooperativeConnectProtocol.serializeMetadata(new ExtendedWorkerState(f.get("url"), offset, current), version == 2);
    }

    static ByteBuffer assignment(Map<String, String> f) {
        ExtendedAssignment a = extended(f);
        if (f.get("version").equals("0"))
            return ConnectProtocol.serializeAssignment(new ConnectProtocol.Assignment(a.error(), a.leader(), a.leaderUrl(), a.offset(), a.connectors(), a.tasks()));
        return IncrementalCooperativeConnectProtocol.serializeAssignment(a, f.get("version").equals("2"));
    }

    static ExtendedAssignment extended(Map<String, String> f) {
        ConnectorsAndTasks work = parse(f.getOrDefault("work", "")), revoked = parse(f.getOrDefault("revoked", ""));
        return new ExtendedAssignment(Short.parseShort(f.get("version")), Short.parseShort(f.get("error")), f.get("leader"), f.get("leaderurl"),
            Long.parseLong(f.get("leaderoffset")), work.connectors(), work.tasks(), revoked.connectors(), revoked.tasks(), Integer.parseInt(f.getOrDefault("delay", "0")));
    }

    static ConnectorsAndTasks parse(String text) {
        List<String> connectors = new ArrayList<>();
        List<ConnectorTaskId> tasks = new ArrayList<>();
        for (String item : text.split(",")) {
            int dash = item.lastIndexOf('-');
            if (dash >= 0)
                tasks.add(new ConnectorTaskId(item.substring(0, dash), Integer.parseInt(item.substring(dash + 1))));
            else if (!item.isEmpty())
                connectors.add(item);
        }
        return new ConnectorsAndTasks.Builder().with(connectors, tasks).build();
    }

    static byte[] bytes(ByteBuffer buffer) {
        byte[] b = new byte[buffer.remaining()];
        buffer.get(b);
        return b;
    }

    // The assignor.

    static long now;

    static final Time CLOCK = new Time() {
        @Override
        public long milliseconds() { return now; }

        @Override
        public long nanoseconds() { return now * 1_000_000; }

        @Override
        public void sleep(long ms) { now += ms; }
    };

    /** Plays scenarios of workers and connectors that come and go, always the same ones. */
    static void rounds(int scenarios) {
        Random random = new Random(42);
        for (int i = 0; i < scenarios; i++)
            new Scenario(random).play(random.nextInt(60) + 5);
    }

    static class Scenario {
        final Random random;
        final int maxDelay;
        final IncrementalCooperativeAssignor assignor;
        final Map<String, Integer> config = new TreeMap<>();
        // One letter each and at most twelve, so that the hash maps of the assignor have them in their order.
        final Map<String, TreeMap<Integer, String>> allocations = new TreeMap<>();
        final Map<String, TreeMap<Integer, String>> gone = new TreeMap<>();
        int generation = 0, completed = -1, sequence = 0;

        Scenario(Random random) {
            this.random = random;
            maxDelay = new int[]{300_000, 300_000, 60_000, 5_000, 0}[random.nextInt(5)];
            now = 1_000_000;
            assignor = new IncrementalCooperativeAssignor(new LogContext(), CLOCK, maxDelay);
            System.out.println("scenario delay=" + maxDelay);
            for (int n = random.nextInt(6); n >= 0; n--)
                config.put(free(config.keySet(), 'A', 20), random.nextInt(6));
            for (int n = random.nextInt(4); n >= 0; n--)
                join();
        }

        void play(int rounds) {
            for (int i = 0; i < rounds; i++) {
                for (int n = random.nextInt(3); n > 0; n--)
                    event();
                round();
            }
        }

        boolean chance(int percent) { return random.nextInt(100) < percent; }

        String free(Set<String> taken, char first, int count) {
            for (;;) {
                String name = String.valueOf((char) (first + random.nextInt(count)));
                if (!taken.contains(name))
                    return name;
            }
        }

        String any(Collection<String> names) { return new ArrayList<>(names).get(random.nextInt(names.size())); }

        void join() {
            if (allocations.size() < 11)
                allocations.put(free(allocations.keySet(), 'a', 12), new TreeMap<>());
        }

        void leave() {
            if (allocations.size() > 1) {
                String member = any(allocations.keySet());
                gone.put(member, allocations.remove(member));
            }
        }

        /** A member that was thought dead has all that it had. */
        void comeBack() {
            if (gone.isEmpty() || allocations.size() >= 11)
                return;
            String member = any(gone.keySet());
            allocations.putIfAbsent(member, gone.remove(member));
        }

        void event() {
            switch (random.nextInt(11)) {
                case 0, 1 -> join();
                case 2, 3 -> leave();
                case 4 -> { leave(); join(); }
                case 5 -> { if (config.size() < 15) config.put(free(config.keySet(), 'A', 20), random.nextInt(8)); }
                case 6 -> { if (!config.isEmpty()) config.remove(any(config.keySet())); }
                case 7 -> { if (!config.isEmpty()) config.put(any(config.keySet()), random.nextInt(8)); }
                case 8 -> comeBack();
                default -> { }
            }
        }

        void round() {
            now += new int[]{0, 1, 40, 1_600, 3_000, 10_000, 70_000}[random.nextInt(7)];
            if (assignor.delay > 0 && chance(50))
                now += assignor.delay; // everybody comes back when the delay is over
            generation++;
            int last = chance(3) ? generation - 2 : completed;
            Map<String, ConnectorsAndTasks> members = new TreeMap<>();
            StringBuilder line = new StringBuilder("now=" + now + " last=" + last + " gen=" + generation + " conf=");
            config.forEach((name, tasks) -> line.append(name).append(tasks));
            allocations.forEach((member, work) -> {
                ConnectorsAndTasks parsed = parse(String.join(",", work.values()));
                members.put(member, parsed);
                line.append(' ').append(member).append(':').append(String.join(",", work.values()));
            });
            IncrementalCooperativeAssignor.ClusterAssignment result = assignor.performTaskAssignment(snapshot(), last, generation, members);
            line.append(" => ").append(assignor.delay);
            for (String member : allocations.keySet()) {
                Set<String> added = names(result.newlyAssignedConnectors(member), result.newlyAssignedTasks(member));
                Set<String> revoked = names(result.newlyRevokedConnectors(member), result.newlyRevokedTasks(member));
                if (!added.isEmpty())
                    line.append(' ').append(member).append('+').append(String.join(",", added));
                if (!revoked.isEmpty())
                    line.append(' ').append(member).append('-').append(String.join(",", revoked));
                apply(member, added, revoked);
            }
            System.out.println(line);
            completed = generation;
        }

        /** Most members do as they are told. */
        void apply(String member, Set<String> added, Set<String> revoked) {
            if (chance(4))
                return;
            TreeMap<Integer, String> work = allocations.get(member);
            if (!chance(3))
                work.values().removeAll(revoked);
            for (String name : added)
                if (!work.containsValue(name))
                    work.put(sequence++, name);
        }

        ClusterConfigState snapshot() {
            Map<String, Map<String, String>> connectors = new HashMap<>();
            config.keySet().forEach(name -> connectors.put(name, Map.of()));
            return new ClusterConfigState(1, null, new HashMap<>(config), connectors, Map.of(), Map.of(), Map.of(), Map.of(), Map.of(), Set.of(), Set.of());
        }

        static Set<String> names(Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
            Set<String> names = new TreeSet<>(connectors);
            tasks.forEach(t -> names.add(t.connector() + "-" + t.task()));
            return names;
        }
    }
}
