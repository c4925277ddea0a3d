package group

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func timeIn(d time.Duration) time.Time { return time.Now().Add(d) }

const week = 7 * 24 * time.Hour

// later lets time pass in steps, so that sessions can be kept alive.
func later(d time.Duration, each time.Duration, keep func()) {
	for end := timeIn(d); time.Now().Before(end); {
		<-time.After(min(each, time.Until(end)))
		keep()
	}
	synctest.Wait()
}

func nothing() {}

// Offsets of a group go when the retention has passed since its last member left,
// and the group with them; a restart does not start that anew.
func TestRetentionOfEmptyGroup(t *testing.T) {
	bubble(t, func(x *fixture) {
		a := x.client("a")
		a.joined(a.enter())
		x.wantSynced(a, a.sync(nil), "")
		x.wantErr("commit", a.commit(7), nil)
		<-time.After(5 * time.Second)
		x.wantErr("leave", a.leave(), nil)
		later(week-time.Hour, 24*time.Hour, nothing)
		x.reopen()
		if got, _ := fetch(x.Coordinator, "g"); len(got) != 1 {
			t.Fatalf("offsets %v before their time, want one", got)
		}
		later(2*time.Hour, time.Hour, nothing)
		for range 2 {
			if got, _ := fetch(x.Coordinator, "g"); len(got) != 0 || len(x.List()) != 0 {
				t.Errorf("offsets %v, groups %v, want none", got, x.List())
			}
			x.reopen()
		}
		if want := "offset g t-0: tombstone\ngroup g: tombstone\n"; !strings.HasSuffix(x.records(), want) {
			t.Errorf("records:\n%swant at their end:\n%s", x.records(), want)
		}
	})
}

// The offsets of a consumer without a group go one by one, since their commits.
func TestRetentionOfSimpleConsumer(t *testing.T) {
	bubble(t, func(x *fixture) {
		commit := func(partition int32) {
			err := x.Commit(CommitRequest{Group: "g", Generation: -1, Offsets: []Offset{{"t", partition, 1, -1, ""}}})
			x.wantErr("commit", err, nil)
		}
		commit(0)
		later(week/2, 24*time.Hour, nothing)
		commit(1)
		later(week/2+time.Hour, 24*time.Hour, nothing)
		if got, _ := fetch(x.Coordinator, "g"); len(got) != 1 || got[0].Partition != 1 {
			t.Errorf("offsets %v, want that of partition 1", got)
		}
		later(week/2, 24*time.Hour, nothing)
		if len(x.List()) != 0 {
			t.Errorf("groups %v, want none", x.List())
		}
	})
}

// As long as a group has members, only offsets of topics go that it does not
// subscribe to.
func TestRetentionWithMembers(t *testing.T) {
	for name, join := range map[string]func(x *fixture) (keep func()){
		"classic": func(x *fixture) func() {
			a := x.client("a")
			meta := kmsg.NewConsumerMemberMetadata()
			meta.Topics = []string{"t"}
			a.metadata, a.session = string(meta.AppendTo(nil)), 30*time.Minute
			a.joined(a.enter())
			x.wantSynced(a, a.sync(nil), "")
			return func() { x.wantErr("heartbeat", a.heartbeat(), nil) }
		},
		"consumer": func(x *fixture) func() {
			a := x.consumer("a", "t")
			a.must()
			return func() { a.must() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubbleWith(t, Config{InitialRebalanceDelay: -1, ConsumerSessionTimeout: 30 * time.Minute}, func(x *fixture) {
				err := x.Commit(CommitRequest{Group: "g", Generation: -1, Offsets: []Offset{{"t", 0, 1, -1, ""}, {"u", 0, 1, -1, ""}}})
				x.wantErr("commit", err, nil)
				keep := join(x)
				later(week+time.Hour, 20*time.Minute, keep)
				if got, _ := fetch(x.Coordinator, "g"); len(got) != 1 || got[0].Topic != "t" {
					t.Errorf("offsets %v, want that of the subscribed topic", got)
				}
			})
		})
	}
}

// What a crash between the deletion of a topic and that of its offsets leaves is
// removed at the next start, before a new topic of that name can inherit it.
func TestOffsetsOfMissingTopics(t *testing.T) {
	bubble(t, func(x *fixture) {
		err := x.Commit(CommitRequest{Group: "g", Generation: -1, Offsets: []Offset{{"u", 0, 1, -1, ""}, {"t", 0, 1, -1, ""}}})
		x.wantErr("commit", err, nil)
		if err := x.log.DeleteTopic("u"); err != nil {
			t.Fatal(err)
		}
		x.close()
		l, c := openBare(t, x.fs)
		if _, err := l.CreateTopic("u", 1, nil); err != nil {
			t.Fatal(err)
		}
		if got, _ := fetch(c, "g"); len(got) != 1 || got[0].Topic != "t" {
			t.Errorf("offsets %v, want only that of t", got)
		}
		c.Close()
		l.Close()
		x.open()
		err = x.Commit(CommitRequest{Group: "g", Generation: -1, Offsets: []Offset{{"missing", 0, 1, -1, ""}}})
		if err == nil {
			t.Error("an offset of a topic that is not there was committed")
		}
	})
}
