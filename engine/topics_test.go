package engine_test

import (
	"errors"
	"testing"

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
			w := enginetest.Start(t, enginetest.Fake(t), test.cfg)
			_, err := w.Topics(t.Context(), "src")
			wantForbidden(t, "list", err, test.list)
			wantForbidden(t, "reset", w.ResetTopics(t.Context(), "src"), test.reset)
		})
	}
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
