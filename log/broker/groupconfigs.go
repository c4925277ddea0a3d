package broker

import (
	"strconv"
	"time"

	"github.com/sluice-data/sluice/log"
)

// groupConfigs is what this broker reports about its group coordinator, read only.
func (b *Broker) groupConfigs() []config {
	c := b.cfg.Groups.Config()
	num := func(name string, value int64, doc string) config {
		return staticConfig(name, strconv.FormatInt(value, 10), log.TypeLong, doc)
	}
	ms := func(name string, value time.Duration, doc string) config { return num(name, value.Milliseconds(), doc) }
	return []config{
		staticConfig("group.consumer.assignors", "uniform,range", log.TypeList, "Assignors that members of the consumer protocol may choose."),
		ms("group.consumer.heartbeat.interval.ms", c.ConsumerHeartbeatInterval, "How often members of the consumer protocol heartbeat."),
		num("group.consumer.max.size", int64(c.MaxConsumerMembers), "Most members of one group of the consumer protocol."),
		staticConfig("group.consumer.migration.policy", string(c.MigrationPolicy), log.TypeString, "Which way groups may change their protocol while they have members."),
		ms("group.consumer.session.timeout.ms", c.ConsumerSessionTimeout, "When a member of the consumer protocol that is silent is out."),
		ms("group.initial.rebalance.delay.ms", c.InitialRebalanceDelay, "How long a group that was empty waits for more members."),
		ms("group.max.session.timeout.ms", c.MaxSessionTimeout, "The longest session that a member of the classic protocol may ask for."),
		num("group.max.size", int64(c.MaxMembers), "Most members of one group of the classic protocol."),
		ms("group.min.session.timeout.ms", c.MinSessionTimeout, "The shortest session that a member of the classic protocol may ask for."),
		num("offset.metadata.max.bytes", int64(c.MaxMetadataBytes), "Most bytes of the note that goes with a committed offset."),
		ms("offsets.retention.check.interval.ms", c.RetentionCheckInterval, "How often the retention of offsets is looked at."),
		num("offsets.retention.minutes", int64(c.OffsetsRetention.Minutes()), "How long the offsets of a group without members are kept."),
		num("offsets.topic.num.partitions", int64(c.Partitions), "Partitions of __consumer_offsets."),
	}
}
