package debezium

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-data/sluice/test/process"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

const golden = "testdata/golden"

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	process.Clean()
	os.Exit(code)
}

// atOnce is how many scenarios are played at the same time, each on a server of its own:
// most of the time they wait.
const atOnce = 4

// TestDebezium plays each scenario against the binary and compares what is in the
// log with what Debezium had written.
func TestDebezium(t *testing.T) {
	worker := startWorker(t)
	servers := startServers(t)
	used := &usedReasons{used: make([]bool, len(Decisions))}
	var played atomic.Int32
	t.Cleanup(func() { // after all scenarios
		if int(played.Load()) == len(Scenarios) && !t.Failed() {
			stale(t, used.used)
		}
	})
	for i := range Scenarios {
		s := &Scenarios[i]
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			played.Add(1)
			want, err := ReadGolden(golden, s.Name)
			if err != nil {
				t.Fatal(err)
			}
			pg := <-servers
			defer func() { servers <- pg }()
			show(t, s.Name, play(t, s, worker, pg, want, used))
		})
	}
}

// startServers starts the servers, which whoever plays a scenario takes one of.
func startServers(t *testing.T) chan *Postgres {
	t.Helper()
	servers := make(chan *Postgres, atOnce)
	for range atOnce {
		server := pgtest.Start(t, pgtest.Options{})
		servers <- &Postgres{Host: "127.0.0.1", Port: server.Port, Version: server.Version, ConnString: server.ConnString}
	}
	return servers
}

// usedReasons notes which of the Decisions were needed.
type usedReasons struct {
	mu   sync.Mutex // guards used
	used []bool
}

// play runs a scenario and returns the differences that are not meant to be.
func play(t *testing.T, s *Scenario, worker *Worker, pg *Postgres, want []Topic, used *usedReasons) []Difference {
	t.Helper()
	records, err := s.Run(t.Context(), worker, pg, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Canonical(records)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, s.Name, got)
	differences := Compare(want, got)
	used.mu.Lock()
	defer used.mu.Unlock()
	return undecided(s.Name, differences, used.used)
}

// stale wants each reason for a difference to be needed still.
func stale(t *testing.T, used []bool) {
	t.Helper()
	needed := make(map[string]bool)
	for i, d := range Decisions {
		needed[d.Reason] = needed[d.Reason] || used[i]
	}
	for reason, still := range needed {
		if !still {
			t.Errorf("no difference has this reason any more, remove it: %s", reason)
		}
	}
}

// undecided removes the differences that are meant to be.
func undecided(scenario string, all []Difference, used []bool) []Difference {
	var rest []Difference
next:
	for _, d := range all {
		for i := range Decisions {
			if Decisions[i].covers(scenario, d) {
				used[i] = true
				continue next
			}
		}
		rest = append(rest, d)
	}
	return rest
}

// show reports the first differences of each kind.
func show(t *testing.T, scenario string, all []Difference) {
	t.Helper()
	groups := Group(all)
	for _, line := range groups[:min(len(groups), 40)] {
		t.Error(line)
	}
	if len(groups) > 40 {
		t.Errorf("and %d more kinds of differences in %s", len(groups)-40, scenario)
	}
}

// keep writes what came out to the folder of SLUICE_DEBEZIUM_KEEP, to look at.
func keep(t *testing.T, scenario string, got []Topic) {
	t.Helper()
	if dir := os.Getenv("SLUICE_DEBEZIUM_KEEP"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, scenario+".txt"), []byte(Format(got)), 0o644); err != nil {
			t.Error(err)
		}
	}
}
