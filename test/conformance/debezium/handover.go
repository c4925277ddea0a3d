package debezium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// handoverTables are what a handover begins with.
const handoverTables = `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE ignored (id int);
	INSERT INTO t VALUES (-2, 'there before'), (-1, 'there before')`

// A HandoverRound is a name and what is done to the tables, by session and statement:
// while Debezium reads them, and while the other worker does.
type HandoverRound struct {
	Name         string
	Steps, Other [][2]string
	// Fails: Debezium's task fails at a row that is too large for its producer, and so
	// stops inside of a transaction. What it has sent before is in its offset.
	Fails bool
}

// rowLimit is how many bytes a record may have in a round that fails.
const rowLimit = 8000

// ReadHandover reads the rounds of handover.sql.
func ReadHandover(testdata string) ([]HandoverRound, error) {
	text, err := os.ReadFile(filepath.Join(testdata, "handover.sql"))
	if err != nil {
		return nil, err
	}
	var rounds []HandoverRound
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		name, isRound := strings.CutPrefix(line, "-- round ")
		statement, other := strings.CutPrefix(line, "other ")
		session, sql, _ := strings.Cut(statement, " ")
		switch {
		case isRound:
			rounds = append(rounds, HandoverRound{Name: name})
		case strings.HasPrefix(line, "--") || line == "":
		case len(rounds) == 0:
			return nil, fmt.Errorf("the statement %q is before any round", line)
		case line == "fails":
			rounds[len(rounds)-1].Fails = true
		case other:
			r := &rounds[len(rounds)-1]
			r.Other = append(r.Other, [2]string{session, sql})
		default:
			r := &rounds[len(rounds)-1]
			r.Steps = append(r.Steps, [2]string{session, sql})
		}
	}
	return rounds, nil
}

// HandoverStop is what Debezium has left when it was stopped after a round.
type HandoverStop struct {
	Round  string          `json:"round"`
	Events int             `json:"events"` // of the table t so far, tombstones included
	Offset json.RawMessage `json:"offset"`
}

// HandoverEvent is a record of a table.
type HandoverEvent struct {
	Text string `json:"text"` // op, before and after
	LSN  int64  `json:"lsn"`
	// Sequence is of Debezium: the end of the last transaction, and LSN.
	Sequence string `json:"sequence"`
}

// Handover is what came of the rounds.
type Handover struct {
	Stops   []HandoverStop  `json:"stops"`
	Events  []HandoverEvent `json:"events"`
	Markers []HandoverEvent `json:"markers"` // of the table that says how far the log is
}

// PlayHandover plays the rounds with Debezium in a worker of Kafka Connect. After each it
// is stopped, and Sluice's worker goes on from its offset with a row of its own; then
// Debezium goes on from Sluice's. Both write to the same topics.
func PlayHandover(ctx context.Context, java, sluice *Worker, pg *Postgres, testdata string) (*Handover, error) {
	rounds, err := ReadHandover(testdata)
	if err != nil {
		return nil, err
	}
	r := &run{scenario: &Scenario{Name: "handover", Config: map[string]string{"table.include.list": "public.t,public.zz_marker"}},
		worker: java, pg: pg, sessions: make(map[string]*pgx.Conn)}
	defer r.close()
	if err := r.freshDatabase(ctx); err != nil {
		return nil, err
	}
	if err := r.exec(ctx, Step{SQL: handoverTables}); err != nil {
		return nil, err
	}
	if r.log, err = newLogReader(java.Kafka, r.scenario, nil); err != nil {
		return nil, err
	}
	h := &handover{run: r}
	if err := java.put(ctx, r.scenario.Name, r.config()); err != nil {
		return nil, err
	}
	defer java.delete(ctx, r.scenario.Name)
	defer sluice.delete(ctx, r.scenario.Name)
	for i, round := range rounds {
		h.fails = i+1 < len(rounds) && rounds[i+1].Fails
		if err := h.round(ctx, i, round, java, sluice); err != nil {
			return nil, fmt.Errorf("round %s: %w", round.Name, err)
		}
	}
	if h.Events, err = h.events("t"); err == nil {
		h.Markers, err = h.events(marker)
	}
	return &h.Handover, err
}

type handover struct {
	*run
	Handover
	fails bool // the next round, which has its config when Debezium goes on
}

// round plays a round with Debezium, and a row with Sluice.
func (h *handover) round(ctx context.Context, i int, round HandoverRound, java, sluice *Worker) error {
	if err := h.streaming(ctx); err != nil {
		return err
	}
	if i > 0 { // once more from the other's offset, when the slot is past its last event
		if err := java.restart(ctx, h.scenario.Name); err != nil {
			return err
		}
		if err := h.streaming(ctx); err != nil {
			return err
		}
	}
	if err := h.play(ctx, round.Steps); err != nil {
		return err
	}
	switch {
	case round.Fails:
		if err := h.failed(ctx); err != nil {
			return err
		}
	case i > 0: // the first is about the snapshot alone
		if err := h.sync(ctx); err != nil {
			return err
		}
	}
	offset, err := h.pass(ctx, java, sluice, h.config())
	if err != nil {
		return err
	}
	events, err := h.events("t")
	if err != nil {
		return err
	}
	h.Stops = append(h.Stops, HandoverStop{round.Name, len(events), offset})
	if err := h.streaming(ctx); err != nil {
		return err
	}
	own := [2]string{"", fmt.Sprintf("INSERT INTO t VALUES (%d, 'by the other')", 1000+i)}
	if err := h.play(ctx, append(round.Other, own)); err != nil {
		return err
	}
	if err := h.sync(ctx); err != nil {
		return err
	}
	_, err = h.pass(ctx, sluice, java, h.next())
	return err
}

