package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
)

const (
	// standardInput is opened anew, so that waiting for it can end.
	standardInput = "/dev/stdin"
	// A file at whose end the source is is looked at again after shortestWait, then
	// less and less often.
	shortestWait = 10 * time.Millisecond
	longestWait  = time.Second
	// streamWait is how long one read of a stream lasts, at most.
	streamWait = 100 * time.Millisecond
)

// Source reads a file.
type Source struct {
	config    Config
	path      string
	partition json.RawMessage // nil: no position is kept
	log       *slog.Logger
	stored    func(context.Context, json.RawMessage) (json.RawMessage, error)

	file     *os.File
	regular  bool  // it has positions; otherwise it is a stream, or not opened yet
	position int64 // in a regular file, of the first byte that no record has
	lines    lines
	missing  bool          // the log says so
	wait     time.Duration // before the file is looked at again
	scratch  []byte
}

// Open notes what to read. The file may come later.
func (s *Source) Open(_ context.Context, sc connect.SourceContext) (err error) {
	s.log, s.stored, s.path, s.wait = sc.Logger, sc.Offset, s.config.file, shortestWait
	if s.path == "" {
		s.path = standardInput
		return nil
	}
	s.partition, err = partitionOf(s.path)
	return err
}

// Close closes the file.
func (s *Source) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// Read appends lines until the batch is full or the file has no more, and waits
// while there is none.
func (s *Source) Read(ctx context.Context, b *connect.Batch) error {
	for {
		now := time.Now().UnixMilli()
		full := s.take(b, now)
		var more bool
		var err error
		if !full {
			more, err = s.fill(ctx, b, now)
		}
		switch {
		case err != nil && b.Len() == 0:
			return err
		case b.Len() > 0 && !more: // an error comes again with the next Read
			s.wait = shortestWait
			s.mark(b)
			return nil
		case !more:
			if err := s.rest(ctx); err != nil {
				return err
			}
		}
	}
}

// take appends the lines that are in memory and tells whether the batch is full.
func (s *Source) take(b *connect.Batch, now int64) bool {
	for b.Len() < s.config.batchSize && !b.Full() {
		line, size := s.lines.next()
		if size == 0 {
			return false
		}
		s.position += int64(size)
		s.append(b, line, now)
	}
	return true
}

func (s *Source) append(b *connect.Batch, line []byte, now int64) {
	if !utf8.Valid(line) {
		s.scratch = s.scratch[:0]
		for _, r := range string(line) { // U+FFFD for what is not UTF-8, as Java has it
			s.scratch = utf8.AppendRune(s.scratch, r)
		}
		line = s.scratch
	}
	r := b.Append()
	r.Topic, r.Timestamp = s.config.topic, now
	r.ValueSchema, r.Value = connect.StringSchema, connect.StringValue(b.Text(line))
}

func (s *Source) mark(b *connect.Batch) {
	m := connect.Mark{}
	if s.partition != nil && s.regular {
		m.Partition = s.partition
		m.Offset = positionOffset(s.position)
	}
	b.Mark(m)
}

func positionOffset(n int64) json.RawMessage {
	return append(strconv.AppendInt([]byte(`{"`+fieldPosition+`":`), n, 10), '}')
}

// fill reads the next piece of the file into memory. It returns false when there
// is none now.
func (s *Source) fill(ctx context.Context, b *connect.Batch, now int64) (bool, error) {
	if n := s.lines.buffered(); n > s.config.maxLineBytes {
		return false, fmt.Errorf("%s: the line at position %d has more than %d bytes; raise line.max.bytes, or set the offset behind it",
			s.path, s.position, s.config.maxLineBytes)
	}
	if s.file == nil {
		if opened, err := s.open(ctx); !opened {
			return false, err
		}
	}
	if !s.regular {
		return s.readStream()
	}
	size, err := s.size()
	if err != nil {
		return false, err
	}
	if at := s.position + int64(s.lines.buffered()); at != size {
		return s.readAt(at, size)
	}
	return s.replaced(b, now)
}

// open opens the file, if it is there.
func (s *Source) open(ctx context.Context) (bool, error) {
	f, err := os.OpenFile(s.path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe without a writer would not open
	if errors.Is(err, os.ErrNotExist) {
		if !s.missing {
			s.log.Warn("the file does not exist, waiting for it", "file", s.path)
			s.missing = true
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open the file to read: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; name a file", s.path)
	}
	if err == nil && info.Mode().IsRegular() && s.partition != nil {
		err = s.resume(ctx)
	}
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	s.file, s.missing = f, false
	s.log.Info("reading the file", "file", s.path, "position", s.position)
	return true, nil
}

// resume takes the stored position for the first file, and the start of those that
// replace it.
func (s *Source) resume(ctx context.Context) error {
	if s.regular {
		return nil
	}
	offset, err := s.stored(ctx, s.partition)
	if err == nil && offset != nil {
		s.position, err = parsePosition(offset)
	}
	s.regular = err == nil
	return err
}

func (s *Source) size() (int64, error) {
	info, err := s.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at the file: %w", err)
	}
	return info.Size(), nil
}

// readAt reads a piece of a regular file.
func (s *Source) readAt(at, size int64) (bool, error) {
	if size < at {
		s.log.Warn("the file is shorter than the position: reading it from its start", "file", s.path, "position", at, "size", size)
		s.lines, s.position = lines{}, 0
		return true, nil
	}
	n, err := s.file.ReadAt(s.lines.room(), at)
	s.lines.added(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the file: %w", err)
	}
	return n > 0, nil
}

// readStream waits a moment for a piece of a stream.
func (s *Source) readStream() (bool, error) {
	// Without deadlines it is no pipe, and reads of it do not wait.
	if err := s.file.SetReadDeadline(time.Now().Add(streamWait)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return false, fmt.Errorf("wait for %s: %w", s.path, err)
	}
	n, err := s.file.Read(s.lines.room())
	s.lines.added(n)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, fmt.Errorf("read %s: %w", s.path, err)
	}
	return n > 0, nil
}

// replaced looks, at the end of a regular file, whether its name belongs to another
// one by now, and goes over to that.
func (s *Source) replaced(b *connect.Batch, now int64) (bool, error) {
	named, err := os.Stat(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // renamed, with the next one still to come
	}
	if err != nil {
		return false, fmt.Errorf("look at the file: %w", err)
	}
	opened, err := s.file.Stat()
	if err != nil {
		return false, fmt.Errorf("look at the file: %w", err)
	}
	if os.SameFile(named, opened) {
		return false, nil
	}
	if opened.Size() != s.position+int64(s.lines.buffered()) {
		return true, nil // more was written before it was replaced
	}
	s.log.Info("the file was replaced, going over to the new one", "file", s.path, "position", s.position)
	if rest := s.lines.rest(); len(rest) > 0 {
		s.append(b, trimCR(rest), now)
	}
	err = s.file.Close()
	s.file, s.position = nil, 0
	if err != nil {
		return false, fmt.Errorf("close the file: %w", err)
	}
	return true, nil
}

// trimCR takes the \r off that waited for its \n.
func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// rest waits before the file is looked at again.
func (s *Source) rest(ctx context.Context) error {
	s.lines.release()
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	s.wait = min(2*s.wait, longestWait)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
