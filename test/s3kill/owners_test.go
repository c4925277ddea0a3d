package s3kill

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// refusals are what the log of a worker has when a former owner is told that it is one.
var refusals = []string{"another task has its place", "UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED", "INVALID_TXN_STATE"}

// TestZombies lets owners of partitions stand still (SIGSTOP) until others have their partitions, and go on: at any moment, for so long that the consumer
// group or the workers' group too has gone on without them, and between the commit of their output and its completion, which then comes late.
func TestZombies(t *testing.T) {
	t.Parallel()
	c := newCrew(t, crewOptions{workers: 2, rate: 600, partitions: 4, session: 4 * time.Second,
		sink: map[string]string{"tasks.max": "2", "rotate.max.age.ms": "300", "flush.size": "100000"}})
	c.awaitObjects(1)
	rounds := number(t, "SLUICE_ZOMBIE_ROUNDS", 1)
	late := 0
	for i := range rounds {
		victim := i % 2
		late += c.sleepBeforeApply(victim)
		c.awaitObjects(4)
		for _, d := range []time.Duration{consumerSession + time.Second, 7 * time.Second} {
			<-time.After(time.Duration(rand.IntN(400)) * time.Millisecond)
			c.sleep(1-victim, d)
			c.awaitObjects(4)
		}
	}
	if late == 0 {
		t.Error("no completion came late: the test shows less than it should")
	}
	c.awaitRunning(2)
	t.Logf("%d times between commit and completion, with %d completions that came late; %d lines in logs tell of a former owner", rounds, late, c.logged(refusals...))
	c.check()
}

// sleep stops a worker's process for a while.
func (c *crew) sleep(victim int, d time.Duration) {
	w := c.workers[victim]
	w.Signal(syscall.SIGSTOP)
	<-time.After(d)
	w.Signal(syscall.SIGCONT)
}

// sleepBeforeApply stops a worker's process when its output is committed and not to be seen, until the next owner has completed it. It returns
// how many completions then come from the former owner.
func (c *crew) sleepBeforeApply(victim int) int {
	g, w := c.gates[victim], c.workers[victim]
	g.close()
	eventually(c.t, time.Minute, func() error {
		if len(g.waiting()) == 0 {
			return fmt.Errorf("nothing is to be completed")
		}
		return nil
	})
	w.Signal(syscall.SIGSTOP)
	held := slices.Clone(g.waiting())
	eventually(c.t, time.Minute, func() error {
		keys, err := c.bucket.Keys(c.t.Context())
		for _, key := range held {
			if err == nil && !slices.Contains(keys, key) {
				err = fmt.Errorf("%s is not there", key)
			}
		}
		return err
	})
	g.open()
	w.Signal(syscall.SIGCONT)
	return len(held)
}

// awaitRunning waits until all tasks of the sink run.
func (c *crew) awaitRunning(tasks int) {
	c.t.Helper()
	eventually(c.t, time.Minute, func() error {
		text, err := c.workers[0].ask(c.t.Context(), http.MethodGet, "/connectors/"+c.sink.name+"/status", "")
		if err == nil && strings.Count(text, `"state":"RUNNING"`) != tasks+1 {
			err = fmt.Errorf("the sink is %s", text)
		}
		return err
	})
}

// TestTwoOwners cuts a worker from the log again and again, while it can reach S3: it goes on as the owner of its partitions and does not hear that
// another worker has them. What it has sent by then arrives late.
func TestTwoOwners(t *testing.T) {
	t.Parallel()
	c := newCrew(t, crewOptions{workers: 2, rate: 600, partitions: 4, session: time.Minute,
		sink: map[string]string{"tasks.max": "2", "rotate.max.age.ms": "300", "flush.size": "100000"}})
	c.awaitObjects(1)
	seconds := number(t, "SLUICE_TWO_OWNERS_SECONDS", 8)
	cuts, both := 0, int64(0)
	for began := time.Now(); time.Since(began) < time.Duration(seconds)*time.Second; cuts++ {
		<-c.gates[0].sending // of a part: what is to be committed with it is on its way for as long as the link is cut
		c.link.set(true)
		parts := c.gates[0].parts.Load()
		<-time.After(consumerSession + time.Duration(500+rand.IntN(2000))*time.Millisecond)
		both += c.gates[0].parts.Load() - parts
		c.link.set(false)
		c.awaitObjects(6)
	}
	refused := 0
	eventually(t, 2*time.Minute, func() error {
		if refused = c.logged(refusals...); refused == 0 {
			return errors.New("no two owners at a time: the test shows less than it should")
		}
		return nil
	})
	t.Logf("cut %d times; %d more parts came from the worker that was cut off; %d lines in logs tell of a former owner", cuts, both, refused)
	c.awaitRunning(2)
	c.check()
}