// next is the config for the next round. One that fails does so at a record over the
// limit: one is sent at a time, so that none comes behind it.
func (h *handover) next() map[string]string {
	c := h.config()
	if h.fails {
		c["max.batch.size"], c["producer.override.max.request.size"] = "1", strconv.Itoa(rowLimit)
	}
	return c
}

// failed waits until the task has failed, at such a record.
func (h *handover) failed(ctx context.Context) error {
	return until(ctx, func() error {
		switch err := h.alive(ctx); {
		case err == nil:
			return errors.New("the task does not fail")
		case !strings.Contains(err.Error(), "max.request.size"):
			return err
		}
		return nil
	})
}

func (h *handover) play(ctx context.Context, steps [][2]string) error {
	for _, step := range steps {
		if err := h.exec(ctx, Step{Session: step[0], SQL: step[1]}); err != nil {
			return err
		}
	}
	return nil
}

// pass stops the connector of one worker, and starts the other's from its offset, which it
// returns.
func (h *handover) pass(ctx context.Context, from, to *Worker, config map[string]string) (json.RawMessage, error) {
	name := "/connectors/" + h.scenario.Name
	if _, err := from.request(ctx, http.MethodPut, name+"/stop", nil); err != nil {
		return nil, err
	}
	if err := stopped(ctx, from, name); err != nil {
		return nil, err
	}
	if err := h.log.quiet(ctx, from.Quiet); err != nil {
		return nil, err
	}
	offsets, err := from.request(ctx, http.MethodGet, name+"/offsets", nil)
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Offsets []struct{ Offset json.RawMessage }
	}
	if err := json.Unmarshal(offsets, &parsed); err != nil || len(parsed.Offsets) != 1 {
		return nil, fmt.Errorf("the offsets are %s: %w", offsets, err)
	}
	if err := h.putStopped(ctx, to, config); err != nil {
		return nil, err
	}
	if err := stopped(ctx, to, name); err != nil {
		return nil, err
	}
	if err := until(ctx, func() error {
		_, err := to.request(ctx, http.MethodPatch, name+"/offsets", offsets)
		return err
	}); err != nil {
		return nil, err
	}
	h.worker = to
	_, err = to.request(ctx, http.MethodPut, name+"/resume", nil)
	return parsed.Offsets[0].Offset, err
}

// putStopped makes the connector, or sets its config where it is there and stopped.
func (h *handover) putStopped(ctx context.Context, w *Worker, config map[string]string) error {
	if _, err := w.request(ctx, http.MethodGet, "/connectors/"+h.scenario.Name, nil); err == nil {
		return w.put(ctx, h.scenario.Name, config)
	}
	body, err := json.Marshal(map[string]any{"name": h.scenario.Name, "config": config, "initial_state": "STOPPED"})
	if err != nil {
		return err
	}
	_, err = w.request(ctx, http.MethodPost, "/connectors", body)
	return err
}

// stopped waits until a connector has no tasks.
func stopped(ctx context.Context, w *Worker, name string) error {
	return until(ctx, func() error {
		text, err := w.request(ctx, http.MethodGet, name+"/status", nil)
		if err != nil {
			return err
		}
		var status struct {
			Connector struct{ State string }
			Tasks     []any
		}
		if err := json.Unmarshal(text, &status); err != nil {
			return err
		}
		if status.Connector.State != "STOPPED" || len(status.Tasks) > 0 {
			return errors.New("the connector is not stopped: " + string(text))
		}
		return nil
	})
}

// events are the records of a table.
func (h *handover) events(table string) ([]HandoverEvent, error) {
	var all []HandoverEvent
	for _, record := range h.log.records {
		if record.Topic != h.scenario.topic(table) {
			continue
		}
		if record.Value == nil {
			all = append(all, HandoverEvent{Text: "tombstone " + string(record.Key)})
			continue
		}
		var e struct {
			Op            string
			Before, After json.RawMessage
			Source        struct {
				LSN      int64
				Sequence string
			}
		}
		if err := json.Unmarshal(record.Value, &e); err != nil {
			return nil, fmt.Errorf("read %s: %w", record.Value, err)
		}
		all = append(all, HandoverEvent{e.Op + " " + string(e.Before) + " " + string(e.After), e.Source.LSN, e.Source.Sequence})
	}
	return all, nil
}
