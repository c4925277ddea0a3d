package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// TestTopicsRegex reads every topic that there is and those that come later, but
// neither the worker's own topics nor the log's.
func TestTopicsRegex(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	enginetest.Produce(t, c, numbered("in", 0, 0, 3)...)
	var got collector
	w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond },
		counting("out", 3, new(enginetest.Log)), enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
	w.Create(t, "snk", conf(enginetest.SinkClass, "topics.regex", ".*", "value.converter", "StringConverter"))
	got.await(t, texts(0, 3)...)
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 3 }, func() string { return "nothing was committed" })
	w.Create(t, "src", sourceConf("value.converter", "StringConverter")) // writes to out, connect-offsets and connect-status
	got.await(t, append(texts(0, 3), texts(0, 3)...)...)
	enginetest.Produce(t, c, numbered("last", 0, 9, 10)...)
	got.await(t, append(append(texts(0, 3), texts(0, 3)...), "9")...)
	var topics []string
	enginetest.Eventually(t, func() bool {
		var err error
		topics, err = w.Topics(t.Context(), "snk")
		return err == nil && len(topics) == 3
	}, func() string { return fmt.Sprint(topics) })
	if fmt.Sprint(topics) != "[in last out]" {
		t.Errorf("topics that were read: got %v", topics)
	}
	_, err := w.Worker.Create(t.Context(), "bad", conf(enginetest.SinkClass, "topics.regex", "a("), "")
	if err == nil || !strings.Contains(err.Error(), "Invalid value a( for configuration topics.regex: not a regular expression") {
		t.Errorf("a wrong pattern: got %v", err)
	}
}
