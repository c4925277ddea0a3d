package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// config returns a connector's config to post.
func config(t *testing.T, name string, settings map[string]string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"name": name, "config": settings})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeLines appends numbered lines in pieces that do not end where lines do.
func writeLines(ctx context.Context, path string, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "line %d of the file\n", i)
		if i%20 != 19 {
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		piece := text.Next(text.Len() - 7)
		if i == n-1 {
			piece = append(piece, text.Next(text.Len())...)
		}
		if _, err := f.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// TestFilesOverKillNine copies a file through the log while the server is killed
// with SIGKILL (I7): every line is in the topic once and in order, and in the other
// file at least once and whole. Beside it rows are generated, each of them once.
func TestFilesOverKillNine(t *testing.T) {
	const n, rows, kills = 20_000, 3_000, 4
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	s := startSluice(t, nil)
	s.create(t, config(t, "in", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "batch.size": "77"}))
	s.create(t, config(t, "out", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines"}))
	s.create(t, config(t, "rows", map[string]string{"connector.class": "DatagenConnector", "quickstart": "rows", "kafka.topic": "rows",
		"rows.per.second": "1000", "iterations": fmt.Sprint(rows)}))
	s.waitRunning(t, "in")

	var writing sync.WaitGroup
	writing.Go(func() {
		if err := writeLines(t.Context(), in, n); err != nil {
			t.Error(err)
		}
	})
	begin := time.Now()
	for i := range kills {
		<-time.After(time.Until(begin.Add(time.Duration(i+1) * 700 * time.Millisecond)))
		s.kill()
		t.Logf("killed at %.1f s, ready again after %.2f s", time.Since(begin).Seconds(), s.start(t).Seconds())
	}
	writing.Wait()
	t.Logf("written after %.1f s", time.Since(begin).Seconds())
	eventually(t, func() error { return linesOf(out, n) })
	t.Logf("copied after %.1f s", time.Since(begin).Seconds())

	for i, r := range s.committed(t, "lines") {
		if want := fmt.Sprintf("line %d of the file", i); string(r.Value) != want || i >= n {
			t.Fatalf("record %d is %q, want %q", i, r.Value, want)
		}
	}
	var generated []*kgo.Record
	eventually(t, func() error {
		if generated = s.committed(t, "rows"); len(generated) < rows {
			return fmt.Errorf("%d rows, want %d", len(generated), rows)
		}
		return nil
	})
	for i, r := range generated {
		if want := fmt.Sprintf(`{"id":%d}`, i); string(r.Value) != want {
			t.Fatalf("row %d is %s", i, r.Value)
		}
	}
	if len(generated) != rows {
		t.Errorf("%d rows, want %d", len(generated), rows)
	}
	s.stop(t)
}

// linesOf wants every line in a file, and no other.
func linesOf(path string, n int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	seen := make([]bool, n)
	found := 0
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		var i int
		if _, err := fmt.Sscanf(line, "line %d of the file", &i); err != nil || i < 0 || i >= n || line != fmt.Sprintf("line %d of the file", i) {
			return fmt.Errorf("the line %q is none of the file's", line)
		}
		if !seen[i] {
			seen[i] = true
			found++
		}
	}
	if found < n {
		return fmt.Errorf("%d of %d lines", found, n)
	}
	return nil
}
