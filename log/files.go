package log

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Names of the files, Kafka's own except for the catalogue.
const (
	lockFile          = ".lock"
	metaFile          = "meta.properties"
	catalogFile       = "topics.json"
	cleanShutdownFile = ".kafka_cleanshutdown"
	recoveryPointFile = "recovery-point-offset-checkpoint"
	logStartFile      = "log-start-offset-checkpoint"
	cleanerFile       = "cleaner-offset-checkpoint"
	holesFile         = "offset-holes-checkpoint"
	partitionFile     = "partition.metadata"
	epochFile         = "leader-epoch-checkpoint"

	logSuffix       = ".log"
	indexSuffix     = ".index"
	timeIndexSuffix = ".timeindex"
	txnIndexSuffix  = ".txnindex"
	snapshotSuffix  = ".snapshot"
	tempSuffix      = ".tmp"
	cleanedSuffix   = ".cleaned"
	swapSuffix      = ".swap"
	deletedSuffix   = "-delete"
	straySuffix     = "-stray"
)

// maxMetadataFile is the limit in bytes for files that are read whole (I5).
const maxMetadataFile = 256 << 20

// offsetName is the file name for an offset: 20 digits and the suffix.
func offsetName(offset int64, suffix string) string { return fmt.Sprintf("%020d%s", offset, suffix) }

// parseOffsetName is the reverse of offsetName.
func parseOffsetName(name, suffix string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	offset, err := strconv.ParseInt(digits, 10, 64)
	return offset, err == nil && offset >= 0
}

// syncError marks an error of fsync: what is on disk is unknown, so the log has to stop (I1).
type syncError struct{ err error }

func (e *syncError) Error() string { return e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }

// isFull reports whether a write met a full disk or quota.
func isFull(err error) bool {
	var sync *syncError
	return !errors.As(err, &sync) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT))
}

// syncFile and syncDir mark their errors.
func syncFile(f vfs.File) error {
	if err := f.Sync(); err != nil {
		return &syncError{err}
	}
	return nil
}

func syncDir(fsys vfs.FS, dir string) error {
	if err := fsys.SyncDir(dir); err != nil {
		return &syncError{err}
	}
	return nil
}

// writeFile replaces a file durably and atomically: temporary file, fsync, rename, fsync of the directory.
func writeFile(fsys vfs.FS, name string, data []byte) error {
	temp := name + tempSuffix
	if err := writeTemp(fsys, temp, data); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(name), err)
	}
	if err := fsys.Rename(temp, name); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(name), err)
	}
	return syncDir(fsys, filepath.Dir(name))
}

func writeTemp(fsys vfs.FS, temp string, data []byte) error {
	f, err := fsys.OpenFile(temp, vfs.Create|vfs.Truncate)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = syncFile(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// readFile reads a whole file.
func readFile(fsys vfs.FS, name string) ([]byte, error) {
	f, err := fsys.OpenFile(name, vfs.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxMetadataFile {
		return nil, fmt.Errorf("read %s: %d bytes are too many", name, size)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); err != nil && (err != io.EOF || n < len(b)) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

// partitionKey names a partition in the checkpoint files of the data directory.
type partitionKey struct {
	topic     string
	partition int32
}

// dirName is the name of a partition's directory.
func (k partitionKey) dirName() string { return k.topic + "-" + strconv.Itoa(int(k.partition)) }

// encodeOffsets is Kafka's offset checkpoint: version 0, number of lines, then "topic partition offset" lines.
func encodeOffsets(offsets map[string]map[int32]int64) []byte {
	var lines bytes.Buffer
	n := 0
	for _, topic := range sortedKeys(offsets) {
		for p := int32(0); len(offsets[topic]) > 0; p++ {
			if offset, ok := offsets[topic][p]; ok {
				fmt.Fprintf(&lines, "%s %d %d\n", topic, p, offset)
				delete(offsets[topic], p)
				n++
			}
		}
	}
	return append(fmt.Appendf(nil, "0\n%d\n", n), lines.Bytes()...)
}

// decodeOffsets reads an offset checkpoint.
func decodeOffsets(b []byte) (map[partitionKey]int64, error) {
	lines, err := checkpointLines(b)
	if err != nil {
		return nil, err
	}
	m := map[partitionKey]int64{}
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("line %q: want topic, partition, offset", line)
		}
		p, err1 := strconv.ParseInt(f[1], 10, 32)
		offset, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 != nil || err2 != nil || p < 0 || offset < 0 {
			return nil, fmt.Errorf("line %q: not a number", line)
		}
		m[partitionKey{f[0], int32(p)}] = offset
	}
	return m, nil
}

// checkpointLines checks the version and the count and returns the other lines.
func checkpointLines(b []byte) ([]string, error) {
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) < 2 || lines[0] != "0" {
		return nil, fmt.Errorf("want version 0 and a count")
	}
	if n, err := strconv.Atoi(lines[1]); err != nil || n != len(lines)-2 {
		return nil, fmt.Errorf("count is %q, found %d lines", lines[1], len(lines)-2)
	}
	return lines[2:], nil
}

// readOffsets reads an offset checkpoint file. A missing one is empty.
func readOffsets(fsys vfs.FS, name string) (map[partitionKey]int64, error) {
	b, err := readFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeOffsets(b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return m, nil
}

// epochEntry says at which offset a leader epoch started.
type epochEntry struct {
	epoch int32
	start int64
}

// encodeEpochs is Kafka's leader epoch checkpoint: version 0, number of lines, then "epoch start-offset" lines.
func encodeEpochs(entries []epochEntry) []byte {
	b := fmt.Appendf(nil, "0\n%d\n", len(entries))
	for _, e := range entries {
		b = fmt.Appendf(b, "%d %d\n", e.epoch, e.start)
	}
	return b
}

// decodeEpochs reads a leader epoch checkpoint. Epochs and offsets must rise.
func decodeEpochs(b []byte) ([]epochEntry, error) {
	lines, err := checkpointLines(b)
	if err != nil {
		return nil, err
	}
	var entries []epochEntry
	for _, line := range lines {
		epoch, start, _ := strings.Cut(line, " ")
		e, err1 := strconv.ParseInt(epoch, 10, 32)
		s, err2 := strconv.ParseInt(start, 10, 64)
		if err1 != nil || err2 != nil || e < 0 || s < 0 {
			return nil, fmt.Errorf("line %q: want epoch and offset", line)
		}
		if n := len(entries); n > 0 && (entries[n-1].epoch >= int32(e) || entries[n-1].start > s) {
			return nil, fmt.Errorf("line %q: does not follow the one before", line)
		}
		entries = append(entries, epochEntry{int32(e), s})
	}
	return entries, nil
}
