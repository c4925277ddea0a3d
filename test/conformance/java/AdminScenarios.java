import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;

/** The admin client: no call of it may throw what Kafka would not. */
final class AdminScenarios {
    private final Harness h;

    AdminScenarios(Harness h) {
        this.h = h;
    }

    void run() {
        h.scenario("admin-create-topics", this::create);
        h.scenario("admin-describe-topics", this::describe);
        h.scenario("admin-configs", this::configs);
        h.scenario("admin-broker-configs", this::brokerConfigs);
        h.scenario("admin-partitions-and-records", this::partitions);
        h.scenario("admin-cluster-and-log-dirs", this::cluster);
        h.scenario("admin-features-and-quorum", this::features);
        h.scenario("admin-quotas", this::quotas);
        h.scenario("admin-scram-users", this::scram);
        h.scenario("admin-acls-without-authorizer", this::acls);
        h.scenario("admin-elections-and-reassignments", this::elections);
    }

    private void create() throws Exception {
        try (var admin = h.admin()) {
            var topics = List.of(new NewTopic("a-default", Optional.empty(), Optional.empty()),
                new NewTopic("a-assigned", Map.of(0, List.of(0), 1, List.of(0))),
                new NewTopic("a-configs", 2, (short) 1).configs(Map.of("retention.ms", "1000", "cleanup.policy", "compact,delete")));
            var dry = admin.createTopics(topics, new CreateTopicsOptions().validateOnly(true));
            dry.all().get();
            var made = admin.createTopics(topics);
            made.all().get();
            Harness.equal(1, made.numPartitions("a-default").get(), "default partitions");
            Harness.equal(2, made.numPartitions("a-assigned").get(), "assigned partitions");
            Harness.equal("1000", made.config("a-configs").get().get("retention.ms").value(), "config");
            Harness.check(made.topicId("a-default").get() != null, "topic id");
            Harness.fails(TopicExistsException.class, () -> admin.createTopics(topics).all().get());
        }
    }

