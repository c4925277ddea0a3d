package engine_test

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// TestStopWhileTasksAreMade stops a connector whose new config is being split, while the
// log takes its time for the stop: the tasks of the new config do not come after it, and
// the offsets can be changed.
func TestStopWhileTasksAreMade(t *testing.T) {
	enginetest.NoLeaks(t)
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	must(t, err)
	t.Cleanup(fake.Close)
	// While hold is set, the log takes a record about src in the time that release leaves it.
	var hold atomic.Bool
	held, release := make(chan struct{}), make(chan struct{})
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if carries(req.(*kmsg.ProduceRequest), "commit-src") && hold.CompareAndSwap(true, false) {
			held <- struct{}{}
			fake.SleepControl(func() { <-release })
		}
		return nil, nil, false
	})

	var splits atomic.Int32
	splitting, split := make(chan struct{}), make(chan struct{})
	h := &hooks{onSplit: func(int) []map[string]string {
		if n := splits.Add(1); n > 1 {
			splitting <- struct{}{}
			<-split
		}
		return []map[string]string{{"hooked.option": fmt.Sprint("split ", splits.Load())}}
	}}
	c := &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
	w := enginetest.Start(t, c, nil, h.plugin())
	w.Create(t, "src", conf(hookedClass, "hooked.password", "first"))
	w.Await(t, "src", engine.Running, engine.Running)
	_, _, err = w.PutConfig(t.Context(), "src", conf(hookedClass, "hooked.password", "second"))
	must(t, err)
	<-splitting
	hold.Store(true)
	stopped := make(chan error)
	go func() { stopped <- w.Worker.Stop(t.Context(), "src") }()
	<-held
	split <- struct{}{}
	// The connector is prepared, and its tasks come while the stop is under way.
	release <- struct{}{}
	must(t, <-stopped)
	w.Await(t, "src", engine.Stopped)
	_, err = w.ResetOffsets(t.Context(), "src")
	must(t, err)
	// Nor those that another worker has made, and sends to the leader.
	wantError(t, w.PutTasks(t.Context(), "src", []map[string]string{{"hooked.option": "late"}}), engine.KindConflict, "is stopped")
}

// carries tells whether a request produces a record with a text in it.
func carries(req *kmsg.ProduceRequest, text string) bool {
	for _, topic := range req.Topics {
		for _, p := range topic.Partitions {
			if bytes.Contains(p.Records, []byte(text)) {
				return true
			}
		}
	}
	return false
}
