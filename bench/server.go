package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// server is a running Sluice, or the Apache Kafka that it is compared with.
type server struct {
	cmd     *exec.Cmd
	dataDir string
	ready   time.Duration      // from start until /health answered 200, or a Kafka knew a topic's leaders
	configs map[string]*string // of the topics that it is given
	Rest    string             `json:"rest"`
	Kafka   string             `json:"kafka"`
	Schemas string             `json:"registry"`
}

// start runs the binary with a data directory of its own.
func (b *bench) start(ctx context.Context) (*server, error) {
	dataDir, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, err
	}
	return b.startIn(ctx, dataDir)
}

// startIn runs a server of the kind that is measured on free ports and waits until
// it is ready.
func (b *bench) startIn(ctx context.Context, dataDir string) (*server, error) {
	if b.kafka != nil {
		return b.kafka.startIn(ctx, dataDir)
	}
	return b.startSluice(ctx, dataDir)
}

// startSluice runs the binary, with more flags if there are any.
func (b *bench) startSluice(ctx context.Context, dataDir string, flags ...string) (*server, error) {
	if err := os.RemoveAll(filepath.Join(dataDir, "addresses.json")); err != nil {
		return nil, err // it would be the last run's
	}
	s := &server{dataDir: dataDir}
	s.cmd = exec.CommandContext(ctx, b.binary, append([]string{"server", "--data-dir", dataDir,
		"--rest", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--registry", "127.0.0.1:0"}, flags...)...)
	s.cmd.Env = append(os.Environ(), b.env...)
	logs, err := os.Create(dataDir + ".log")
	if err != nil {
		return nil, err
	}
	defer logs.Close()
	s.cmd.Stderr = logs
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s (make build makes it): %w", b.binary, err)
	}
	if err := poll(ctx, 20*time.Second, s.isReady); err != nil {
		s.stop()
		return nil, fmt.Errorf("wait until the server is ready (log: %s): %w", logs.Name(), err)
	}
	s.ready = time.Since(begin)
	return s, nil
}

func (s *server) isReady(ctx context.Context) (bool, error) {
	if s.Rest == "" {
		text, err := os.ReadFile(filepath.Join(s.dataDir, "addresses.json"))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if err := json.Unmarshal(text, s); err != nil {
			return false, fmt.Errorf("read addresses.json: %w", err)
		}
	}
	res, err := http.Get("http://" + s.Rest + "/health")
	if err != nil {
		return false, nil
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK, nil
}

// stop ends the server and removes its data.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	_ = s.cmd.Wait()
	kill.Stop()
	_ = os.RemoveAll(s.dataDir)
}

// kill ends the server with SIGKILL. Its data stays.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// create posts a connector.
func (s *server) create(name string, config map[string]string) error {
	body, err := json.Marshal(map[string]any{"name": name, "config": config})
	if err != nil {
		return err
	}
	res, err := http.Post("http://"+s.Rest+"/connectors", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("create connector %s: %s: %s", name, res.Status, text)
	}
	return nil
}

// client returns a Kafka client of the server. It asks again at once for a topic
// that is not there yet, so that waiting for one does not count as work.
func (s *server) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.Kafka), kgo.MetadataMinAge(10 * time.Millisecond)}, opts...)...)
}

// createTopic makes a topic.
func (s *server) createTopic(ctx context.Context, topic string, partitions int32) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, s.configs, topic)
	return errors.Join(err, res.Err)
}

// waitForEnd waits until a topic holds n records.
func (s *server) waitForEnd(ctx context.Context, topic string, n int64) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	return poll(ctx, 10*time.Minute, func(ctx context.Context) (bool, error) {
		ends, err := admin.ListEndOffsets(ctx, topic)
		if err != nil {
			return false, err
		}
		var sum int64
		ends.Each(func(o kadm.ListedOffset) { sum += max(o.Offset, 0) })
		return sum >= n, nil
	})
}

// waitForGroup waits until a group has committed n records in all.
func (s *server) waitForGroup(ctx context.Context, group string, n int64) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	return poll(ctx, 5*time.Minute, func(ctx context.Context) (bool, error) {
		offsets, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return false, nil // the group may not exist yet
		}
		var sum int64
		offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
		return sum >= n, nil
	})
}

// cpu returns the processor time that the server has used.
func (s *server) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // ticks of 1/100 s
}

// peakMemory returns the largest resident size that the server has had, in bytes.
func (s *server) peakMemory() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kb << 10
}

// poll calls f every few milliseconds until it returns true.
func poll(ctx context.Context, limit time.Duration, f func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := f(ctx); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
