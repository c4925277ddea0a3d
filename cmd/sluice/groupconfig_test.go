package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/log/group"
)

func TestGroupProperties(t *testing.T) {
	c, err := loadProperties(t, `
offsets.retention.minutes=90
offsets.retention.check.interval.ms=1000
group.consumer.session.timeout.ms=50000
group.consumer.heartbeat.interval.ms=4000
group.consumer.max.size=7
group.max.size=8
group.consumer.migration.policy=upgrade
group.initial.rebalance.delay.ms=0
`)
	if err != nil {
		t.Fatal(err)
	}
	want := group.Config{
		OffsetsRetention: 90 * time.Minute, RetentionCheckInterval: time.Second,
		ConsumerSessionTimeout: 50 * time.Second, ConsumerHeartbeatInterval: 4 * time.Second,
		MaxConsumerMembers: 7, MaxMembers: 8, MigrationPolicy: group.Upgrade, InitialRebalanceDelay: -1,
	}
	if c.broker.groups != want {
		t.Errorf("got %+v, want %+v", c.broker.groups, want)
	}
	if len(c.Properties) != 0 {
		t.Errorf("worker's properties %v, want none of the broker's", c.Properties)
	}
	if c, err = loadProperties(t, ""); err != nil || c.broker.groups != (group.Config{}) {
		t.Errorf("without properties %+v, %v", c.broker.groups, err)
	}
	_, err = loadProperties(t, "group.consumer.migration.policy=sideways\ngroup.max.size=-1\noffsets.retention.minutes=soon")
	for _, name := range []string{"group.consumer.migration.policy", "group.max.size", "offsets.retention.minutes"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: does not name %s", err, name)
		}
	}
}
