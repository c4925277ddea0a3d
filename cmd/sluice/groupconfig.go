package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/log/group"
)

// groupRebalanceDelay is how long an empty group waits for more members. Kafka's
// 3 s spare a large cluster some rebalances; here they would only delay the first
// record of a sink.
const groupRebalanceDelay = 100 * time.Millisecond

// groupProperties are those of the group coordinator as they are read.
type groupProperties struct {
	config group.Config
	delay  time.Duration // negative: ours
	policy string
}

func (p *groupProperties) define(d *connect.Def) {
	c := &p.config
	policies := []string{"", string(group.MigrateBoth), string(group.Upgrade), string(group.Downgrade), string(group.NoMigration)}
	for _, o := range []connect.Option{
		{Name: "group.consumer.heartbeat.interval.ms", Var: &c.ConsumerHeartbeatInterval, Doc: "How often members of the consumer protocol heartbeat."},
		{Name: "group.consumer.max.size", Var: &c.MaxConsumerMembers, Doc: "Members of one group of the consumer protocol."},
		{Name: "group.consumer.session.timeout.ms", Var: &c.ConsumerSessionTimeout, Doc: "When a member of the consumer protocol that is silent is out."},
		{Name: "group.max.session.timeout.ms", Var: &c.MaxSessionTimeout, Doc: "The longest session that a member of the classic protocol may ask for."},
		{Name: "group.max.size", Var: &c.MaxMembers, Doc: "Members of one group of the classic protocol."},
		{Name: "group.min.session.timeout.ms", Var: &c.MinSessionTimeout, Doc: "The shortest session that a member of the classic protocol may ask for."},
		{Name: "offset.metadata.max.bytes", Var: &c.MaxMetadataBytes, Doc: "Bytes of the note that goes with a committed offset."},
		{Name: "offsets.retention.check.interval.ms", Var: &c.RetentionCheckInterval, Doc: "How often the retention of offsets is looked at."},
		{Name: "offsets.retention.minutes", Var: &c.OffsetsRetention, Unit: time.Minute, Doc: "How long the offsets of a group without members are kept."},
		{Name: "offsets.topic.num.partitions", Var: &c.Partitions, Doc: "Partitions of __consumer_offsets when it is created."},
	} {
		o.Default = "0" // the coordinator's
		o.Check = func() error { return checkNotNegative(o.Var) }
		d.Add(o)
	}
	d.Add(
		connect.Option{Name: "group.consumer.migration.policy", Var: &p.policy, OneOf: policies, Doc: "Which way groups may change their protocol while they have members."},
		connect.Option{Name: "group.initial.rebalance.delay.ms", Var: &p.delay, Default: "-1", Doc: "How long a group that was empty waits for more members."},
	)
}

// checkNotNegative checks a number that an option points to.
func checkNotNegative(v any) error {
	negative := false
	switch v := v.(type) {
	case *int:
		negative = *v < 0
	case *time.Duration:
		negative = *v < 0
	default:
		return fmt.Errorf("no number: %T", v)
	}
	if negative {
		return errors.New("must not be negative")
	}
	return nil
}

// groups is the coordinator's config that the properties say.
func (p *groupProperties) groups() group.Config {
	c := p.config
	c.MigrationPolicy = group.MigrationPolicy(p.policy)
	switch {
	case p.delay > 0:
		c.InitialRebalanceDelay = p.delay
	case p.delay == 0:
		c.InitialRebalanceDelay = -1 // not at all
	}
	return c
}
