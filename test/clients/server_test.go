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

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/txn"
)

// server is a broker on a loopback port.
type server struct {
	addr string
	log  *log.Log
}

// startServer serves an empty directory until the test ends.
func startServer(t *testing.T) server {
	t.Helper()
	dir := t.TempDir()
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	l, err := log.Open(log.Config{Dir: dir, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := group.Open(group.Config{Log: l, Logger: logger, InitialRebalanceDelay: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	txns, err := txn.Open(txn.Config{Log: l, EndOffsets: groups.EndTransaction, Dir: dir, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Log: l, Groups: groups, Txns: txns, Dir: dir, Logger: logger, AdvertisedAddr: ln.Addr().String()})
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
		txns.Close()
		groups.Close()
		if err := l.Close(); err != nil {
			t.Errorf("close log: %v", err)
		}
	})
	return server{ln.Addr().String(), l}
}

func (s server) createTopic(t *testing.T, name string, partitions int) {
	t.Helper()
	if _, err := s.log.CreateTopic(name, partitions, nil); err != nil {
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
