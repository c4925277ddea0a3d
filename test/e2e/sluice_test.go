package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sluice is a server process. It keeps its data directory when it is started
// again.
type sluice struct {
	*process
	dataDir string
	env     []string
	args    []string // further ones
	log     *strings.Builder

	REST     string `json:"rest"`
	Kafka    string `json:"kafka"`
	Registry string `json:"registry"`
	PID      int    `json:"pid"`
}

// startSluice starts a server on an empty data directory and waits until it is
// ready. With the test's failure come its logs.
func startSluice(t *testing.T, env []string, args ...string) *sluice {
	t.Helper()
	s := &sluice{dataDir: filepath.Join(t.TempDir(), "data"), env: env, args: args, log: &strings.Builder{}}
	t.Cleanup(func() {
		if s.process != nil && s.running() {
			s.kill()
		}
		if t.Failed() {
			t.Logf("log of sluice:\n%s%s", s.log, tail(s.out.String(), 200))
		}
	})
	s.start(t)
	return s
}

// start starts the server again and waits until it is ready.
func (s *sluice) start(t *testing.T) (untilReady time.Duration) {
	t.Helper()
	begin := time.Now()
	os.Remove(filepath.Join(s.dataDir, "addresses.json")) // of the previous run
	s.launch(t)
	eventually(t, func() error {
		if !s.running() {
			t.Fatalf("sluice ended with code %d:\n%s", s.cmd.ProcessState.ExitCode(), s.out)
		}
		return s.health()
	})
	return time.Since(begin)
}

// launch starts the process and does not wait for it.
func (s *sluice) launch(t *testing.T) {
	t.Helper()
	if s.process != nil {
		s.log.WriteString(tail(s.out.String(), 50) + "--- started again\n")
	}
	args := append([]string{"server", "--data-dir", s.dataDir, "--rest", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--registry", "127.0.0.1:0"}, s.args...)
	p, err := spawn(s.env, os.Getenv(envBinary), args...)
	if err != nil {
		t.Fatal(err)
	}
	s.process = p
}

// health reads addresses.json and asks whether the worker is ready.
func (s *sluice) health() error {
	text, err := os.ReadFile(filepath.Join(s.dataDir, "addresses.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, s); err != nil {
		return err
	}
	resp, err := http.Get("http://" + s.REST + "/health")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s", resp.Status)
	}
	return nil
}

// stop ends the server with SIGTERM and wants an orderly end.
func (s *sluice) stop(t *testing.T) {
	t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.exit(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}

func tail(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

// request sends a REST request and returns status and body.
func (s *sluice) request(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.REST+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// create posts a connector.
func (s *sluice) create(t *testing.T, body string) {
	t.Helper()
	if code, text := s.request(t, "POST", "/connectors", body); code != http.StatusCreated {
		t.Fatalf("POST /connectors: %d %s", code, text)
	}
}

// states returns the states of a connector and its tasks, joined.
func (s *sluice) states(name string) (string, error) {
	resp, err := http.Get("http://" + s.REST + "/connectors/" + url.PathEscape(name) + "/status")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var status struct {
		Connector struct{ State string }
		Tasks     []struct{ State, Trace string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return "", err
	}
	states := []string{status.Connector.State}
	for _, task := range status.Tasks {
		states = append(states, task.State+task.Trace)
	}
	return strings.Join(states, " "), nil
}

// waitRunning waits until a connector and its only task run.
func (s *sluice) waitRunning(t *testing.T, name string) {
	t.Helper()
	eventually(t, func() error {
		states, err := s.states(name)
		if err == nil && states != "RUNNING RUNNING" {
			err = fmt.Errorf("%s is %s", name, states)
		}
		return err
	})
}

// seedConfig is an example config, byte for byte.
func seedConfig(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../examples/configs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// changed is a config with some settings changed; name renames the connector.
func changed(t *testing.T, text string, changes map[string]string) string {
	t.Helper()
	var c struct {
		Name   string            `json:"name"`
		Config map[string]string `json:"config"`
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		c.Config[key] = value
	}
	c.Name = cmp.Or(changes["name"], c.Name)
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// committed reads the records of a topic that are committed. It waits for transactions
// that are open: a commit is answered before each partition shows it.
func (s *sluice) committed(t *testing.T, topic string) []*kgo.Record {
	t.Helper()
	return s.records(t, topic, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
}

// records reads a topic from its beginning to the end that it has now. A topic that is
// not there has none.
func (s *sluice) records(t *testing.T, topic string, opts ...kgo.Opt) (records []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.Kafka), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Err != nil || end.Offset == 0 {
			delete(ends[topic], end.Partition)
		}
	})
	for len(ends[topic]) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read %s: %v; not read to the end are %v", topic, err, ends[topic])
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if end, ok := ends.Lookup(topic, r.Partition); ok && r.Offset+1 >= end.Offset {
				delete(ends[topic], r.Partition)
			}
		})
	}
	return records
}

// missing returns how many of the ids 0 to n-1 no line has, and how many lines
// there are. A line is a JSON object with an id.
func missing(n int, lines [][]byte) (absent int, err error) {
	seen := make([]bool, n)
	for _, line := range lines {
		var v struct{ ID *int }
		if err := json.Unmarshal(bytes.TrimSpace(line), &v); err != nil || v.ID == nil {
			return 0, fmt.Errorf("not one of ours: %q", line)
		}
		if *v.ID < 0 || *v.ID >= n {
			return 0, fmt.Errorf("invented id %d", *v.ID)
		}
		seen[*v.ID] = true
	}
	for _, ok := range seen {
		if !ok {
			absent++
		}
	}
	return absent, nil
}

// readings are JSON payloads with the ids from 0.
func readings(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id":%d,"temperature":%.1f}`, i, 18+float64(i%100)/10)
	}
	return list
}
