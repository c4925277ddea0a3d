package engine

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// TestDeposedLeaderCannotWrite lets two workers believe that they lead: what the
// first writes after the second has claimed the config topic is refused.
func TestDeposedLeaderCannotWrite(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	leader := func() *Worker {
		w, err := New(Config{BootstrapServers: c.ListenAddrs(), ExactlyOnceSource: ExactlyOnceEnabled, Group: GroupConfig{URL: "http://w:8083/"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.stores.connect(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.close)
		if err := w.stores.open(ctx); err != nil {
			t.Fatal(err)
		}
		following := make(chan struct{})
		go func() { defer close(following); w.stores.follower.run(ctx) }()
		t.Cleanup(func() { <-following })
		t.Cleanup(w.stores.lead.release)
		w.group.setPlace(place{joined: true, leader: true, generation: 1})
		return w
	}
	first, second := leader(), leader()
	if err := first.stores.configs.putConnector(ctx, "a", map[string]string{"by": "first"}, ""); err != nil {
		t.Fatal(err)
	}
	if err := second.stores.lead.claim(ctx); err != nil {
		t.Fatal(err)
	}
	if got, _ := second.stores.configs.connector("a"); got.config["by"] != "first" {
		t.Errorf("the new leader has not read what the old one wrote: %v", got.config)
	}
	if err := first.stores.configs.putConnector(ctx, "a", map[string]string{"by": "deposed"}, ""); !errors.Is(err, ErrNotLeader) {
		t.Errorf("the deposed leader's write: %v, want %v", err, ErrNotLeader)
	}
	if err := first.stores.lead.claim(ctx); !errors.Is(err, ErrNotLeader) {
		t.Errorf("the deposed leader claims the topic again without being assigned: %v", err)
	}
	if err := second.stores.configs.putConnector(ctx, "b", nil, ""); err != nil {
		t.Fatal(err)
	}
	if got, _ := second.stores.configs.connector("a"); got.config["by"] != "first" {
		t.Errorf("the deposed leader has written: %v", got.config)
	}
	first.group.setPlace(place{joined: true, leader: true, generation: 2}) // leads once more
	if err := first.stores.configs.putConnector(ctx, "a", map[string]string{"by": "leader again"}, ""); err != nil {
		t.Errorf("a leader of a newer generation: %v", err)
	}
}
