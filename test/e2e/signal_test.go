package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// TestSignalTopicOverKillNine asks for incremental snapshots by a topic of the log, and
// kills the worker in the middle of each: each row comes once for each signal, and no
// signal is done twice or forgotten.
func TestSignalTopicOverKillNine(t *testing.T) {
	const rows = 60_000
	server := pgtest.Start(t, pgtest.Options{Dir: openDir(t)})
	db := server.Database(t)
	db.Exec(t, fmt.Sprintf(`CREATE TABLE item (id int PRIMARY KEY, t text); INSERT INTO item SELECT i, repeat('x', 100) FROM generate_series(1, %d) i`, rows))
	s := startSluice(t, nil)
	s.create(t, config(t, "shop", map[string]string{"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "database.hostname": "127.0.0.1",
		"database.port": fmt.Sprint(server.Port), "database.user": pgtest.User, "database.password": pgtest.Password, "database.dbname": db.Name,
		"topic.prefix": "shop", "slot.name": "shop", "plugin.name": "pgoutput", "snapshot.mode": "no_data", "read.only": "true",
		"signal.enabled.channels": "kafka", "signal.poll.interval.ms": "100", "incremental.snapshot.chunk.size": "100",
		"notification.enabled.channels": "sink", "notification.sink.topic.name": "notices"}))
	s.waitRunning(t, "shop")
	rounds, killed := 2, 0
	for round := 1; round <= rounds; round++ {
		s.sendSignal(t, "shop-signal", "shop", fmt.Sprintf(`{"id": "%d", "type": "execute-snapshot", "data": {"data-collections": ["public.item"]}}`, round))
		for _, part := range []int64{10, 50, 90} {
			at := int64(0)
			eventually(t, func() (err error) { at, err = s.incrementalAt(t, "shop", round, part*rows/100); return err })
			if at < rows {
				killed++
			}
			s.kill()
			s.start(t)
		}
		eventually(t, func() error { _, err := s.incrementalAt(t, "shop", round, rows); return err })
	}
	if killed == 0 {
		t.Error("no snapshot was in work when the worker was killed")
	}
	eventually(t, func() error { return s.completed(t, rounds) })
	seen := map[int]int{}
	for _, r := range s.committed(t, "shop.public.item") {
		var e changeEvent
		if err := json.Unmarshal(r.Value, &e); err != nil || e.After == nil || e.Op != "r" {
			t.Fatalf("%s: %v", r.Value, err)
		}
		seen[e.After.ID]++
	}
	for id := 1; id <= rows; id++ {
		if seen[id] != rounds {
			t.Fatalf("row %d came %d times, want %d", id, seen[id], rounds)
		}
	}
	s.stop(t)
}

// sendSignal sends a record to a topic of signals.
func (s *sluice) sendSignal(t *testing.T, topic, key, value string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// incrementalAt wants the durable offset to have that many rows of the incremental
// snapshot that the signal of that number asked for, or to be behind it: at is all then.
func (s *sluice) incrementalAt(t *testing.T, name string, signals int, rows int64) (at int64, err error) {
	_, text := s.request(t, "GET", "/connectors/"+name+"/offsets", "")
	var answer struct {
		Offsets []struct {
			Offset struct {
				Done        int `json:"sluice_signal_offset"`
				Incremental *struct {
					Rows int64 `json:"rows"`
				} `json:"sluice_incremental"`
			} `json:"offset"`
		} `json:"offsets"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Offsets) == 0 {
		return 0, fmt.Errorf("no offset yet: %s", text)
	}
	switch o := answer.Offsets[0].Offset; {
	case o.Done < signals:
		return 0, fmt.Errorf("%d signals of %d are done", o.Done, signals)
	case o.Incremental == nil:
		return 1 << 62, nil
	case o.Incremental.Rows < rows:
		return 0, fmt.Errorf("the snapshot is at row %d, not yet at %d", o.Incremental.Rows, rows)
	default:
		return o.Incremental.Rows, nil
	}
}

// completed wants the end of n snapshots among the notices.
func (s *sluice) completed(t *testing.T, n int) error {
	got := 0
	for _, r := range s.committed(t, "notices") {
		var notice struct{ Type string }
		if err := json.Unmarshal(r.Value, &notice); err != nil {
			return err
		}
		if notice.Type == "COMPLETED" {
			got++
		}
	}
	if got != n {
		return fmt.Errorf("%d snapshots have completed, want %d", got, n)
	}
	return nil
}
