package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/s3server"
)

// maxReady is far more than the time from start to ready on an empty data directory,
// which bench measures: this machine may have other work.
const maxReady = 20 * time.Second

func TestReadySoon(t *testing.T) {
	best := time.Hour
	for range 5 {
		s := startSluice(t, nil)
		s.stop(t)
		os.RemoveAll(s.dataDir)
		best = min(best, s.start(t))
		s.stop(t)
	}
	t.Logf("ready %v after the start of the process, at best of five", best.Round(time.Millisecond))
	if best > maxReady {
		t.Errorf("ready after %v, want at most %v", best, maxReady)
	}
}

// TestAddresses wants addresses.json to name ports that answer.
func TestAddresses(t *testing.T) {
	s := startSluice(t, nil)
	if s.PID != s.cmd.Process.Pid {
		t.Errorf("pid %d, want %d", s.PID, s.cmd.Process.Pid)
	}
	conn, err := net.Dial("tcp", s.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	resp, err := http.Get("http://" + s.Registry + "/subjects")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("registry: status %d, want 200", resp.StatusCode)
	}
}

// TestRefusals wants one line that names the flag and the remedy, and exit code 1.
func TestRefusals(t *testing.T) {
	s := startSluice(t, nil)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"name":"x","config":{"connector.class":"Nonsense"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	free := []string{"--rest", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--registry", "127.0.0.1:0", "--log-level", "error"}
	tests := map[string]struct {
		args []string
		want []string
	}{
		"locked":         {[]string{"--data-dir", s.dataDir}, []string{"--data-dir " + s.dataDir, "another sluice process", "choose another"}},
		"rest in use":    {[]string{"--data-dir", t.TempDir(), "--rest", s.REST}, []string{"--rest " + s.REST, "in use", "choose another with --rest"}},
		"kafka in use":   {[]string{"--data-dir", t.TempDir(), "--kafka", s.Kafka}, []string{"--kafka " + s.Kafka, "in use", "choose another with --kafka"}},
		"no directory":   {[]string{"--data-dir", file + "/data"}, []string{"--data-dir " + file, "cannot be written", "choose another"}},
		"bad connector":  {[]string{"--data-dir", t.TempDir(), bad}, []string{"connector file " + bad, "Nonsense"}},
		"no such config": {[]string{"--data-dir", t.TempDir(), "--config", "/none"}, []string{"--config", "/none"}},
	}
	for name, tt := range tests {
		p, err := spawn(nil, os.Getenv(envBinary), append(append([]string{"server"}, free...), tt.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		if code := p.exit(t); code != 1 {
			t.Errorf("%s: exit code %d, want 1", name, code)
		}
		out := p.out.String()
		if n := strings.Count(out, "\n"); n != 1 && name != "bad connector" {
			t.Errorf("%s: %d lines, want 1:\n%s", name, n, out)
		}
		for _, part := range tt.want {
			if !strings.Contains(out, part) {
				t.Errorf("%s: %q does not say %q", name, out, part)
			}
		}
	}
	if err := s.health(); err != nil {
		t.Errorf("the first server: %v", err)
	}
}

// TestDrainAndResume stops a server with SIGTERM under load. Everything that was
// acknowledged is in the log, the end has its order, and the connectors go on
// with the next start.
func TestDrainAndResume(t *testing.T) {
	bucket := makeBucket(t, "drain")
	broker := startMosquitto(t)
	s := startSluice(t, s3server.Env(bucket.url))
	s.create(t, seedConfig(t, "mqtt-source.json"))
	s.create(t, changed(t, seedConfig(t, "s3-sink.json"), map[string]string{"s3.bucket.name": bucket.name, "rotate.max.age.ms": "1000"}))
	s.waitRunning(t, "s3-sink-connector")
	broker.waitSubscribed(t, "sensor/temperature")
	client := publisher(t)
	all := readings(4000)
	publish(t, client, "sensor/temperature", 4000, all[:2000])
	begin := time.Now()
	s.stop(t)
	t.Logf("stopped after %.2f s", time.Since(begin).Seconds())
	wantInOrder(t, s.out.String(), "msg=stopping", `msg="worker has stopped"`, `msg="broker has stopped"`, `msg="log is closed"`)

	publish(t, client, "sensor/temperature", 4000, all[2000:]) // kept by the broker for the session
	s.start(t)
	s.waitRunning(t, "mqtt-source-connector")
	s.waitRunning(t, "s3-sink-connector")
	allArrived(t, s, bucket, "iot-sensors", len(all))
	// A clean stop commits everything: the start after it repeats nothing.
	if got := len(s.records(t, "iot-sensors")); got != len(all) {
		t.Errorf("%d records in the log, want %d", got, len(all))
	}
}

// wantInOrder wants the parts in text, one after the other.
func wantInOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Errorf("%q is missing or too early in\n%s", part, text)
			return
		}
		rest = after
	}
}

// TestSecondSignal wants a second signal to end a server that hangs in its drain.
func TestSecondSignal(t *testing.T) {
	properties := filepath.Join(t.TempDir(), "worker.properties")
	if err := os.WriteFile(properties, []byte("task.shutdown.graceful.timeout.ms=600000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startSluice(t, nil, "--config", properties)
	s.create(t, changed(t, seedConfig(t, "s3-sink.json"), map[string]string{
		"store.url": "http://" + silent(t), "aws.access.key.id": "x", "aws.secret.access.key": "x"}))
	s.signal(syscall.SIGTERM)
	eventually(t, func() error {
		if !s.running() || strings.Contains(s.out.String(), "msg=stopping") {
			return nil
		}
		return fmt.Errorf("not stopping")
	})
	s.signal(syscall.SIGTERM)
	if code := s.exit(t); code != 143 && code != 0 {
		t.Errorf("exit code %d, want 143, or 0 when the drain was faster", code)
	}
}

// silent is a server that takes connections and never answers.
func silent(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String() // the kernel takes the connections
}
