package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/internal/metrics"
)

// TestWorkersAreAddedAndRemoved follows the work of three connectors through a
// group that grows, shrinks and loses workers, the leader among them.
func TestWorkersAreAddedAndRemoved(t *testing.T) {
	withCrew(t, 3, nil, func(t *testing.T, c *crew) {
		const tasks = 12
		for _, name := range []string{"a", "b", "c"} {
			c.must(c.follower(), "PUT /connectors/"+name+"/config "+configText(4), 201)
		}
		c.awaitSpread(tasks)
		before := c.runs.started()
		c.start("w4")
		c.awaitSpread(tasks)
		if moved := c.runs.since(before, "-"); moved != 3 {
			t.Errorf("a fourth worker made %d tasks move, want 3", moved)
		}
		before = c.runs.started()
		c.leave(c.follower())
		c.awaitSpread(tasks)
		if moved := c.runs.since(before, "-"); moved != 3 {
			t.Errorf("%d tasks moved from a worker that left, want 3", moved)
		}
		before = c.runs.started()
		c.kill(c.follower())
		c.awaitSpread(tasks)
		if moved := c.runs.since(before, "-"); moved != 4 {
			t.Errorf("%d tasks moved from a worker that was lost, want 4", moved)
		}
		c.kill(c.leader())
		c.awaitSpread(tasks)
		c.must(c.leader(), "DELETE /connectors/a", 204)
		c.awaitSpread(8)
	})
}

// TestWorkersLeaveAndComeBack lets several workers go at a time, with the leader among
// them, and come back. What the one that stays runs is not touched.
func TestWorkersLeaveAndComeBack(t *testing.T) {
	withCrew(t, 4, nil, func(t *testing.T, c *crew) {
		c.must("w1", "PUT /connectors/a/config "+configText(8), 201)
		c.awaitSpread(8)
		before, stays := c.runs.started(), c.follower()
		ran := c.runs.snapshot()
		var gone []string
		for _, name := range c.names() {
			if name != stays {
				c.leave(name)
				gone = append(gone, name)
			}
		}
		c.awaitSpread(8)
		for id, starts := range c.runs.started() {
			if ran[id] == stays && starts != before[id] {
				t.Errorf("%v was started again where it ran, because others had gone", id)
			}
		}
		for _, name := range gone {
			c.start(name)
		}
		c.awaitSpread(8)
	})
}

