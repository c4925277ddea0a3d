package cluster

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

// fill makes connectors with three tasks each.
func (w *world) fill(connectors int) {
	for i := range connectors {
		w.connector(fmt.Sprintf("c%02d", i), 3)
	}
}

// A worker alone has everything, at once, and gives it back when it leaves.
func TestOneWorker(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(2)
		a := w.start("a")
		wait(time.Second)
		w.want("alone", "a:2+6")
		if a := a.last; !a.IsLeader || a.LeaderURL != "http://a:8083/" || a.Offset != 2 || !a.Sessioned || a.Generation != 1 {
			t.Errorf("assigned %+v", a)
		}
		if s := a.Stats(); s.Completed != 1 || s.Rebalancing || s.Generation != 1 || s.LeaderURL != "http://a:8083/" || s.Protocol != Sessioned {
			t.Errorf("stats %+v", s)
		}
		wait(time.Hour)
		if s := a.Stats(); s.Completed != 1 {
			t.Errorf("%d rebalances in a quiet hour, want 1", s.Completed)
		}
		a.stop()
		w.want("after it left", "missing:8")
		if a.err != nil {
			t.Error(a.err)
		}
	})
}

// Workers that come get their share of the work, and only that moves.
func TestWorkersJoin(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(10)
		w.start("w0")
		wait(time.Second)
		w.want("one", "w0:10+30")
		w.started()
		w.start("w1")
		wait(30 * time.Second)
		w.want("two", "w0:5+15 w1:5+15")
		if n := w.started(); n != 20 {
			t.Errorf("%d connectors and tasks moved to the second worker, want 20", n)
		}
		w.start("w2")
		wait(30 * time.Second)
		w.want("three", "w0:4+10 w1:3+10 w2:3+10")
		if n := w.started(); n != 13 {
			t.Errorf("%d connectors and tasks moved to the third worker, want 13", n)
		}
		for i := 3; i < 10; i++ {
			w.start(fmt.Sprintf("w%d", i))
		}
		wait(10 * time.Minute) // rounds that take work away wait longer and longer
		w.want("ten", "w0:1+3 w1:1+3 w2:1+3 w3:1+3 w4:1+3 w5:1+3 w6:1+3 w7:1+3 w8:1+3 w9:1+3")
	})
}

// A worker that leaves, and one that dies, are waited for as long as the maximum delay
// says; one that is back in time gets the work.
func TestLostWorkIsHeldBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(4)
		w.start("a")
		wait(time.Second)
		b, c := w.start("b"), w.start("c")
		wait(time.Minute)
		w.want("before", "a:2+4 b:1+4 c:1+4")
		w.started()

		b.stop()
		wait(4*time.Minute + 50*time.Second)
		w.want("b left", "a:2+4 c:1+4 missing:5")
		w.start("d")
		wait(9 * time.Second)
		w.want("d came", "a:2+4 c:1+4 d:0+0 missing:5")
		wait(2 * time.Second)
		w.want("the delay is over", "a:2+4 c:1+4 d:1+4")
		if n := w.started(); n != 5 {
			t.Errorf("%d connectors and tasks were started, want the 5 of the one that left", n)
		}

		c.kill()
		wait(5 * time.Minute) // less than a session and the delay
		w.want("c died", "a:2+4 d:1+4 missing:5")
		wait(15 * time.Second)
		w.want("nobody came", "a:2+6 d:2+6")
		if n := w.started(); n != 5 {
			t.Errorf("%d connectors and tasks were started, want the 5 of the one that died", n)
		}
	})
}

// Without a delay lost work goes to the others when the session ends.
func TestNoDelay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(4)
		noDelay := func(c *Config) { c.MaxDelay = -1 }
		w.start("a", noDelay)
		b := w.start("b", noDelay)
		wait(time.Minute)
		w.want("before", "a:2+6 b:2+6")
		b.kill()
		wait(9 * time.Second)
		w.want("within the session", "a:2+6 missing:8")
		wait(2 * time.Second)
		w.want("after the session", "a:4+12")
	})
}

