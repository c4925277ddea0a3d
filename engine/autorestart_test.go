package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
)

// failing returns a plugin whose sources fail to open for as long as broken says.
func failing(broken *atomic.Bool, opens *atomic.Int32) connect.Spec {
	return enginetest.SourcePlugin(func() connect.Source {
		return &enginetest.Source{OnOpen: func(context.Context, connect.SourceContext) error {
			if n := opens.Add(1); broken.Load() {
				return fmt.Errorf("attempt %d failed", n)
			}
			return nil
		}}
	})
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// bubble runs a worker on the real log with time that passes at once.
func bubble(t *testing.T, change func(*engine.Config), plugins []connect.Spec, f func(*testing.T, *enginetest.Worker)) {
	synctest.Test(t, func(t *testing.T) {
		c, stop := embedded(t, t.TempDir())
		w := enginetest.Start(t, c, change, plugins...)
		<-w.Ready()
		f(t, w)
		w.Stop(t)
		stop()
	})
}

func TestFailedTaskRestartsItself(t *testing.T) {
	var broken atomic.Bool
	var opens atomic.Int32
	broken.Store(true)
	bubble(t, nil, []connect.Spec{failing(&broken, &opens)}, func(t *testing.T, w *enginetest.Worker) {
		started := time.Now()
		w.Create(t, "src", sourceConf())
		status := w.Await(t, "src", engine.Running, engine.Failed)
		restart := status.Tasks[0].AutoRestart
		if restart == nil || restart.Count != 0 || restart.NextAttempt == nil || restart.LastError != "open the source: attempt 1 failed" {
			t.Fatalf("status: %+v", restart)
		}
		if d := restart.NextAttempt.Sub(started); d < 10*time.Second || d > 12*time.Second {
			t.Errorf("first restart after %s, want about 10 s", d)
		}
		// 10, 20, 40, 80, 160, 320, 600 s and up to a tenth more
		for time.Since(started) < 23*time.Minute {
			pass(time.Second)
		}
		synctest.Wait()
		if n := opens.Load(); n != 8 {
			t.Errorf("%d attempts in 23 minutes, want 8", n)
		}
		status = w.Await(t, "src", engine.Running, engine.Failed)
		if got := status.Tasks[0].AutoRestart.Count; got != 7 {
			t.Errorf("count %d, want 7", got)
		}
		broken.Store(false)
		pass(11 * time.Minute)
		status = w.Await(t, "src", engine.Running, engine.Running)
		if a := status.Tasks[0].AutoRestart; a != nil && (a.Count != 8 || a.NextAttempt != nil) {
			t.Errorf("after it works: %+v", a)
		}
		pass(10 * time.Minute)
		if status, err := w.TaskStatus(t.Context(), engine.TaskID{Connector: "src"}); err != nil || status.AutoRestart != nil {
			t.Errorf("after it has worked for a while: %+v, %v", status.AutoRestart, err)
		}
	})
}

// TestRestartByHand ends the wait and starts counting anew.
func TestRestartByHand(t *testing.T) {
	var broken atomic.Bool
	var opens atomic.Int32
	broken.Store(true)
	bubble(t, nil, []connect.Spec{failing(&broken, &opens)}, func(t *testing.T, w *enginetest.Worker) {
		w.Create(t, "src", sourceConf())
		w.Await(t, "src", engine.Running, engine.Failed)
		pass(35 * time.Second)
		must(t, w.RestartTask(t.Context(), engine.TaskID{Connector: "src"}))
		enginetest.Eventually(t, func() bool { return opens.Load() == 4 }, func() string { return "it was not restarted" })
		status := w.Await(t, "src", engine.Running, engine.Failed)
		if a := status.Tasks[0].AutoRestart; a.Count != 0 {
			t.Errorf("after a restart by hand: %+v", a)
		}
		must(t, w.Worker.Stop(t.Context(), "src"))
		before := opens.Load()
		pass(2 * time.Minute) // the next attempt would come after ten seconds
		if opens.Load() != before {
			t.Error("a stopped connector was restarted")
		}
	})
}

func TestAutoRestartCanBeSwitchedOff(t *testing.T) {
	for name, off := range map[string]struct {
		worker bool
		config []string
	}{
		"by the worker": {true, nil}, "by the connector": {false, []string{"auto.restart.enable", "False"}},
	} {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Bool
			var opens atomic.Int32
			broken.Store(true)
			bubble(t, func(c *engine.Config) { c.AutoRestartDisabled = off.worker }, []connect.Spec{failing(&broken, &opens)}, func(t *testing.T, w *enginetest.Worker) {
				w.Create(t, "src", sourceConf(off.config...))
				status := w.Await(t, "src", engine.Running, engine.Failed)
				text, err := json.Marshal(status)
				if err != nil || strings.Contains(string(text), "auto_restart") {
					t.Errorf("status %s, %v", text, err)
				}
				pass(2 * time.Minute) // the next attempt would come after ten seconds
				if n := opens.Load(); n != 1 {
					t.Errorf("%d attempts, want 1", n)
				}
			})
		})
	}
}

// TestFailedConnectorRestartsItself fails where tasks are made.
func TestFailedConnectorRestartsItself(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	h := &hooks{onSplit: func(int) []map[string]string {
		if broken.Load() {
			panic(errors.New("no tasks yet"))
		}
		return make([]map[string]string, 1)
	}}
	bubble(t, nil, []connect.Spec{h.plugin()}, func(t *testing.T, w *enginetest.Worker) {
		w.Create(t, "src", conf(hookedClass))
		status := w.Await(t, "src", engine.Failed)
		if a := status.AutoRestart; a == nil || !strings.Contains(a.LastError, "no tasks yet") {
			t.Errorf("status: %+v", a)
		}
		checkReadsAsStrings(t, status)
		broken.Store(false)
		pass(12 * time.Second)
		w.Await(t, "src", engine.Running, engine.Running)
	})
}

// checkReadsAsStrings reads the connector's part of a status as a map of strings, as
// the clients of AKHQ and of the Terraform provider do.
func checkReadsAsStrings(t *testing.T, status engine.ConnectorStatus) {
	t.Helper()
	text, err := json.Marshal(status)
	must(t, err)
	var read struct {
		Connector map[string]string `json:"connector"`
	}
	if err := json.Unmarshal(text, &read); err != nil || read.Connector["state"] != "FAILED" {
		t.Errorf("clients cannot read %s: %v", text, err)
	}
}
