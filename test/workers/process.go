package workers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// worker is one of the processes. It keeps its address over restarts.
type worker struct {
	name, rest string
	config     *Config
	events     *events
	logs       io.Writer

	cmd     *exec.Cmd
	reading sync.WaitGroup
}

// newWorker gives a worker its files and its address.
func newWorker(c *Config, n int, e *events) (*worker, error) {
	w := &worker{name: fmt.Sprintf("w%d", n), config: c, events: e}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	w.rest = ln.Addr().String()
	if err := ln.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	if err := os.WriteFile(w.path("properties"), []byte(c.properties()), 0o600); err != nil {
		return nil, fmt.Errorf("write the properties of %s: %w", w.name, err)
	}
	if w.logs, err = os.Create(w.path("log")); err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", w.name, err)
	}
	return w, nil
}

func (w *worker) path(suffix string) string {
	return filepath.Join(w.config.Dir, w.name+"."+suffix)
}

func (c *Config) properties() string {
	return fmt.Sprintf(`group.id=%s
config.storage.topic=%[1]s-configs
offset.storage.topic=%[1]s-offsets
status.storage.topic=%[1]s-status
key.converter=org.apache.kafka.connect.converters.IntegerConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
exactly.once.source.support=enabled
offset.flush.interval.ms=1000
session.timeout.ms=%d
heartbeat.interval.ms=%d
scheduled.rebalance.max.delay.ms=%d
%s
`, c.Group, c.Session.Milliseconds(), (c.Session / 4).Milliseconds(), c.Delay.Milliseconds(), c.Properties)
}

// start starts the process.
func (w *worker) start() error {
	cmd := exec.Command(w.config.Binary, "server", "--config", w.path("properties"), "--bootstrap-servers", strings.Join(w.config.Bootstrap, ","),
		"--data-dir", w.path("data"), "--rest", w.rest, "--registry", "127.0.0.1:0", "--log-format", "json")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", w.name, err)
	}
	w.cmd = cmd
	w.reading.Go(func() { w.read(stderr) })
	return nil
}

// read keeps the log and notes what tasks do.
func (w *worker) read(logs io.Reader) {
	lines := bufio.NewScanner(logs)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintln(w.logs, lines.Text())
		var e struct {
			Msg, Connector, State, Leader string
			Task                          int
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // a stack trace, say
		}
		switch {
		case e.Msg == "task state" && e.State == "RUNNING":
			w.events.started(task{e.Connector, e.Task}, w.name)
		case e.Msg == "assigned work":
			w.events.led(strings.TrimSuffix(strings.TrimPrefix(e.Leader, "http://"), "/"))
		}
	}
	_, _ = io.Copy(io.Discard, logs) // a line that is too long
}

// kill ends the process as a power cut does.
func (w *worker) kill() error {
	if err := w.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", w.name, err)
	}
	w.reading.Wait()
	_ = w.cmd.Wait() // it was killed
	return nil
}

// stop ends the process in an orderly way.
func (w *worker) stop() error {
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", w.name, err)
	}
	w.reading.Wait()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("%s ended badly: %w; its log is %s", w.name, err, w.path("log"))
	}
	return nil
}

// awaitHealthy waits until the worker answers.
func (w *worker) awaitHealthy(ctx context.Context) error {
	return retry(ctx, func() error {
		_, err := call(ctx, http.MethodGet, "http://"+w.rest+"/health", nil)
		return err
	})
}

// call sends a request with a JSON body and returns the answer's body.
func call(ctx context.Context, method, url string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("write a request: %w", err)
	}
	q, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(string(text)))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	q.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err // names method and URL
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %.300s", method, url, resp.Status, answer)
	}
	return answer, nil
}

// retry calls do until it returns nil, for a minute and a half at most.
func retry(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for {
		err := do()
		if err == nil {
			return nil
		}
		if pauseErr := pause(ctx, 200*time.Millisecond); pauseErr != nil {
			return errors.Join(errors.New("time is up"), err)
		}
	}
}

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
