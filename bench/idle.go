package main

import (
	"context"
	"encoding/json"
	"errors"
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
	idleRest    = 30 * time.Second // from the last start until the load is measured
	idleFor     = 20 * time.Second // how long it is measured
)

// idleConnectors measures what connectors cost that have nothing to do, and how soon
// they do something again after kill -9.
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
	resident, peak := max(resident, s.resident()), s.peakMemory()
	s.kill()
	if err != nil {
		return result{}, err
	}
	// What is written meanwhile comes out of the sinks as soon as both sides run.
	if err := eachFile(files, "", func(path string) error { return appendLine(path, "again\n") }); err != nil {
		return result{}, err
	}
	begin = time.Now()
	if s, err = b.startIn(ctx, s.dataDir); err != nil {
		return result{}, err
	}
	defer s.stop()
	if err := waitForCopies(ctx, files); err != nil {
		return result{}, fmt.Errorf("after kill -9: %w", err)
	}
	running := time.Since(begin)
	if err := rest(ctx, idleRest); err != nil {
		return result{}, err
	}
	return result{
		figure: fmt.Sprintf("%s resident (peak %s, after the restart %s), %.1f %% of a core; created in %.1f s; after kill -9 ready in %.2f s, every file copied on after %.1f s",
			megabyteSize(resident), megabyteSize(peak), megabyteSize(s.resident()), 100*cpu.Seconds()/idleFor.Seconds(), created.Seconds(), s.ready.Seconds(), running.Seconds()),
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

// eachFile calls f with the path of each file that is read, or with the prefix "out-"
// written.
func eachFile(files, prefix string, f func(path string) error) error {
	for i := 1; i < idleSources; i += 2 {
		if err := f(filepath.Join(files, prefix+strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return nil
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// waitForCopies waits until the last line of every file is in its copy.
func waitForCopies(ctx context.Context, files string) error {
	return poll(ctx, 2*time.Minute, func(context.Context) (bool, error) {
		missing := 0
		err := eachFile(files, "out-", func(path string) error {
			text, err := os.ReadFile(path)
			if !strings.HasSuffix(string(text), "again\n") {
				missing++
			}
			return err
		})
		return missing == 0, err
	})
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