// A new leader does not know what the old one had: it is assigned at once.
func TestLeaderDies(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(6)
		for _, name := range []string{"a", "b", "c"} {
			w.start(name)
			wait(10 * time.Second)
		}
		wait(time.Minute)
		w.want("before", "a:2+6 b:2+6 c:2+6")
		w.started()
		old := w.leader()
		old.kill()
		wait(15 * time.Second)
		if now := w.leader(); now == old {
			t.Fatal("the dead worker leads")
		}
		w.want("after", "b:3+9 c:3+9")
		if n := w.started(); n != 8 {
			t.Errorf("%d connectors and tasks were started, want the 8 of the one that died", n)
		}
	})
}

// A worker that comes back late gets what it had: what the others had before stays.
func TestLateWorkerGetsItsWorkBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(12)
		for _, name := range []string{"a", "b", "c"} {
			w.start(name)
			wait(10 * time.Second)
		}
		wait(time.Minute)
		w.want("before", "a:4+12 b:4+12 c:4+12")
		dead := w.leader()
		had := w.of(dead)
		dead.kill()
		wait(15 * time.Second)
		w.started()
		w.start("d")
		wait(time.Minute)
		if got := w.spread(); !strings.HasSuffix(got, " d:4+12") {
			t.Errorf("got %s, want d to have its share", got)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for item := range w.starts {
			if !had[item] {
				t.Errorf("%v was moved", item)
			}
		}
	})
}

// Connectors come, change and go without a touch to the work of others.
func TestConnectorsChange(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(6)
		for _, name := range []string{"a", "b", "c"} {
			w.start(name)
		}
		wait(time.Minute)
		w.want("before", "a:2+6 b:2+6 c:2+6")
		w.started()
		w.connector("new", 3)
		w.tell()
		wait(10 * time.Second)
		w.want("a connector more", "a:3+7 b:2+7 c:2+7")
		if n := w.started(); n != 4 {
			t.Errorf("%d connectors and tasks were started, want the new 4", n)
		}
		w.connector("new", 3) // another config
		w.tell()
		wait(10 * time.Second)
		if n := w.started(); n != 0 {
			t.Errorf("another config started %d connectors and tasks, want none: their owners see it", n)
		}
		w.connector("new", 0)
		w.tell()
		wait(10 * time.Second)
		w.want("a connector less", "a:2+6 b:2+6 c:2+6")
		if n := w.started(); n != 0 {
			t.Errorf("a deleted connector started %d others", n)
		}
	})
}

// A worker that cannot reach the coordinator has stopped its work before its session
// is over and others may have it.
func TestNoContact(t *testing.T) {
	for _, how := range []struct {
		name string
		lose func(*network)
	}{
		{"the network is cut", (*network).cut},
		{"packets vanish", func(n *network) { n.set(true) }},
	} {
		t.Run(how.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.fill(4)
				noDelay := func(c *Config) { c.MaxDelay = -1 }
				w.start("a", noDelay)
				b := w.start("b", noDelay)
				wait(time.Minute)
				w.want("before", "a:2+6 b:2+6")
				how.lose(&b.net)
				wait(4 * time.Second) // beats of 3 s: the last one may be 2.9 s old
				wait(2500 * time.Millisecond)
				w.want("half a session later", "a:2+6 missing:8")
				if b.last.LeaderID != "" {
					t.Errorf("the worker believes in the leader %s", b.last.LeaderID)
				}
				wait(9 * time.Second)
				w.want("its session is over", "a:4+12")
				b.net.mu.Lock()
				b.net.isCut = false
				b.net.mu.Unlock()
				b.net.set(false)
				wait(time.Minute)
				w.want("the network is back", "a:2+6 b:2+6")
			})
		})
	}
}

// A worker that waits for a rebalance to complete knows as well when it is cut off.
func TestNoContactWhileJoining(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(4)
		noDelay := func(c *Config) { c.MaxDelay = -1 }
		w.start("a", noDelay)
		wait(time.Second)
		b, c := w.start("b", noDelay), w.start("c", noDelay)
		wait(time.Minute)
		w.want("before", "a:2+4 b:1+4 c:1+4")
		c.net.set(true) // from here on the others wait for it, at most a session
		w.connector("new", 1)
		b.Rejoin("test")
		wait(time.Second) // b waits
		b.net.set(true)
		wait(7 * time.Second)
		w.want("both are cut off", "a:2+4 missing:12")
		wait(20 * time.Second) // b's began when the rebalance completed
		w.want("their sessions are over", "a:5+13")
	})
}

