package file

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

const patience = time.Minute

func TestConformance(t *testing.T) {
	connecttest.Spec(t, Spec, map[string]string{"file": "/var/log/app.log", "topic": "lines"})
	connecttest.Source(t, func(t testing.TB) connecttest.SourceFixture {
		path := filepath.Join(t.TempDir(), "lines")
		return connecttest.SourceFixture{
			Spec:     Spec,
			Settings: map[string]string{"file": path, "topic": "lines", "batch.size": "7"},
			Produce: func(from, to int) {
				var text strings.Builder
				for n := from; n < to; n++ {
					fmt.Fprintf(&text, "%d\n", n)
				}
				appendTo(t, path, text.String())
			},
			Number: func(r *connect.Record) (int, error) { return strconv.Atoi(r.Value.Text()) },
		}
	})
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// reader plays the engine for a source.
type reader struct {
	t      testing.TB
	config map[string]string
	source connect.Source
	offset json.RawMessage // the last mark's
	marks  []connect.Mark  // of the last Read
}

func newReader(t testing.TB, path string, settings ...string) *reader {
	t.Helper()
	r := &reader{t: t, config: map[string]string{"topic": "lines"}}
	if path != "" {
		r.config["file"] = path
	}
	for i := 0; i < len(settings); i += 2 {
		r.config[settings[i]] = settings[i+1]
	}
	r.restart()
	t.Cleanup(func() { r.close() })
	return r
}

func (r *reader) close() {
	if err := r.source.Close(); err != nil {
		r.t.Error(err)
	}
}

// restart goes on with a new source at the last mark.
func (r *reader) restart() {
	r.t.Helper()
	if r.source != nil {
		r.close()
	}
	cfg, err := Spec.Configure(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.source = cfg.(connect.SourceConfig).Source()
	err = r.source.Open(r.t.Context(), connect.SourceContext{Logger: slog.New(slog.DiscardHandler),
		Offset: func(context.Context, json.RawMessage) (json.RawMessage, error) { return r.offset, nil }})
	if err != nil {
		r.t.Fatal(err)
	}
}

// read returns the lines of one Read of at most n.
func (r *reader) read(n int, wait time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), wait)
	defer cancel()
	b := connect.NewBatch(n, 1<<20)
	err := r.source.Read(ctx, b)
	var lines []string
	for _, rec := range b.Records() {
		lines = append(lines, rec.Value.Text())
	}
	r.marks = append(r.marks[:0], b.Marks()...)
	for _, m := range b.Marks() {
		r.offset = m.Offset
	}
	return lines, err
}

// want reads until there are as many lines as wanted and compares them.
func (r *reader) want(want ...string) {
	r.t.Helper()
	var got []string
	for len(got) < len(want) {
		lines, err := r.read(100, patience)
		if err != nil {
			r.t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, lines...)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.t.Fatalf("got lines %q, want %q", got, want)
	}
}

// wantNothing reads for a moment.
func (r *reader) wantNothing() {
	r.t.Helper()
	if got, err := r.read(100, 30*time.Millisecond); len(got) > 0 || err != context.DeadlineExceeded {
		r.t.Fatalf("got lines %q and error %v, want none before the deadline", got, err)
	}
}

func TestWaitsForTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later")
	r := newReader(t, path)
	r.wantNothing()
	appendTo(t, path, "here\n")
	r.want("here")
	if got := string(r.marks[0].Partition); got != `{"filename":"`+path+`"}` || string(r.offset) != `{"position":5}` {
		t.Errorf("got partition %s and offset %s", got, r.offset)
	}
}

func TestFileThatIsRenamedAndReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	appendTo(t, path, "one\n")
	r := newReader(t, path)
	r.want("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.wantNothing()
	appendTo(t, path+".1", "two\nthree without an end")
	r.want("two")
	longer := strings.Repeat("four ", 20) // than the position in the old file
	appendTo(t, path, longer+"\n")
	r.want("three without an end", longer)
	if string(r.offset) != `{"position":101}` {
		t.Errorf("got offset %s, want that of the new file", r.offset)
	}
	r.restart()
	appendTo(t, path, "five\n")
	r.want("five")
}

func TestFileThatIsTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	appendTo(t, path, "one\ntwo\nhalf of thr")
	r := newReader(t, path)
	r.want("one", "two")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	r.wantNothing()
	appendTo(t, path, "four\n")
	r.want("four")
	r.close()
	if err := os.WriteFile(path, []byte("5\n"), 0o644); err != nil { // while no source looks
		t.Fatal(err)
	}
	r.source = nil
	r.restart()
	r.want("5")
}

// TestNamedPipe reads what has no positions, as standard input.
func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, path)
	r.wantNothing()
	appendTo(t, path, "one\ntwo\n")
	r.want("one", "two")
	if m := r.marks[len(r.marks)-1]; m.Partition != nil || m.Offset != nil {
		t.Errorf("a pipe has the offset %s of %s", m.Offset, m.Partition)
	}
	r.wantNothing()
}

func TestLineThatIsTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long")
	appendTo(t, path, "short\n"+strings.Repeat("x", 300_000))
	r := newReader(t, path, "line.max.bytes", "100000")
	r.want("short")
	_, err := r.read(100, patience)
	if err == nil || !strings.Contains(err.Error(), "position 6") || !strings.Contains(err.Error(), "line.max.bytes") {
		t.Errorf("got error %v, want one that says where the line begins and what to do", err)
	}
}

func TestLongLinesInSmallBatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long")
	var want []string
	for i := range 50 {
		want = append(want, strings.Repeat(string(rune('a'+i%26)), i*i*100))
	}
	appendTo(t, path, strings.Join(want, "\r\n")+"\r\n")
	r := newReader(t, path, "batch.size", "3")
	r.want(want...)
	r.restart()
	r.wantNothing()
}

func TestOptions(t *testing.T) {
	for settings, option := range map[string]string{"topic=": "topic", "topic=t,batch.size=0": "batch.size", "topic=t,line.max.bytes=0": "line.max.bytes"} {
		m := map[string]string{}
		for _, pair := range strings.Split(settings, ",") {
			k, v, _ := strings.Cut(pair, "=")
			m[k] = v
		}
		if _, err := Spec.Configure(m); err == nil || !strings.Contains(err.Error(), option) {
			t.Errorf("%s: got error %v, want one about %s", settings, err, option)
		}
	}
	for file, want := range map[string]bool{"": false, "/f": true} {
		if got := (&Config{file: file}).ExactlyOnce(); got != want {
			t.Errorf("ExactlyOnce with file %q: got %v", file, got)
		}
	}
}

// FuzzLines parts text in pieces of any size as it does in one.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\nc\rd\r\r\n"), uint8(1))
	f.Add([]byte("\r\n\r\n\n\r"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		whole, pieces := split(text, len(text)+1), split(text, int(piece)+1)
		if fmt.Sprintf("%q", whole) != fmt.Sprintf("%q", pieces) {
			t.Fatalf("%q: %q in one piece, %q in pieces of %d", text, whole, pieces, piece+1)
		}
	})
}

func split(text []byte, piece int) (got []string) {
	var l lines
	total := 0
	for len(text) > 0 {
		n := copy(l.room(), text[:min(piece, len(text))])
		l.added(n)
		text = text[n:]
		for {
			line, size := l.next()
			if size == 0 {
				break
			}
			total += size
			got = append(got, string(line))
		}
		l.release()
	}
	return append(got, string(l.rest()), strconv.Itoa(total))
}