// TestLateGoodbyeOfAWorker has a worker that was away say that nobody runs what others have taken over meanwhile: they say again that they do.
func TestLateGoodbyeOfAWorker(t *testing.T) {
	withCrew(t, 2, nil, func(t *testing.T, c *crew) {
		c.must("w1", "PUT /connectors/a/config "+configText(2), 201)
		c.awaitSpread(2)
		client, err := kgo.NewClient(c.cluster.Opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for _, key := range []string{"status-connector-a", "status-task-a-0", "status-task-a-1"} {
			goodbye := &kgo.Record{Topic: "connect-status", Key: []byte(key), Value: []byte(`{"state":"UNASSIGNED","trace":null,"worker_id":"w9:8083","generation":99}`)}
			if err := client.ProduceSync(t.Context(), goodbye).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		c.awaitSpread(2)
		var status string
		enginetest.Eventually(t, func() bool {
			_, status = c.ask("w1", "GET /connectors/a/status")
			return !strings.Contains(status, "UNASSIGNED")
		}, func() string { return status })
	})
}

// TestConfigChangeTouchesOnlyItsTasks changes one connector in every way and wants
// the tasks of another to run on, and no rebalance where the work stays the same.
func TestConfigChangeTouchesOnlyItsTasks(t *testing.T) {
	withCrew(t, 3, nil, func(t *testing.T, c *crew) {
		c.must("w1", "PUT /connectors/other/config "+configText(6), 201)
		c.awaitSpread(6)
		c.must("w1", "PUT /connectors/changed/config "+configText(3), 201)
		c.awaitSpread(9)
		before, generation := c.runs.started(), c.generation("changed", 0)
		for i, change := range []string{
			"PUT /connectors/changed/config " + configText(3, "test.topic", "elsewhere"),
			`PATCH /connectors/changed/config {"test.topic":null}`,
			"POST /connectors/changed/restart?includeTasks=true",
		} {
			status := 200
			if strings.HasPrefix(change, "POST") {
				status = 202
			}
			c.must(c.follower(), change, status)
			enginetest.Eventually(t, func() bool { return c.runs.since(before, "changed") == 3*(i+1) },
				func() string {
					return fmt.Sprintf("%s: %d tasks were started, want %d", change, c.runs.since(before, "changed"), 3*(i+1))
				})
			c.awaitSpread(9)
		}
		if now := c.generation("changed", 0); now != generation {
			t.Errorf("the group has rebalanced from generation %d to %d", generation, now)
		}
		c.must(c.follower(), "PUT /connectors/changed/config "+configText(2), 200)
		enginetest.Eventually(t, func() bool { return len(c.runs.snapshot()) == 8 }, func() string { return "a task that is no more goes on" })
		c.must(c.follower(), "PUT /connectors/changed/config "+configText(5), 200)
		c.awaitSpread(11)
		c.must(c.follower(), "PUT /connectors/changed/stop", 204)
		c.must(c.follower(), "PUT /connectors/changed/resume", 202)
		c.awaitSpread(11)
		if n := c.runs.since(before, "other"); n != 0 {
			t.Errorf("%d tasks of another connector were restarted", n)
		}
	})
}

// generation returns the generation of the group in a task's newest status.
func (c *crew) generation(connector string, task int) int {
	c.t.Helper()
	ends, err := kadm.NewClient(enginetest.Client(c.t, c.cluster)).ListEndOffsets(c.t.Context(), "connect-status")
	if err != nil {
		c.t.Fatal(err)
	}
	records := 0
	ends.Each(func(o kadm.ListedOffset) { records += int(o.Offset) })
	key, status := fmt.Sprintf("status-task-%s-%d", connector, task), struct{ Generation int }{-1}
	for _, r := range enginetest.Consume(c.t, c.cluster, "connect-status", records) {
		if string(r.Key) == key {
			if err := json.Unmarshal(r.Value, &status); err != nil {
				c.t.Fatalf("status %s: %v", r.Value, err)
			}
		}
	}
	return status.Generation
}

// TestLostWorkIsUnassignedUntilItsWorkerIsBack holds lost work back, shows it as
// UNASSIGNED, and gives it to the worker that comes back.
func TestLostWorkIsUnassignedUntilItsWorkerIsBack(t *testing.T) {
	delay := func(cfg *engine.Config) { cfg.Group.MaxDelay = 5 * time.Minute }
	withCrew(t, 3, delay, func(t *testing.T, c *crew) {
		c.must("w1", "PUT /connectors/a/config "+configText(3), 201)
		c.awaitSpread(3)
		before, lost := c.runs.started(), c.follower()
		var id engine.TaskID
		for task, name := range c.runs.snapshot() {
			if name == lost {
				id = task
			}
		}
		c.kill(lost)
		var status engine.TaskStatus
		enginetest.Eventually(t, func() bool {
			status, _ = c.worker(c.leader()).TaskStatus(t.Context(), id)
			return status.State == engine.Unassigned
		}, func() string { return fmt.Sprintf("status of a task whose worker is gone: %+v", status) })
		if status.WorkerID != lost+":8083" {
			t.Errorf("the status names %s, want the worker that is gone", status.WorkerID)
		}
		if n := c.runs.since(before, "a"); n != 0 {
			t.Errorf("%d tasks were started before the delay was over", n)
		}
		c.start(lost)
		c.wait(5 * time.Minute)
		c.awaitSpread(3)
		if now := c.runs.snapshot()[id]; now != lost {
			t.Errorf("the task runs on %s, want %s", now, lost)
		}
		if n := c.runs.since(before, "a"); n != 1 {
			t.Errorf("%d tasks were started, want the one that was lost", n)
		}
	})
}

// TestWorkerOutOfTheGroup lets a worker's group requests get lost: it stops its work
// before others get it, answers reads, and takes work again afterwards.
func TestWorkerOutOfTheGroup(t *testing.T) {
	withCrew(t, 2, nil, func(t *testing.T, c *crew) {
		c.must("w1", "PUT /connectors/a/config "+configText(4), 201)
		c.awaitSpread(4)
		out := c.follower()
		c.worker(out).way.lose(11, 12, 14)
		enginetest.Eventually(t, func() bool { return c.runs.counts([]string{out})[c.leader2(out)] == 4 },
			func() string { return fmt.Sprint("tasks: ", c.runs.snapshot()) })
		c.must(out, "GET /connectors/a/status", 200)
		began := time.Now()
		body := c.must(out, "DELETE /connectors/a", 409)
		if !strings.Contains(body, "no known leader URL") || time.Since(began) < time.Minute {
			t.Errorf("a change without a leader: %s after %s", body, time.Since(began))
		}
		c.worker(out).way.lose()
		c.awaitSpread(4)
	})
}

// leader2 returns the other worker of two.
func (c *crew) leader2(but string) string {
	for _, name := range c.names() {
		if name != but {
			return name
		}
	}
	return ""
}

// TestWorkerThatCannotReadTheConfigTopic leaves the group instead of running old
// configs, and joins again when it can read.
func TestWorkerThatCannotReadTheConfigTopic(t *testing.T) {
	withCrew(t, 3, nil, func(t *testing.T, c *crew) {
		c.must("w1", "PUT /connectors/a/config "+configText(3), 201)
		c.awaitSpread(3)
		behind := c.follower()
		const fetch = 1
		c.worker(behind).way.lose(fetch)
		c.wait(2 * time.Second) // what waits for records now still gets an answer
		c.must(c.leader(), "PUT /connectors/b/config "+configText(3), 201)
		enginetest.Eventually(t, func() bool {
			now := c.runs.counts(nil)
			return now[behind] == 0 && len(c.runs.snapshot()) == 6
		}, func() string { return fmt.Sprint("tasks: ", c.runs.snapshot()) })
		c.worker(behind).way.lose()
		c.awaitSpread(6)
	})
}

// TestGroupMetrics wants a scrape to tell of the group what Kafka Connect's metrics do.
func TestGroupMetrics(t *testing.T) {
	registries := make(map[string]*metrics.Registry)
	withMetrics := func(cfg *engine.Config) {
		cfg.Metrics = new(metrics.Registry)
		registries[cfg.WorkerID] = cfg.Metrics
	}
	withCrew(t, 2, withMetrics, func(t *testing.T, c *crew) {
		c.must("w1", "PUT /connectors/a/config "+configText(3), 201)
		c.awaitSpread(3)
		leader := c.leader()
		var text string
		enginetest.Eventually(t, func() bool {
			var b strings.Builder
			if _, err := registries["w1:8083"].WriteTo(&b); err != nil {
				t.Fatal(err)
			}
			text = b.String()
			return strings.Contains(text, "kafka_connect_worker_rebalance_rebalancing 0\n")
		}, func() string { return text })
		for _, want := range []string{
			`kafka_connect_worker_rebalance_leader_name{leader_name="http://` + leader + `:8083/"} 1`,
			`kafka_connect_worker_rebalance_connect_protocol{connect_protocol="sessioned"} 1`,
			fmt.Sprintf("kafka_connect_coordinator_assigned_tasks %d", c.runs.counts(nil)["w1"]),
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
	})
}
