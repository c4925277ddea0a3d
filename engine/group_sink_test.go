package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// TestExactlyOnceSinkAcrossLostWorkers loses workers, leaders too, while the tasks of
// an exactly-once sink write, and wants every record visible once (I3).
func TestExactlyOnceSinkAcrossLostWorkers(t *testing.T) {
	const rounds, each = 5, 40
	withCrew(t, 0, quick, func(t *testing.T, c *crew) {
		lake := connecttest.NewLake()
		c.plugins = func(string) []connect.Spec { return []connect.Spec{lakePlugin(lake, nil)} }
		for i := range 3 {
			c.start(fmt.Sprint("w", i+1))
		}
		if _, err := kadm.NewClient(enginetest.Client(t, c.cluster)).CreateTopic(t.Context(), 4, 1, nil, "in"); err != nil {
			t.Fatal(err)
		}
		c.worker(c.leader()).Create(t, "snk", lakeConf("tasks.max", "3", "test.tasks", "3"))
		for round := range rounds {
			for i := range each {
				enginetest.Produce(t, c.cluster, &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: fmt.Append(nil, round*each+i)})
			}
			c.wait(time.Duration(round*70) * time.Millisecond)
			switch round % 3 {
			case 0:
				c.kill(c.follower())
			case 1:
				c.kill(c.leader())
			case 2:
				c.leave(c.leader())
			}
			c.start(fmt.Sprint("next", round))
			awaitVisible(t, lake, (round+1)*each)
		}
		for _, name := range c.names() {
			c.leave(name)
		}
		wantOnce(t, lake, rounds*each)
	})
}
