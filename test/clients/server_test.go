package clients

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/log/logtest"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/security"
)

// server is a broker in this process, on a loopback port.
type server struct {
	addr string
	log  *log.Log
	dir  string
}

// startServer serves an empty directory until the test ends. Changes of the
// settings are optional.
func startServer(t *testing.T, changes ...func(*logtest.Config)) server {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { wantSound(t, dir) })
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	store, err := security.Open(dir, vfs.OS)
	if err != nil {
		t.Fatal(err)
	}
	n := logtest.Start(t, append([]func(*logtest.Config){logtest.On(vfs.OS, dir), func(c *logtest.Config) {
		c.Log.Logger, c.Groups.Logger, c.Txns.Logger, c.Broker.Logger = logger, logger, logger, logger
		c.Groups = group.Config{Logger: logger, InitialRebalanceDelay: 100 * time.Millisecond}
		c.Txns.Partitions, c.Broker.Security = 0, store
	}}, changes...)...)
	return server{n.Listen(broker.Listener{}, nil), n.Log, dir}
}

// wantSound wants log.Check to find nothing in a directory.
func wantSound(t *testing.T, dir string) {
	t.Helper()
	report, err := log.Check(dir, nil)
	if err != nil {
		t.Errorf("check log: %v", err)
	}
	for _, p := range report.Problems {
		t.Errorf("check log: %v", p)
	}
}

func (s server) createTopic(t *testing.T, name string, partitions int, configs ...string) {
	t.Helper()
	overrides := map[string]string{}
	for _, c := range configs {
		key, value, _ := strings.Cut(c, "=")
		overrides[key] = value
	}
	if _, err := s.log.CreateTopic(name, partitions, overrides); err != nil {
		t.Fatal(err)
	}
}

// storedCodec is the codec of the first batch of partition 0.
func (s server) storedCodec(t *testing.T, topic string) batch.Codec {
	t.Helper()
	lt, ok := s.log.Topic(topic)
	if !ok {
		t.Fatalf("no topic %s", topic)
	}
	p, _ := lt.Partition(0)
	b, err := p.Read(nil, 0, 1, p.HighWatermark())
	if err != nil {
		t.Fatal(err)
	}
	h, err := batch.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return h.Codec()
}

// run runs a command with input and returns what it printed; a failure ends the
// test.
func run(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// lines is n lines of about size bytes.
func lines(n, size int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%06d%s\n", i, strings.Repeat(" sluice", size/7))
	}
	return b.String()
}
