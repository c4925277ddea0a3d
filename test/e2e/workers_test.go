package e2e

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/workers"
)

// TestWorkers kills workers of a group, a follower and then the leader: nothing that
// their sources make is lost or doubled, and their sinks lose nothing. The long
// version, on an Apache Kafka, is test/conformance/workers.sh.
func TestWorkers(t *testing.T) {
	cluster := startSluice(t, []string{"CONNECT_GROUP_MIN_SESSION_TIMEOUT_MS=1000"})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	report, err := workers.Run(ctx, workers.Config{Binary: os.Getenv(envBinary), Bootstrap: []string{cluster.Kafka}, Dir: t.TempDir(), Group: "crew",
		Workers: 3, Sources: 6, Sinks: 2, Throughput: 50, Rounds: 2, Every: 8 * time.Second,
		Session: 4 * time.Second, Delay: time.Second, RestartAfter: 200 * time.Millisecond, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
}
