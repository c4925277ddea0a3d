package postgres

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

// signalFile looks for signals in a file, one JSON object a line, and empties it.
type signalFile struct {
	path     string
	interval time.Duration
	log      *slog.Logger
	inbox    *inbox
}

// maxSignalFile is how long the file may be (I5).
const maxSignalFile = 1 << 20

// run looks until the context ends.
func (f *signalFile) run(ctx context.Context) {
	f.log.Info("signals are read from a file", "signal.file", f.path)
	for {
		if err := f.look(ctx); err != nil {
			f.log.Warn("read signals", "signal.file", f.path, "error", err)
		}
		if sleep(ctx, f.interval) != nil {
			return
		}
	}
}

func (f *signalFile) look(ctx context.Context) error {
	text, err := readSmall(f.path, maxSignalFile)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	// Emptied first: a signal that cannot be handled must not come again for ever.
	if err := os.Truncate(f.path, 0); err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxSignalFile)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		s, err := parseSignal(line)
		if err != nil {
			f.log.Warn("a signal is left out: it is no JSON object with id, type and data", "signal.file", f.path, "error", err)
			continue
		}
		if err := f.inbox.put(ctx, s); err != nil {
			return err
		}
	}
	return lines.Err()
}

// parseSignal reads a signal of a file or a topic. data is an object, or the text
// of one.
func parseSignal(text []byte) (signal, error) {
	var line struct {
		ID   string          `json:"id"`
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return signal{}, err
	}
	s := signal{ID: line.ID, Type: line.Type, Data: string(line.Data), topicOffset: -1}
	var quoted string
	if json.Unmarshal(line.Data, &quoted) == nil {
		s.Data = quoted
	}
	return s, nil
}