// A coordinator that is away for a moment is waited for; after half a session work
// stops, and goes on when the coordinator is back.
func TestCoordinatorRestarts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(4)
		w.start("a")
		wait(time.Second)
		w.start("b")
		wait(time.Minute)
		w.want("before", "a:2+6 b:2+6")
		w.started()
		w.stop()
		wait(500 * time.Millisecond)
		w.startBroker()
		wait(time.Minute)
		w.want("after a restart", "a:2+6 b:2+6")
		if n := w.started(); n != 0 {
			t.Errorf("a restart of the coordinator started %d connectors and tasks", n)
		}
		w.stop()
		wait(20 * time.Second)
		w.want("without a coordinator", "missing:16")
		w.startBroker()
		wait(6 * time.Minute)
		w.want("with one again", "a:2+6 b:2+6")
	})
}

// A leader that has read less of the config topic than others waits for it; one that
// cannot read it gives the lead away.
func TestLeaderLags(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(2)
		a := w.start("a")
		wait(time.Second)
		w.start("b")
		wait(time.Minute)
		old := w.snapshot()
		a.blind.Store(&old)
		w.connector("new", 2)
		w.tell()
		wait(2 * time.Second)
		w.want("the leader waits", "a:1+3 b:1+3 missing:3")
		a.blind.Store(nil)
		wait(2 * time.Second)
		w.want("it has read", "a:2+4 b:1+4")

		old = w.snapshot()
		a.blind.Store(&old)
		w.connector("newer", 2)
		w.tell()
		wait(20 * time.Second)
		w.want("it cannot read", "b:4+10")
		a.blind.Store(nil)
		wait(10 * time.Minute)
		w.want("it is back", "a:2+5 b:2+5")
	})
}

// Work that stops too slowly, or a process that was paused: the group went on without
// the worker, which stops everything and comes back as another member.
func TestForgottenMember(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fill(2)
		w.start("a")
		wait(time.Second)
		b := w.start("b")
		wait(time.Minute)
		w.want("before", "a:1+3 b:1+3")
		w.started()
		id := b.lease.identity()
		b.lease.grant(identity{id.member + "?", id.generation}) // as if it had been put out
		wait(4 * time.Second)
		if b.lives != 1 {
			t.Errorf("the worker was told %d times that it is in no group, want once", b.lives)
		}
		wait(6 * time.Minute)
		w.want("after", "a:1+3 b:1+3")
		if b.lease.identity().member == id.member {
			t.Error("the worker has its old id")
		}
	})
}

// A group of another type cannot be joined, whatever is tried.
func TestNotAGroupOfWorkers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		consumer, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(w.dial), kgo.DisableClientMetrics(),
			kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("t"), kgo.AllowAutoTopicCreation())
		if err != nil {
			t.Fatal(err)
		}
		defer consumer.Close()
		wait(10 * time.Second)
		a := w.start("a")
		wait(time.Second)
		select {
		case <-a.done:
		default:
			t.Fatal("the worker still tries")
		}
		if a.err == nil || !strings.Contains(a.err.Error(), "workers") {
			t.Errorf("Run: %v", a.err)
		}
	})
}

// Java workers with connect.protocol=compatible take the signatures away for all.
func TestCompatibleMember(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		wait(time.Second)
		b := w.start("b", func(c *Config) { c.Protocol = Compatible })
		wait(time.Minute)
		if a.last.Sessioned || b.last.Sessioned || a.Stats().Protocol != Compatible {
			t.Error("the group is sessioned, want compatible")
		}
		b.stop()
		wait(time.Minute)
		if !a.last.Sessioned {
			t.Error("the group is not sessioned any more")
		}
	})
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		change Config
		want   string
	}{
		{Config{Protocol: "eager"}, "connect.protocol=eager"},
		{Config{Protocol: "x"}, "connect.protocol=x"},
		{Config{HeartbeatInterval: 4 * time.Second}, "heartbeat.interval.ms=4000"},
		{Config{RebalanceTimeout: time.Second}, "rebalance.timeout.ms=1000"},
		{Config{MaxDelay: 1 << 60}, "scheduled.rebalance.max.delay.ms"},
	} {
		tt.change.GroupID = "g"
		if _, err := New(tt.change, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want an error about %s", tt.change, err, tt.want)
		}
	}
	if _, err := New(Config{}, nil); err == nil || !strings.Contains(err.Error(), "group.id") {
		t.Errorf("no group: got %v", err)
	}
}
