package s3

import (
	"net/http"
	"testing"
	"time"
)

// wantOffer wants the next Prepare to offer everything before an offset.
func (h *harness) wantOffer(want int64) {
	h.t.Helper()
	if states := h.prepare(); len(states) != 1 || states[0].Offset != want {
		h.t.Fatalf("Prepare returns %+v, want offset %d", states, want)
	}
}

// TestAsksWhenAGroupIsSent wants the sink to ask for Prepare when, and not before, the last part of a full group has arrived: that Prepare offers it.
func TestAsksWhenAGroupIsSent(t *testing.T) {
	srv := newServer(t)
	hold := make(chan struct{})
	h := mustOpen(t, srv, ledger{}, exactlyOnceConfig)
	srv.inject("part", -1, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		if r.URL.Query().Get("partNumber") == "2" {
			<-hold
		}
		s3.ServeHTTP(w, r)
	})
	h.write(rawBatch(0, 0, 4, 2*unit)) // two parts, of which the second waits
	h.poll("the first part", func() bool {
		h.sink.collect()
		return h.sink.steps == 1
	})
	select {
	case <-h.asked:
		t.Fatal("the sink asks for Prepare while a part is on its way")
	default:
	}
	close(hold)
	h.awaitAsked("its last part has arrived")
	h.wantOffer(4)
}

// TestAsksAtTheAge wants the sink to ask when the first of its files is old enough, however far the last is from it.
func TestAsksAtTheAge(t *testing.T) {
	for name, changes := range map[string]map[string]string{
		"age":  {"rotate.max.age.ms": "20"},
		"idle": {"rotate.max.age.ms": "3600000", "rotate.idle.ms": "20"},
	} {
		t.Run(name, func(t *testing.T) {
			h := mustOpen(t, newServer(t), ledger{}, changes)
			h.write(rawBatch(0, 0, 1, 20))
			h.awaitAsked("the " + name)
			if states := h.prepare(); len(states) > 0 { // it was early: by the clock of the test no time has passed
				t.Fatalf("Prepare returns %+v", states)
			}
			h.clock = h.clock.Add(20 * time.Millisecond)
			h.awaitAsked("the " + name + ", once more") // which Prepare has set anew
			h.prepare()
			h.awaitAsked("the file has arrived")
			h.wantOffer(1)
		})
	}
}

// TestDoesNotAskForNothing wants no request for Prepare from parts of files that stay open, nor from objects that have become visible.
func TestDoesNotAskForNothing(t *testing.T) {
	h := mustOpen(t, newServer(t), ledger{}, map[string]string{"flush.size": "4", "s3.part.size": smallParts, "rotate.max.age.ms": "-1"})
	h.write(rawBatch(0, 0, 3, 3*unit))
	h.poll("a part", func() bool {
		h.sink.collect()
		return h.sink.steps == 0
	})
	if len(h.asked) > 0 {
		t.Error("the sink asks for Prepare after a part of an open file")
	}
	h.write(rawBatch(0, 3, 4, 20))
	h.awaitAsked("flush.size")
	h.wantOffer(4)
	if err := h.sink.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(h.asked) > 0 {
		t.Error("the sink asks for Prepare after Apply")
	}
}

// TestEarliestEnds has the rules that end a group by time, together.
func TestEarliestEnds(t *testing.T) {
	opened := time.Unix(1000, 0)
	g := newGroup(opened)
	g.last = opened.Add(time.Minute)
	for _, test := range []struct {
		name string
		r    rotation
		due  time.Time
		want time.Time
	}{
		{"no rule", rotation{maxAge: -1}, time.Time{}, time.Time{}},
		{"age", rotation{maxAge: 5 * time.Minute}, time.Time{}, opened.Add(5 * time.Minute)},
		{"an age of 0", rotation{}, time.Time{}, opened},
		{"idle", rotation{maxAge: -1, idle: time.Second}, time.Time{}, opened.Add(61 * time.Second)},
		{"schedule", rotation{maxAge: -1}, opened.Add(time.Hour), opened.Add(time.Hour)},
		{"all", rotation{maxAge: 5 * time.Minute, idle: 2 * time.Minute}, opened.Add(time.Hour), opened.Add(3 * time.Minute)},
		{"all, the schedule first", rotation{maxAge: 5 * time.Minute, idle: 2 * time.Minute}, opened.Add(time.Second), opened.Add(time.Second)},
	} {
		g.due = test.due
		if got := test.r.ends(g); !got.Equal(test.want) {
			t.Errorf("%s: ends at %s, want %s", test.name, got, test.want)
		}
		if test.want.IsZero() {
			continue
		}
		if test.r.old(g, test.want.Add(-1)) || !test.r.old(g, test.want) {
			t.Errorf("%s: is not old from %s on", test.name, test.want)
		}
	}
}

// TestIdleCountsFromTheLastRecord has a file that is older than rotate.idle.ms and got a record since.
func TestIdleCountsFromTheLastRecord(t *testing.T) {
	h := mustOpen(t, newServer(t), ledger{}, map[string]string{"rotate.max.age.ms": "3600000", "rotate.idle.ms": "20"})
	h.write(rawBatch(0, 0, 1, 20))
	for offset, step := range []struct {
		wait time.Duration
		open bool
	}{{15, true}, {15, true}, {20, false}} {
		h.clock = h.clock.Add(step.wait * time.Millisecond)
		h.prepare()
		if open := h.sink.partitions[tp(0)].open != nil; open != step.open {
			t.Fatalf("step %d: the file is open: %v, want %v", offset, open, step.open)
		}
		if step.open {
			h.write(rawBatch(0, int64(offset)+1, int64(offset)+2, 20))
		}
	}
}

// TestScheduleWhereMidnightIsLeftOut has zones that put their clocks forward at midnight, so that a day begins later, and one that has left a whole day out.
func TestScheduleWhereMidnightIsLeftOut(t *testing.T) {
	for _, test := range []struct {
		zone, now, want string
		schedule        time.Duration
	}{
		{"America/Santiago", "2026-09-05T22:30:00-04:00", "2026-09-05T23:00:00-04:00", time.Hour},
		{"America/Santiago", "2026-09-05T23:30:00-04:00", "2026-09-06T01:00:00-03:00", time.Hour},
		{"America/Santiago", "2026-09-05T23:30:00-04:00", "2026-09-06T01:00:00-03:00", 7 * time.Hour},
		{"America/Santiago", "2026-09-06T05:10:00-03:00", "2026-09-06T07:00:00-03:00", 2 * time.Hour},
		{"America/Santiago", "2026-09-06T23:30:00-03:00", "2026-09-07T00:00:00-03:00", 5 * time.Hour},
		{"Africa/Cairo", "2026-04-23T23:59:00+02:00", "2026-04-24T01:00:00+03:00", time.Hour},
		{"Pacific/Apia", "2011-12-29T23:30:00-10:00", "2011-12-31T00:00:00+14:00", time.Hour},
		{"Europe/Berlin", "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", time.Hour},
		{"America/Havana", "2026-11-01T00:30:00-04:00", "2026-11-01T00:00:00-05:00", time.Hour},
	} {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		got := rotation{schedule: test.schedule, zone: zone}.next(now)
		if text := got.In(zone).Format(time.RFC3339); text != test.want {
			t.Errorf("%s at %s, every %s: next at %s, want %s", test.zone, test.now, test.schedule, text, test.want)
		}
	}
}
