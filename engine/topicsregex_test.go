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

// TestTopicsRegexOfJava has patterns with look-around and what only Java means by
// them: topics that are there and those that come later.
func TestTopicsRegexOfJava(t *testing.T) {
	for _, pattern := range []string{`(?!in-bad|connect-).*-\p{Lower}+`, `[a-z&&[^x]]++-(?:good|late)`, `(in)-(?:(?<=in-)good|(?<=in-)late)`} {
		t.Run(pattern, func(t *testing.T) {
			c, _ := embedded(t, t.TempDir())
			for i, topic := range []string{"in-bad", "x-bad0", "in-good", "in-GOOD0"} {
				enginetest.Produce(t, c, numbered(topic, 0, 10*i, 10*i+2)...)
			}
			var got collector
			w := enginetest.Start(t, c, func(cfg *engine.Config) { cfg.OffsetFlushInterval = 20 * time.Millisecond },
				enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{OnWrite: got.write} }))
			w.Create(t, "snk", conf(enginetest.SinkClass, "topics.regex", pattern, "value.converter", "StringConverter", "consumer.override.metadata.max.age.ms", "250"))
			got.await(t, "20", "21")
			enginetest.Produce(t, c, numbered("in-late", 0, 50, 52)...)
			got.await(t, "20", "21", "50", "51")
			enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in-late", 0) == 2 }, func() string { return "nothing was committed" })
		})
	}
}

// TestTopicsRegexThatTakesTooLong fails the task, with the topic's name (I5).
func TestTopicsRegexThatTakesTooLong(t *testing.T) {
	c, _ := embedded(t, t.TempDir())
	enginetest.Produce(t, c, numbered(strings.Repeat("a", 60)+"b", 0, 0, 1)...)
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink { return &enginetest.Sink{} }))
	w.Create(t, "snk", conf(enginetest.SinkClass, "topics.regex", `(?=a)(a+a+)+`, "auto.restart.enable", "false"))
	status := w.Await(t, "snk", engine.Running, engine.Failed)
	if want := "match topics.regex with the topic aaaa"; !strings.Contains(status.Tasks[0].Trace, want) {
		t.Errorf("trace: got %q, want %q", status.Tasks[0].Trace, want)
	}
}