// TestStorm lets workers join and leave, in an orderly way or not, faster than the group comes to rest.
func TestStorm(t *testing.T) {
	t.Parallel()
	workers, events, rate := number(t, "SLUICE_STORM_WORKERS", 4), number(t, "SLUICE_STORM_EVENTS", 8), number(t, "SLUICE_STORM_RATE", 2000)
	c := newCrew(t, crewOptions{workers: workers, rate: rate, partitions: 2 * workers, session: 3 * time.Second,
		sink: map[string]string{"tasks.max": fmt.Sprint(workers), "rotate.max.age.ms": "500", "flush.size": "100000", "flush.on.close": "true"}})
	joined, left, killed := 0, 0, 0
	for range events {
		<-time.After(time.Duration(1000+rand.IntN(1500)) * time.Millisecond)
		switch w := c.workers[rand.IntN(workers)]; {
		case !w.Running():
			w.start(t)
			joined++
		case rand.IntN(2) == 0:
			w.End(syscall.SIGTERM)
			left++
		default:
			w.End(syscall.SIGKILL)
			killed++
		}
	}
	for _, w := range c.workers {
		if !w.Running() {
			w.start(t)
		}
	}
	t.Logf("of %d workers %d joined, %d left, %d were killed", workers, joined, left, killed)
	c.check()
}

// TestFlushOnClose has files that end for no other reason than that their partition is given up, with both kinds of rebalances.
func TestFlushOnClose(t *testing.T) {
	t.Parallel()
	for name, assignor := range map[string]string{"eager": "RangeAssignor", "cooperative": "CooperativeStickyAssignor"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			c := newCrew(t, crewOptions{workers: 2, rate: 300, partitions: 4, session: 4 * time.Second,
				sink: map[string]string{"tasks.max": "2", "rotate.max.age.ms": "-1", "flush.size": "100000000", "flush.on.close": "true",
					"consumer.override.partition.assignment.strategy": "org.apache.kafka.clients.consumer." + assignor}})
			c.awaitRunning(2)
			for made, left := 0, 0; made < 2; left++ {
				if left == 8 {
					t.Fatalf("a worker has left its partitions %d times, which made objects %d times", left, made)
				}
				c.awaitUncommitted(1)
				if c.leave(1) {
					made++
				}
				c.workers[1].start(t)
				c.awaitRunning(2)
			}
			c.log.stopGenerator(t)
			eventually(t, time.Minute, func() error { return c.stopSink() })
			c.check()
		})
	}
}

// uncommitted is a count above nothing of records that a sink's task has and has not committed.
var uncommitted = regexp.MustCompile(`(?m)^kafka_connect_sink_task_sink_record_active_count\{[^}]*\} [1-9]`)

// awaitUncommitted waits until a worker has records to give up: before that it has no partitions yet.
func (c *crew) awaitUncommitted(i int) {
	c.t.Helper()
	eventually(c.t, time.Minute, func() error {
		text, err := c.workers[i].ask(c.t.Context(), http.MethodGet, "/metrics", "")
		if err == nil && !uncommitted.MatchString(text) {
			err = fmt.Errorf("worker %d has no records", i)
		}
		return err
	})
}

// leave ends a worker in an orderly way and tells whether that made objects.
func (c *crew) leave(i int) bool {
	c.t.Helper()
	before := len(c.keys())
	c.workers[i].End(syscall.SIGTERM)
	return len(c.keys()) > before
}

func (c *crew) keys() []string {
	keys, err := c.bucket.Keys(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return keys
}

// stopSink stops the sink, wants all that is in the log in objects, and resumes it otherwise: it may not have read all.
func (c *crew) stopSink() error {
	path := "/connectors/" + c.sink.name
	c.workers[0].mustAsk(c.t, http.MethodPut, path+"/stop", "")
	eventually(c.t, 2*time.Minute, func() error {
		text, err := c.workers[0].ask(c.t.Context(), http.MethodGet, path+"/status", "")
		if err == nil && !strings.Contains(text, `"tasks":[]`) {
			err = fmt.Errorf("the sink is %s", text)
		}
		return err
	})
	objects := make(map[string]counts)
	if err := c.readObjects(objects); err != nil {
		return err
	}
	err := same(c.records("ratings").texts, c.sink.lines(objects))
	if err != nil {
		c.workers[0].mustAsk(c.t, http.MethodPut, path+"/resume", "")
		c.awaitRunning(2)
		<-time.After(time.Second)
	}
	return err
}
