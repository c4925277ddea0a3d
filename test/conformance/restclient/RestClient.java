import java.util.*;
import java.util.function.*;
import org.sourcelab.kafka.connect.apiclient.*;
import org.sourcelab.kafka.connect.apiclient.request.dto.*;
import org.sourcelab.kafka.connect.apiclient.request.post.PostConnectorRestart;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.*;

/** Does with kafka-connect-client, which AKHQ uses, what its users do. Arguments: URL, directory with in.txt. */
public class RestClient {
    static KafkaConnectClient client;
    static int checks;

    static void check(String what, boolean ok) {
        checks++;
        if (!ok) throw new AssertionError(what);
        System.out.println("ok " + what);
    }

    static void until(String what, BooleanSupplier condition) throws InterruptedException {
        for (long end = System.currentTimeMillis() + 30_000; !condition.getAsBoolean(); Thread.sleep(50))
            if (System.currentTimeMillis() > end) throw new AssertionError("waited in vain: " + what);
        check(what, true);
    }

    static String states(String name) {
        ConnectorStatus s = client.getConnectorStatus(name);
        StringBuilder b = new StringBuilder(s.getConnector().get("state"));
        s.getTasks().forEach(t -> b.append(' ').append(t.getState()));
        return b.toString();
    }

    static String refusal(Runnable r) {
        try {
            r.run();
            return "nothing was refused";
        } catch (RuntimeException e) {
            return e.getClass().getSimpleName() + ": " + e.getMessage();
        }
    }

    public static void main(String[] args) throws Exception {
        String dir = args[1];
        client = new KafkaConnectClient(new Configuration(args[0]));
        check("the version", client.getConnectServerVersion().getVersion().startsWith("4."));
        forms();
        Map<String, String> source = new HashMap<>(Map.of("connector.class", "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "file", dir + "/in.txt", "topic", "java", "tasks.max", "1"));
        NewConnectorDefinition made = NewConnectorDefinition.newBuilder().withName("src").withConfig(source).build();
        check("a connector is made", client.addConnector(made).getType().equals("source"));
        check("not twice", refusal(() -> client.addConnector(made)).contains("Connector src already exists"));
        check("a wrong config is refused with the option", refusal(() -> client.addConnector(NewConnectorDefinition.newBuilder().withName("bad")
            .withConfig("connector.class", "FileStreamSource").withConfig("tasks.max", "none").withConfig("topic", "t").build())).contains("tasks.max"));
        until("it runs", () -> states("src").equals("RUNNING RUNNING"));
        check("names", client.getConnectors().equals(List.of("src")));
        ConnectorsWithExpandedMetadata all = client.getConnectorsWithAllExpandedMetadata();
        check("expanded", all.getDefinitionForConnector("src").getConfig().get("topic").equals("java") && all.getStatusForConnector("src").getTasks().size() == 1);
        check("expanded status", client.getConnectorsWithExpandedStatus().getStatusForConnector("src") != null);
        check("expanded info", client.getConnectorsWithExpandedInfo().getDefinitionForConnector("src").getTasks().size() == 1);
        source.put("name", "src");
        check("the config comes back", client.getConnectorConfig("src").equals(source));
        check("the connector", client.getConnector("src").getName().equals("src"));
        source.put("batch.size", "5");
        check("its config changes", client.updateConnectorConfig("src", source).getConfig().get("batch.size").equals("5"));
        until("its topic", () -> client.getConnectorTopics("src").getTopics().equals(List.of("java")));
        check("topics are reset", client.resetConnectorTopics("src"));
        check("it is paused", client.pauseConnector("src"));
        until("it has paused", () -> states("src").equals("PAUSED PAUSED"));
        check("it is resumed", client.resumeConnector("src"));
        until("it runs again", () -> states("src").equals("RUNNING RUNNING"));
        check("it is stopped", client.stopConnector("src"));
        until("it has stopped", () -> states("src").equals("STOPPED"));
        check("it is resumed after a stop", client.resumeConnector("src"));
        until("it runs once more", () -> states("src").equals("RUNNING RUNNING"));
        check("restarted", client.restartConnector("src"));
        check("restarted with tasks", client.restartConnector(new PostConnectorRestart("src").withIncludeTasks(true).withOnlyFailed(false)));
        until("after the restart", () -> states("src").equals("RUNNING RUNNING"));
        check("tasks", client.getConnectorTasks("src").size() == 1);
        check("a task is restarted", client.restartConnectorTask("src", 0));
        until("the task runs", () -> client.getConnectorTaskStatus("src", 0).getState().equals("RUNNING"));
        failure(dir);
        check("deleted", client.deleteConnector("src") && client.deleteConnector("fails"));
        check("gone", client.getConnectors().isEmpty());
        check("404 is one", refusal(() -> client.getConnectorStatus("src")).startsWith(ResourceNotFoundException.class.getSimpleName()));
        System.out.println(checks + " checks passed");
    }

    /** What AKHQ asks before it shows the form of a connector: each plugin with its class and topics alone. */
    static void forms() {
        Collection<ConnectorPlugin> plugins = client.getConnectorPlugins();
        check("plugins", plugins.stream().anyMatch(p -> p.getClassName().endsWith("FileStreamSinkConnector") && p.getType().equals("sink")));
        for (ConnectorPlugin p : plugins) {
            ConnectorPluginConfigValidationResults form = client.validateConnectorPluginConfig(ConnectorPluginConfigDefinition.newBuilder()
                .withName(p.getClassName()).withConfig("connector.class", p.getClassName()).withConfig("topics", "getPlugins").build());
            for (ConnectorPluginConfigValidationResults.Config c : form.getConfigs())
                if (c.getDefinition() == null || c.getDefinition().getGroup() == null)
                    throw new AssertionError(p.getClassName() + ": an option without a group: " + c);
            check("the form of " + p.getClassName(), form.getConfigs().size() > 10);
        }
    }

    /** A task that has failed and will be restarted: its status has fields of ours. */
    static void failure(String dir) throws Exception {
        client.addConnector(NewConnectorDefinition.newBuilder().withName("fails").withConfig("connector.class", "FileStreamSink")
            .withConfig("file", dir + "/missing/out.txt").withConfig("topics", "java").build());
        until("a failed task is seen", () -> states("fails").equals("RUNNING FAILED"));
        check("its trace", client.getConnectorTaskStatus("fails", 0).getTrace().contains("missing"));
        check("expanded with a failed task", client.getConnectorsWithAllExpandedMetadata().getStatusForConnector("fails") != null);
    }
}
