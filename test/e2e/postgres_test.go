package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

// TestSnapshotOverKillNine kills the worker at 10, 50 and 90 % of a snapshot while
// rows are inserted, updated and deleted. A table without a key has each of its rows
// once in the topic, one with a key is what its topic makes of it.
func TestSnapshotOverKillNine(t *testing.T) {
	const rows = 60_000
	server := pgtest.Start(t, pgtest.Options{Dir: openDir(t)})
	db := server.Database(t)
	db.Exec(t, fmt.Sprintf(`CREATE TABLE keyless (id int, t text); INSERT INTO keyless SELECT i, repeat('x', 200) FROM generate_series(1, %[1]d) i;
		CREATE TABLE keyed (id int PRIMARY KEY, v int); INSERT INTO keyed SELECT i, 0 FROM generate_series(1, %[1]d) i; ANALYZE`, rows))
	s := startSluice(t, nil)
	s.create(t, config(t, "shop", map[string]string{"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "database.hostname": "127.0.0.1",
		"database.port": fmt.Sprint(server.Port), "database.user": pgtest.User, "database.password": pgtest.Password, "database.dbname": db.Name,
		"topic.prefix": "shop", "slot.name": "shop", "plugin.name": "pgoutput", "snapshot.max.threads": "2", "tombstones.on.delete": "false"}))

	written, stop := 0, make(chan struct{})
	var writing sync.WaitGroup
	conn := db.Connect(t)
	writing.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			sql := fmt.Sprintf("INSERT INTO keyless VALUES (%d, 'new'); UPDATE keyed SET v = v + 1 WHERE id %% 5003 = %d; DELETE FROM keyed WHERE id = %d", rows+i, i%5003, rows-i)
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				t.Error(err)
				return
			}
			written = i
		}
	})
	for _, percent := range []int64{10, 50, 90} {
		eventually(t, func() error { return s.snapshotAt(t, "shop", percent*2*rows/100) })
		s.kill()
		t.Logf("killed at %d %%, ready again after %.2f s", percent, s.start(t).Seconds())
	}
	eventually(t, func() error { return s.snapshotAt(t, "shop", 1<<62) })
	close(stop)
	writing.Wait()
	eventually(t, func() error { return wantOnce(s, t, rows+written) })
	eventually(t, func() error { return compareKeyed(t, s, db) })
	s.stop(t)
}

// openDir is a folder that another user than ours can reach: PostgreSQL does not
// run as root.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "sluice-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// snapshotAt wants the durable offset to have that many rows of the snapshot, or to
// be behind it.
func (s *sluice) snapshotAt(t *testing.T, name string, rows int64) error {
	_, text := s.request(t, "GET", "/connectors/"+name+"/offsets", "")
	var answer struct {
		Offsets []struct {
			Offset struct {
				Snapshot *struct {
					Rows int64 `json:"rows"`
				} `json:"sluice_snapshot"`
			} `json:"offset"`
		} `json:"offsets"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Offsets) == 0 {
		return fmt.Errorf("no offset yet: %s", text)
	}
	if at := answer.Offsets[0].Offset.Snapshot; at != nil && at.Rows < rows {
		return fmt.Errorf("the snapshot is at row %d, not yet at %d", at.Rows, rows)
	}
	return nil
}

type changeEvent struct {
	Op     string
	Before *keyedRow
	After  *keyedRow
}

type keyedRow struct{ ID, V int }

// wantOnce wants n rows of the table without a key, each once.
func wantOnce(s *sluice, t *testing.T, n int) error {
	seen := make([]int, n+1)
	records := s.committed(t, "shop.public.keyless")
	for _, r := range records {
		var e changeEvent
		if err := json.Unmarshal(r.Value, &e); err != nil || e.After == nil || e.After.ID > n {
			t.Fatalf("%s: %v", r.Value, err)
		}
		if seen[e.After.ID]++; seen[e.After.ID] > 1 {
			t.Fatalf("row %d came twice", e.After.ID)
		}
	}
	if len(records) != n {
		return fmt.Errorf("%d of %d rows came", len(records), n)
	}
	return nil
}

// compareKeyed wants the records of the table with a key to make up the table.
func compareKeyed(t *testing.T, s *sluice, db *pgtest.Database) error {
	t.Helper()
	made := map[int]int{}
	sum := 0
	for _, r := range s.committed(t, "shop.public.keyed") {
		var e changeEvent
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		if e.Op == "d" {
			delete(made, e.Before.ID)
			continue
		}
		made[e.After.ID] = e.After.V
	}
	for id, v := range made {
		sum += id * (v + 1)
	}
	got := fmt.Sprintf("%d rows, %d", len(made), sum)
	if want := db.Text(t, "SELECT count(*) || ' rows, ' || sum(id::bigint * (v + 1)) FROM keyed"); got != want {
		return fmt.Errorf("the topic makes up %s, the table has %s", got, want)
	}
	return nil
}
