// Package file is a sink that writes each record's value as a line of text to a
// file, as Kafka's FileStreamSinkConnector does. Records are at least once: what was
// written after the last committed offset is written again after a crash.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttext"
)

// Spec describes the file sink.
var Spec = connect.Spec{
	Class:   "sluice.FileStreamSinkConnector",
	Aliases: []string{"org.apache.kafka.connect.file.FileStreamSinkConnector"},
	Version: "0.1.0",
	Doc: "Appends the value of each record to a file as a line of text, a tombstone as null. The consumer offset moves only " +
		"after the file is synced. Several tasks may write to one file: lines do not mix.",
	New: func() connect.Config { return new(Config) },
}

// Config is the configuration of a file sink.
type Config struct {
	file string
}

// Define binds the options.
func (c *Config) Define(d *connect.Def) {
	d.Add(connect.Option{Name: "file", Var: &c.file, NoDefault: true,
		Doc:   "File to append to, which is made if it does not exist. Standard output when there is none.",
		Group: "File", Importance: connect.High, Display: "File"})
}

// Sink returns a new sink.
func (c *Config) Sink() connect.Sink {
	return &Sink{path: c.file, text: connecttext.Java(), offsets: map[connect.TopicPartition]int64{}}
}

// AlterOffsets has nothing to check: the offsets are those of the consumer group.
func (c *Config) AlterOffsets(context.Context, []connect.PartitionOffset) (bool, error) {
	return true, nil
}

// file is what the sink writes to.
type file interface {
	io.WriteCloser
	Sync() error
}

// Sink writes lines.
type Sink struct {
	path string
	out  file
	text connecttext.Style
	buf  []byte
	// rest is what a Write that was cut short has not written yet of cut, and
	// failed what it could not make lines of. Its repetition goes on there.
	rest   []byte
	cut    place
	failed []connect.RecordError
	// offsets are those of the records that are written and not synced.
	offsets map[connect.TopicPartition]int64
}

// place is where a batch begins.
type place struct {
	connect.TopicPartition
	offset int64
}

var _ connect.Flusher = (*Sink)(nil)

// Open opens the file for appending.
func (s *Sink) Open(context.Context, connect.SinkContext) error {
	if s.path == "" {
		s.out = standardOutput{os.Stdout}
		return nil
	}
	_, err := os.Stat(s.path)
	isNew := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the file to append to: %w", err)
	}
	s.out = f
	if isNew {
		return syncDir(filepath.Dir(s.path))
	}
	return nil
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open the folder to sync: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync the folder: %w", err)
	}
	return nil
}

// Write appends the records' lines in one write, so that the lines of other tasks
// do not come between.
func (s *Sink) Write(_ context.Context, b *connect.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	begin := place{b.From, b.Records()[0].Offset}
	if len(s.rest) == 0 || s.cut != begin {
		s.encode(b)
		s.cut = begin
	}
	n, err := s.out.Write(s.rest)
	s.rest = s.rest[n:]
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return connect.Retriable(fmt.Errorf("append to the file: %w", err))
	}
	if err != nil {
		return fmt.Errorf("append to the file: %w", err)
	}
	s.offsets[b.From] = b.Records()[b.Len()-1].Offset + 1
	if len(s.failed) > 0 {
		return &connect.BatchError{Failed: s.failed}
	}
	return nil
}

// encode makes the lines of a batch the rest to write. What is left of another
// batch, which came to another task meanwhile, goes before them: half of a line may
// be in the file.
func (s *Sink) encode(b *connect.Batch) {
	s.buf, s.failed = append(s.buf[:0], s.rest...), nil
	for i := range b.Records() {
		line, err := s.line(s.buf, &b.Records()[i])
		if err != nil {
			s.failed = append(s.failed, connect.RecordError{Index: i, Err: err})
			continue
		}
		s.buf = append(line, '\n')
	}
	s.rest = s.buf
}

// line appends a value's text. BYTES are themselves.
func (s *Sink) line(dst []byte, r *connect.Record) ([]byte, error) {
	if r.Value.Type() == connect.Bytes && (r.ValueSchema == nil || r.ValueSchema.Name() == "") {
		return append(dst, r.Value.Bytes()...), nil
	}
	return s.text.Append(dst, r.ValueSchema, r.Value)
}

// Flush syncs the file. After an error nobody knows what of it is on disk, so the
// task fails and writes again what was not committed.
func (s *Sink) Flush(context.Context) ([]connect.PartitionOffset, error) {
	if len(s.offsets) == 0 {
		return nil, nil
	}
	if err := s.out.Sync(); err != nil {
		return nil, fmt.Errorf("sync the file: %w", err)
	}
	done := make([]connect.PartitionOffset, 0, len(s.offsets))
	for tp, offset := range s.offsets {
		done = append(done, connect.PartitionOffset{TopicPartition: tp, Offset: offset})
	}
	clear(s.offsets)
	s.trim()
	return done, nil
}

// keepBytes is how much of the buffer stays while nothing comes.
const keepBytes = 64 << 10

func (s *Sink) trim() {
	if cap(s.buf) > keepBytes && len(s.rest) == 0 {
		s.buf, s.rest = nil, nil
	}
}

// Close closes the file.
func (s *Sink) Close() error {
	if s.out == nil {
		return nil
	}
	return s.out.Close()
}

// standardOutput can be neither synced nor closed.
type standardOutput struct{ io.Writer }

func (standardOutput) Sync() error  { return nil }
func (standardOutput) Close() error { return nil }
