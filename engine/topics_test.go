package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// The list of used topics can be switched off, or kept from being emptied (KIP-558).
func TestTopicTrackingSwitches(t *testing.T) {
	for _, test := range []struct {
		name        string
		cfg         func(*engine.Config)
		list, reset string // errors
	}{
		{"on", func(*engine.Config) {}, "", ""},
		{"no reset", func(c *engine.Config) { c.TopicResetDisabled = true }, "", "Topic tracking reset is disabled."},
		{"off", func(c *engine.Config) { c.TopicTrackingDisabled = true }, "Topic tracking is disabled.", "Topic tracking is disabled."},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := enginetest.Fake(t)
			var log enginetest.Log
			w := enginetest.Start(t, c, test.cfg, counting("out", 1, &log))
			w.Create(t, "src", sourceConf())
			enginetest.Eventually(t, caughtUp(&log, 1), func() string { return fmt.Sprint(log.Events()) })
			_, err := w.Topics(t.Context(), "src")
			wantForbidden(t, "list", err, test.list)
			wantForbidden(t, "reset", w.ResetTopics(t.Context(), "src"), test.reset)
			w.Stop(t) // which writes what is left of the status topic
			if noted, want := trackedTopics(t, c), test.list == ""; noted != want {
				t.Errorf("the status topic has noted a topic: %t, want %t", noted, want)
			}
		})
	}
}

// trackedTopics tells whether the status topic has a record of a topic in use.
func trackedTopics(t *testing.T, c *enginetest.Cluster) bool {
	t.Helper()
	admin := kadm.NewClient(enginetest.Client(t, c))
	ends, err := admin.ListEndOffsets(t.Context(), "connect-status")
	must(t, err)
	total := int64(0)
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	return slices.ContainsFunc(enginetest.Consume(t, c, "connect-status", int(total)), func(r *kgo.Record) bool {
		return strings.HasPrefix(string(r.Key), "status-topic-out")
	})
}

// wantForbidden checks for an error of the kind that is answered 403, or for none.
func wantForbidden(t *testing.T, what string, err error, want string) {
	t.Helper()
	e, _ := errors.AsType[*engine.Error](err)
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (e == nil || e.Kind != engine.KindForbidden || e.Message != want):
		t.Errorf("%s: got %v, want %q", what, err, want)
	}
}
