package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What an idle worker has: as many sinks as sources, half of the sources files that
// nobody writes to and half generators whose second row is hours away.
const (
	idleSources = 100
	idleSinks   = 100
	idleRest    = 15 * time.Second // from the last start until the load is measured
	idleFor     = 20 * time.Second // how long it is measured
)

// idleConnectors measures what connectors cost that have nothing to do, and how soon
// all of them run again after kill -9.
func idleConnectors(ctx context.Context, b *bench) (result, error) {
	s, err := b.start(ctx)
	if err != nil {
		return result{}, err
	}
	files, err := os.MkdirTemp(b.dir, "files-")
	if err != nil {
		return result{}, err
	}
	begin := time.Now()
	err = s.createIdle(files)
	if err == nil {
		err = s.waitForRunning(ctx, idleSources+idleSinks)
	}
	created := time.Since(begin)
	if err == nil {
		err = rest(ctx, idleRest)
	}
	cpu, resident := s.cpu(), s.resident()
	if err == nil {
		err = rest(ctx, idleFor)
	}
	cpu = s.cpu() - cpu
	resident = max(resident, s.resident())
	s.kill()
	if err != nil {
		return result{}, err
	}
	begin = time.Now()
	if s, err = b.startIn(ctx, s.dataDir); err != nil {
		return result{}, err
	}
	defer s.stop()
	if err := s.waitForRunning(ctx, idleSources+idleSinks); err != nil {
		return result{}, fmt.Errorf("after kill -9: %w", err)
	}
	running := time.Since(begin)
	if err := rest(ctx, idleRest); err != nil {
		return result{}, err
	}
	return result{
		figure: fmt.Sprintf("%s resident (%s after the restart), %.1f %% of a core; created in %.1f s; after kill -9 ready in %.2f s, all running in %.1f s",
			megabyteSize(resident), megabyteSize(s.resident()), 100*cpu.Seconds()/idleFor.Seconds(), created.Seconds(), s.ready.Seconds(), running.Seconds()),
		limit: "100 MB",
		ratio: times(float64(resident) / 100e6),
	}, nil
}

func (s *server) createIdle(files string) error {
	for i := range idleSources {
		n := strconv.Itoa(i)
		config := map[string]string{"connector.class": "DatagenConnector", "quickstart": "users", "kafka.topic": "idle-" + n, "max.interval": "360000000"}
		if i%2 == 1 {
			path := filepath.Join(files, n)
			if err := os.WriteFile(path, []byte("a line\n"), 0o644); err != nil {
				return err
			}
			config = map[string]string{"connector.class": "FileStreamSource", "file": path, "topic": "idle-" + n}
		}
		if err := s.create("source-"+n, config); err != nil {
			return err
		}
	}
	for i := range idleSinks {
		n := strconv.Itoa(i)
		if err := s.create("sink-"+n, map[string]string{"connector.class": "FileStreamSink", "file": filepath.Join(files, "out-"+n), "topics": "idle-" + n}); err != nil {
			return err
		}
	}
	return nil
}

// waitForRunning waits until n connectors and a task of each run.
func (s *server) waitForRunning(ctx context.Context, n int) error {
	running := 0
	err := poll(ctx, 2*time.Minute, func(ctx context.Context) (bool, error) {
		var err error
		running, err = s.running(ctx)
		return running >= n, err
	})
	if err != nil {
		return fmt.Errorf("%d of %d connectors run: %w", running, n, err)
	}
	return nil
}

func (s *server) running(ctx context.Context) (n int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Rest+"/connectors?expand=status", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	type state struct{ State string }
	var all map[string]struct {
		Status struct {
			Connector state
			Tasks     []state
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		return 0, nil // the worker is starting
	}
	for _, c := range all {
		if c.Status.Connector.State == "RUNNING" && len(c.Status.Tasks) == 1 && c.Status.Tasks[0].State == "RUNNING" {
			n++
		}
	}
	return n, nil
}

// resident returns the resident size of the server in bytes.
func (s *server) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kb, _ := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kb << 10
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
