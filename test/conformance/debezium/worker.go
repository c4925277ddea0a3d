package debezium

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A Worker is where connectors run: Kafka Connect's or Sluice's own.
type Worker struct {
	REST  string // URL
	Kafka string // bootstrap server
	// Quiet is how long nothing may come before a snapshot, or all of a run, counts as
	// finished. 0: the connector's committed offset tells, which is durable together with
	// the records before it. Kafka Connect's offsets say less.
	Quiet time.Duration
	// Avro are the options of a converter that writes Avro, without key.converter or
	// value.converter before them, and Schema is how to look up what it has registered.
	Avro   map[string]string
	Schema func(id int) (string, error)
}

// put creates or changes a connector.
func (w *Worker) put(ctx context.Context, name string, config map[string]string) error {
	body, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encode the config of %s: %w", name, err)
	}
	_, err = w.request(ctx, http.MethodPut, "/connectors/"+name+"/config", body)
	return err
}

func (w *Worker) delete(ctx context.Context, name string) error {
	_, err := w.request(ctx, http.MethodDelete, "/connectors/"+name, nil)
	return err
}

func (w *Worker) restart(ctx context.Context, name string) error {
	_, err := w.request(ctx, http.MethodPost, "/connectors/"+name+"/tasks/0/restart", nil)
	return err
}

// set stops a connector, or resumes it.
func (w *Worker) set(ctx context.Context, name, state string) error {
	_, err := w.request(ctx, http.MethodPut, "/connectors/"+name+"/"+state, nil)
	return err
}

// offset returns a connector's committed offset.
func (w *Worker) offset(ctx context.Context, name string) (offset, error) {
	text, err := w.request(ctx, http.MethodGet, "/connectors/"+name+"/offsets", nil)
	if err != nil {
		return offset{}, err
	}
	var all struct{ Offsets []struct{ Offset offset } }
	if err := json.Unmarshal(text, &all); err != nil {
		return offset{}, fmt.Errorf("read the offsets of %s: %w", name, err)
	}
	if len(all.Offsets) != 1 {
		return offset{}, fmt.Errorf("connector %s has the offsets %s", name, text)
	}
	return all.Offsets[0].Offset, nil
}

// offset is what a committed offset of Sluice's source says: where the last transaction
// ends that was read, or a place behind it where there was nothing more.
type offset struct {
	End int64 `json:"sluice_end_lsn"`
	// What is not finished: a transaction, snapshots, signals that wait.
	Commit      int64           `json:"sluice_commit_lsn"`
	Snapshot    json.RawMessage `json:"sluice_snapshot"`
	Incremental json.RawMessage `json:"sluice_incremental"`
	Signals     json.RawMessage `json:"sluice_signals"`
}

// behind tells whether everything that the server wrote up to an LSN was read, and
// nothing is to be read besides.
func (o *offset) behind(lsn int64) bool {
	return o.End >= lsn && o.Commit == 0 && len(o.Snapshot)+len(o.Incremental)+len(o.Signals) == 0
}

// failure returns what made a connector's task fail, nil while it has not.
func (w *Worker) failure(ctx context.Context, name string) error {
	text, err := w.request(ctx, http.MethodGet, "/connectors/"+name+"/status", nil)
	if err != nil {
		return nil // it is not there yet
	}
	type state struct{ State, Trace string }
	var status struct {
		Connector state
		Tasks     []state
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return fmt.Errorf("read the status of %s: %w", name, err)
	}
	for _, s := range append(status.Tasks, status.Connector) {
		if s.State == "FAILED" {
			return &failedError{name, s.Trace}
		}
	}
	return nil
}

// failedError says that a connector has failed: nothing more will come of it.
type failedError struct{ connector, trace string }

func (e *failedError) Error() string {
	return fmt.Sprintf("connector %s has failed: %s", e.connector, e.trace)
}

func (w *Worker) request(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.REST+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	return text, err
}

// Ready waits until the worker answers.
func (w *Worker) Ready(ctx context.Context) error {
	return until(ctx, func() error {
		_, err := w.request(ctx, http.MethodGet, "/connectors", nil)
		return err
	})
}

// patience is how long anything may take that a run waits for.
const patience = 60 * time.Second

// until polls until check returns nil, and returns its last error otherwise. It ends
// when the connector has failed.
func until(ctx context.Context, check func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		var failed *failedError
		if err == nil || errors.As(err, &failed) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
