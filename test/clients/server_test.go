package clients

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/security"
	"github.com/sluice-data/sluice/log/txn"
)

// settings of a broker in this process.
type settings struct {
	log    log.Config
	groups group.Config
	txns   txn.Config
	broker broker.Config
}

// server is a broker in this process, on a loopback port.
type server struct {
	addr string
	log  *log.Log
	dir  string
}

// startServer serves an empty directory until the test ends. Changes of the
// settings are optional.
func startServer(t *testing.T, changes ...func(*settings)) server {
	t.Helper()
	dir := t.TempDir()
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := settings{
		log:    log.Config{Dir: dir, Logger: logger},
		groups: group.Config{Logger: logger, InitialRebalanceDelay: 100 * time.Millisecond},
		txns:   txn.Config{Dir: dir, Logger: logger},
		broker: broker.Config{Dir: dir, Logger: logger, AdvertisedAddr: ln.Addr().String()},
	}
	for _, change := range changes {
		change(&c)
	}
	l, err := log.Open(c.log)
	if err != nil {
		t.Fatal(err)
	}
	c.groups.Log, c.txns.Log, c.broker.Log = l, l, l
	if c.broker.Groups, err = group.Open(c.groups); err != nil {
		t.Fatal(err)
	}
	c.txns.EndOffsets = c.broker.Groups.EndTransaction
	if c.broker.Txns, err = txn.Open(c.txns); err != nil {
		t.Fatal(err)
	}
	if c.broker.Security, err = security.Open(dir, vfs.OS); err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(c.broker)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		b.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		c.broker.Txns.Close()
		c.broker.Groups.Close()
		if err := l.Close(); err != nil {
			t.Errorf("close log: %v", err)
		}
		wantSound(t, dir)
	})
	return server{ln.Addr().String(), l, dir}
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
