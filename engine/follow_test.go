package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// following starts a worker with a source and returns what the source got.
func following(t *testing.T, c *enginetest.Cluster) (*enginetest.Worker, connect.SourceContext) {
	t.Helper()
	got := make(chan connect.SourceContext, 1)
	w := enginetest.Start(t, c, quick, enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{OnOpen: func(_ context.Context, sc connect.SourceContext) error {
			select {
			case got <- sc:
			default:
			}
			return nil
		}}
	}))
	w.Create(t, "src", sourceConf())
	return w, <-got
}

func signals(topic string, values ...string) []*kgo.Record {
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(v)})
	}
	return records
}

// nextOf reads n records as offset=value.
func nextOf(t *testing.T, f connect.Follower, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), enginetest.Patience)
	defer cancel()
	var got []string
	for range n {
		r, err := f.Next(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		got = append(got, fmt.Sprintf("%d=%s", r.Offset, r.Value))
	}
	return strings.Join(got, " ")
}

// TestFollow reads a topic that does not exist at first, and again from each place that
// a follower can be asked for.
func TestFollow(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	_, sc := following(t, c)
	follow := func(offset int64, group string, settings ...string) connect.Follower {
		f := connect.Follow{Topic: "signals", Offset: offset, Group: group, Prefix: "signal.consumer.", Settings: map[string]string{}}
		for i := 0; i < len(settings); i += 2 {
			f.Settings[settings[i]] = settings[i+1]
		}
		got, err := sc.Follow(f)
		must(t, err)
		return got
	}
	first := follow(-1, "readers", "auto.offset.reset", "latest", "enable.auto.commit", "true")
	missing, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := first.Next(missing); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a topic that is missing: got %v, want the end of the context", err)
	}
	enginetest.Produce(t, c, signals("signals", "a", "b", "c")...)
	if got := nextOf(t, first, 3); got != "0=a 1=b 2=c" {
		t.Errorf("a topic that comes later: got %s", got)
	}
	first.Commit(2)
	first.Close()
	first.Close()
	if _, err := first.Next(t.Context()); !errors.Is(err, connect.ErrFollowerClosed) {
		t.Errorf("after Close: got %v", err)
	}
	if at := committed(t, c, "readers", "signals", 0); at != 2 {
		t.Errorf("the group is at %d, want 2", at)
	}
	for _, test := range []struct {
		offset int64
		group  string
		reset  string
		want   string
	}{
		{-1, "readers", "earliest", "2=c"},
		{-1, "others", "earliest", "0=a"},
		{-1, "", "earliest", "0=a"},
		{1, "readers", "latest", "1=b"},
		{99, "readers", "earliest", "0=a"}, // cut, or made anew
	} {
		f := follow(test.offset, test.group, "auto.offset.reset", test.reset)
		if got := nextOf(t, f, 1); got != test.want {
			t.Errorf("from %d, group %q, %s: got %s, want %s", test.offset, test.group, test.reset, got, test.want)
		}
		f.Close()
	}
	last := follow(-1, "", "auto.offset.reset", "latest")
	for got := ""; got == ""; { // what is written before it knows the end is not for it
		enginetest.Produce(t, c, signals("signals", "d")...)
		soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if r, err := last.Next(soon); err == nil {
			got = string(r.Value)
		}
		cancel()
		if got != "" && got != "d" {
			t.Errorf("from the end: got %s", got)
		}
	}
}

// TestFollowEnds wants followers to end with the source that left them open, and Next
// with Close.
func TestFollowEnds(t *testing.T) {
	enginetest.NoLeaks(t)
	c, _ := embedded(t, t.TempDir())
	w, sc := following(t, c)
	f, err := sc.Follow(connect.Follow{Topic: "signals", Offset: -1, Group: "readers"})
	must(t, err)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, err := f.Next(context.WithoutCancel(t.Context())); !errors.Is(err, connect.ErrFollowerClosed) {
			t.Errorf("Next: got %v", err)
		}
	})
	must(t, w.Delete(t.Context(), "src"))
	waiting.Wait()
}

// TestFollowElsewhere reads a topic of another cluster, and wants one that is away to
// hold nobody up (I5).
func TestFollowElsewhere(t *testing.T) {
	here, _ := embedded(t, t.TempDir())
	there, addr := another(t, nil)
	w, sc := following(t, here)
	enginetest.Produce(t, here, signals("signals", "here")...)
	enginetest.Produce(t, there, signals("signals", "there")...)
	f, err := sc.Follow(connect.Follow{Topic: "signals", Offset: -1, Settings: map[string]string{"bootstrap.servers": addr}})
	must(t, err)
	if got := nextOf(t, f, 1); got != "0=there" {
		t.Errorf("got %s", got)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, ln.Close())
	away, err := sc.Follow(connect.Follow{Topic: "signals", Offset: -1, Group: "readers", Settings: map[string]string{"bootstrap.servers": ln.Addr().String()}})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := away.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cluster that is away: got %v", err)
	}
	away.Commit(1)
	must(t, w.Delete(t.Context(), "src"))
}

// TestFollowRefuses wants settings that are wrong to be named as the user knows them,
// without their secrets (I6), and an end to the number of topics (I5).
func TestFollowRefuses(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	_, sc := following(t, c)
	for _, test := range []struct{ name, value, want string }{
		{"auto.offset.reset", "sometimes", "signal.consumer.auto.offset.reset"},
		{"bootstrap.servers", "nowhere", "signal.consumer.bootstrap.servers"},
		{"security.protocol", "SASL_SSL", "signal.consumer.security.protocol"},
		{"sasl.jaas.config", "x password=\"hunter2\";", ""},
	} {
		settings := map[string]string{test.name: test.value}
		if test.want == "" {
			settings["security.protocol"], settings["sasl.mechanism"], settings["bootstrap.servers"] = "SASL_PLAINTEXT", "PLAIN", "127.0.0.1:1"
		}
		_, err := sc.Follow(connect.Follow{Topic: "signals", Prefix: "signal.consumer.", Settings: settings})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	if _, err := sc.Follow(connect.Follow{}); err == nil {
		t.Error("a topic without a name is followed")
	}
	for i := 0; ; i++ {
		if _, err := sc.Follow(connect.Follow{Topic: "signals", Offset: -1}); err != nil {
			if i != 16 {
				t.Errorf("after %d topics: %v", i, err)
			}
			return
		}
	}
}