    private void describe() throws Exception {
        h.topic("a-describe", 5);
        try (var admin = h.admin()) {
            for (boolean operations : new boolean[] {false, true}) {
                var options = new DescribeTopicsOptions().includeAuthorizedOperations(operations).partitionSizeLimitPerResponse(2);
                var d = admin.describeTopics(Set.of("a-describe"), options).allTopicNames().get().get("a-describe");
                Harness.equal(5, d.partitions().size(), "partitions");
                Harness.equal(1, d.partitions().get(4).isr().size(), "in-sync replicas");
                var byId = admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(d.topicId()))).allTopicIds().get();
                Harness.equal("a-describe", byId.get(d.topicId()).name(), "name of the id");
            }
            Harness.check(admin.listTopics().names().get().contains("a-describe"), "listed");
            Harness.fails(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(Set.of("a-none")).allTopicNames().get());
        }
    }

    private void configs() throws Exception {
        h.topic("a-alter", 1);
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, "a-alter");
        try (var admin = h.admin()) {
            alter(admin, resource, "cleanup.policy", "compact", AlterConfigOp.OpType.APPEND);
            alter(admin, resource, "retention.ms", "5000", AlterConfigOp.OpType.SET);
            var options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
            Config c = admin.describeConfigs(List.of(resource), options).all().get().get(resource);
            Harness.equal("delete,compact", c.get("cleanup.policy").value(), "appended");
            Harness.equal("5000", c.get("retention.ms").value(), "set");
            Harness.equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, c.get("retention.ms").source(), "source");
            for (var e : c.entries()) {
                Harness.check(e.documentation() != null && !e.documentation().isEmpty(), "%s has no documentation", e.name());
                Harness.check(e.type() != ConfigEntry.ConfigType.UNKNOWN, "%s has no type", e.name());
                Harness.check(e.synonyms() != null, "%s has null synonyms", e.name());
            }
            alter(admin, resource, "cleanup.policy", "delete", AlterConfigOp.OpType.SUBTRACT);
            alter(admin, resource, "retention.ms", null, AlterConfigOp.OpType.DELETE);
            c = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            Harness.equal("compact", c.get("cleanup.policy").value(), "subtracted");
            Harness.check(c.get("retention.ms").isDefault(), "deleted");
            admin.listConfigResources().all().get();
        }
    }

    private static void alter(org.apache.kafka.clients.admin.Admin admin, ConfigResource resource, String name, String value,
            AlterConfigOp.OpType type) throws Exception {
        Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(new ConfigEntry(name, value), type));
        admin.incrementalAlterConfigs(Map.of(resource, ops)).all().get();
    }

    private void brokerConfigs() throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.BROKER, "0");
        try (var admin = h.admin()) {
            Config c = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            for (var name : List.of("delete.topic.enable", "auto.create.topics.enable", "num.partitions", "message.max.bytes", "log.retention.ms")) {
                Harness.check(c.get(name) != null, "no broker config %s", name);
            }
            alter(admin, resource, "log.retention.ms", "604800001", AlterConfigOp.OpType.SET);
            Harness.eventually("the broker's config is set", java.time.Duration.ofSeconds(5), () -> {
                try {
                    return "604800001".equals(admin.describeConfigs(List.of(resource)).all().get().get(resource).get("log.retention.ms").value());
                } catch (Exception e) {
                    throw new RuntimeException(e);
                }
            });
            alter(admin, resource, "log.retention.ms", null, AlterConfigOp.OpType.DELETE);
        }
    }

    private void partitions() throws Exception {
        h.topic("a-grow", 1);
        var tp = new TopicPartition("a-grow", 0);
        try (var admin = h.admin(); var p = h.producer()) {
            h.send(p, "a-grow", 0, 10);
            admin.createPartitions(Map.of("a-grow", NewPartitions.increaseTo(3))).all().get();
            Harness.equal(7L, admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(7))).lowWatermarks().get(tp).get().lowWatermark(), "low watermark");
            Harness.equal(10L, admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(-1))).lowWatermarks().get(tp).get().lowWatermark(), "low watermark");
            var id = admin.describeTopics(Set.of("a-grow")).allTopicNames().get().get("a-grow").topicId();
            admin.deleteTopics(Set.of("a-grow")).all().get();
            Harness.eventually("the topic is gone", java.time.Duration.ofSeconds(5), () -> {
                try {
                    return !admin.listTopics().names().get().contains("a-grow");
                } catch (Exception e) {
                    throw new RuntimeException(e);
                }
            });
            admin.createTopics(List.of(new NewTopic("a-grow", 1, (short) 1))).all().get();
            Harness.check(!id.equals(admin.describeTopics(Set.of("a-grow")).allTopicNames().get().get("a-grow").topicId()), "a new topic has the old id");
        }
    }

    private void cluster() throws Exception {
        h.topic("a-dirs", 2);
        try (var admin = h.admin(); var p = h.producer()) {
            h.send(p, "a-dirs", 0, 100);
            var c = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
            Harness.equal(1, c.nodes().get().size(), "nodes");
            Harness.check(c.clusterId().get() != null, "cluster id");
            Harness.equal(c.controller().get().id(), c.nodes().get().iterator().next().id(), "controller");
            Harness.check(c.authorizedOperations().get() != null, "authorized operations");
            var dirs = admin.describeLogDirs(List.of(0)).allDescriptions().get().get(0).values().iterator().next();
            long size = dirs.replicaInfos().entrySet().stream().filter(e -> e.getKey().topic().equals("a-dirs")).mapToLong(e -> e.getValue().size()).sum();
            Harness.check(size > 1000, "size %d", size);
            Harness.check(dirs.totalBytes().isPresent() && dirs.usableBytes().isPresent(), "bytes of the volume");
            admin.listClientMetricsResources().all().get();
            admin.metrics();
        }
    }

    private void features() throws Exception {
        try (var admin = h.admin()) {
            var f = admin.describeFeatures().featureMetadata().get();
            Harness.equal((short) 2, f.finalizedFeatures().get("transaction.version").maxVersionLevel(), "transaction.version");
            Harness.check(f.finalizedFeatures().containsKey("metadata.version"), "metadata.version");
            Harness.check(f.finalizedFeatures().containsKey("group.version"), "group.version");
        }
    }

    private void quotas() throws Exception {
        try (var admin = h.admin()) {
            var entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "q-user"));
            admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get();
            admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9))))).all().get();
            Harness.eventually("the quota is there", java.time.Duration.ofSeconds(5), () -> {
                try {
                    return Double.valueOf(1e9).equals(admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().getOrDefault(entity, Map.of()).get("producer_byte_rate"));
                } catch (Exception e) {
                    throw new RuntimeException(e);
                }
            });
            admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null))))).all().get();
        }
    }

    private void scram() throws Exception {
        try (var admin = h.admin()) {
            var info = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
            admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("s-user", info, "password"))).all().get();
            Harness.eventually("the user is there", java.time.Duration.ofSeconds(5), () -> {
                try {
                    return admin.describeUserScramCredentials().all().get().containsKey("s-user");
                } catch (Exception e) {
                    throw new RuntimeException(e);
                }
            });
            admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion("s-user", ScramMechanism.SCRAM_SHA_256))).all().get();
        }
    }

    private void acls() throws Exception {
        try (var admin = h.admin()) {
            Harness.fails(SecurityDisabledException.class, () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
        }
    }

    private void elections() throws Exception {
        h.topic("a-elect", 1);
        var tp = new TopicPartition("a-elect", 0);
        try (var admin = h.admin()) {
            var elected = admin.electLeaders(ElectionType.PREFERRED, Set.of(tp)).partitions().get();
            Harness.check(elected.get(tp).orElseThrow() instanceof ElectionNotNeededException, "%s", elected);
            Harness.check(admin.listPartitionReassignments().reassignments().get().isEmpty(), "reassignments");
        }
    }
}
