import java.util.List;

/**
 * Judges a server with Apache Kafka's Java clients:
 *
 * <pre>java Clients ADDRESS PATTERN COMMAND...</pre>
 *
 * The command starts the server, which must listen on the address. Scenarios whose
 * name matches the pattern run one after the other. Prints a line for each and exits 1
 * when one failed.
 */
public final class Clients {
    public static void main(String[] args) throws Exception {
        var h = new Harness(args[0], List.of(args).subList(2, args.length), args[1]);
        h.start();
        new ProduceScenarios(h).run();
        new AdminScenarios(h).run();
        new GroupScenarios(h).run();
        new TransactionScenarios(h).run();
        new CrashScenarios(h).run();
        new StreamsScenarios(h).run();
        boolean ok = h.summary();
        h.stop();
        System.exit(ok ? 0 : 1);
    }
}
