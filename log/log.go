package log

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Attribute keys of log lines.
const (
	keyTopic     = "topic"
	keyPartition = "partition"
	keyOffset    = "offset"
)

// Log is a directory of topics. Open it once per process. All methods may be called concurrently.
type Log struct {
	cfg       Config
	fs        vfs.FS
	files     *fdCache
	clusterID string
	lock      io.Closer
	syncer    *syncer
	janitor   *janitor
	cleaner   *cleaner
	wg        sync.WaitGroup // the syncer, the janitor and the cleaner

	// changes serialises what changes the catalogue; it is held while the file is written.
	changes sync.Mutex
	deleted []topicID // topics whose directories may still be there; guarded by changes
	// stale says that the checkpoint files, which know topics by name, may have lines of a deleted topic, which a new one of
	// that name must not inherit. Guarded by changes.
	stale bool

	mu     sync.RWMutex // guards the maps
	topics map[string]*Topic
	byID   map[topicID]*Topic

	// Dynamic broker configs, and the configuration that they give a topic without overrides. Written under changes.
	broker   atomic.Pointer[BrokerOverrides]
	defaults atomic.Pointer[TopicConfig]

	checkpoints sync.Mutex // serialises the writing of checkpoint files

	codecs codecs
	stats  Stats

	failed   chan struct{}
	failOnce sync.Once
	failure  atomic.Pointer[error]
	closing  atomic.Bool
}

// Open recovers the log in the directory and starts its three goroutines: one syncs, one looks after retention and recovery
// points, one compacts. A partition whose files are damaged is offline, see [Partition.Err]; everything else is served.
//
// ErrLocked means that another process has it open. Other errors name the file.
func Open(cfg Config) (*Log, error) {
	cfg = cfg.withDefaults()
	l := &Log{
		cfg: cfg, fs: cfg.FS, files: newFDCache(cfg.FS, cfg.MaxOpenFiles),
		syncer: newSyncer(cfg.SyncParallelism), janitor: newJanitor(), cleaner: newCleaner(&cfg),
		codecs: newCodecs(cfg.MaxDecompressed),
		topics: map[string]*Topic{}, byID: map[topicID]*Topic{}, failed: make(chan struct{}),
	}
	l.broker.Store(&BrokerOverrides{})
	l.defaults.Store(&cfg.Topic)
	if err := makeDataDir(cfg.FS, cfg.Dir); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	lock, err := l.fs.Lock(join(cfg.Dir, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%w: %s", ErrLocked, cfg.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	l.lock = lock
	if err := l.load(); err != nil {
		l.files.closeAll()
		return nil, errors.Join(fmt.Errorf("open log %s: %w", cfg.Dir, err), lock.Close())
	}
	l.syncer.volume = openVolume(&l.cfg) // before anything is written that it is to report on
	l.wg.Go(func() { l.syncer.run(l) })
	l.wg.Go(func() { l.janitor.run(l) })
	l.wg.Go(func() { l.cleaner.run(l) })
	return l, nil
}

// makeDataDir creates the data directory and makes its name durable, and those of the parents that it had to create.
func makeDataDir(fsys vfs.FS, dir string) error {
	var made []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := fsys.Stat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, filepath.Dir(d))
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	for _, parent := range made {
		if err := fsys.SyncDir(parent); err != nil {
			return err
		}
	}
	return nil
}

// load reads the directory.
func (l *Log) load() error {
	if err := l.loadClusterID(); err != nil {
		return err
	}
	if err := l.loadCatalog(); err != nil {
		return err
	}
	if err := l.cleanDir(); err != nil {
		return err
	}
	clean, err := l.takeCleanShutdown()
	if err != nil {
		return err
	}
	return l.recover(clean)
}

// loadClusterID reads or makes meta.properties. The id is what clients compare after a reconnect (KIP-1242).
func (l *Log) loadClusterID() error {
	name := join(l.cfg.Dir, metaFile)
	b, err := readFile(l.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		l.clusterID = newTopicID().String()
		return writeFile(l.fs, name, encodeMeta(l.clusterID))
	}
	if err != nil {
		return err
	}
	l.clusterID = decodeMeta(b)
	if l.clusterID == "" {
		return fmt.Errorf("%s has no cluster.id; restore the file, or delete it to get a new cluster id", name)
	}
	return nil
}

// encodeMeta writes meta.properties in Kafka's version 1.
func encodeMeta(clusterID string) []byte {
	return []byte("cluster.id=" + clusterID + "\nnode.id=1\nversion=1\n")
}

// decodeMeta returns the cluster id, or "".
func decodeMeta(b []byte) string {
	for line := range strings.Lines(string(b)) {
		if id, ok := strings.CutPrefix(line, "cluster.id="); ok {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

// takeCleanShutdown reports whether the last process closed the log in order, and removes the mark of it.
func (l *Log) takeCleanShutdown() (bool, error) {
	err := l.fs.Remove(join(l.cfg.Dir, cleanShutdownFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, syncDir(l.fs, l.cfg.Dir)
}

// ClusterID is the id of this log as a Kafka cluster; it stays the same across restarts.
func (l *Log) ClusterID() string { return l.clusterID }

// Failed is closed after a write or fsync error that makes the log unusable. The process should then exit non-zero (I1).
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Err is the error that closed Failed; it matches ErrFailed. nil before that.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail makes the log unusable, for good: after an fsync error the kernel may have dropped what it could not write, and
// another fsync would succeed without it (I1). It takes no lock; the syncer tells the waiters.
func (l *Log) fail(cause error) {
	l.failOnce.Do(func() {
		err := fmt.Errorf("%w: %w", ErrFailed, cause)
		l.failure.Store(&err)
		close(l.failed)
		l.syncer.poke()
	})
}

// ioError turns an error of the file system into one that callers branch on; an fsync error fails the log.
func (l *Log) ioError(err error) error {
	var sync *syncError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &sync):
		l.fail(err)
		return l.Err()
	case isFull(err):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// Close syncs everything, writes producer snapshots, checkpoints and the mark of a clean shutdown, and releases the
// directory. Appends must have ended; what comes later gets ErrClosed. A second Close does nothing.
func (l *Log) Close() error {
	if !l.closing.CompareAndSwap(false, true) {
		return nil
	}
	close(l.janitor.stop)
	close(l.cleaner.stop)
	l.eachPartition(func(p *Partition) { p.stop() })
	close(l.syncer.stop)
	l.wg.Wait()
	err := l.Err()
	if err == nil {
		err = l.ioError(l.writeCleanShutdown())
	}
	l.eachPartition(func(p *Partition) {
		p.mu.Lock()
		p.letGo()
		p.mu.Unlock()
		p.wait.fail(ErrClosed)
	})
	l.files.closeAll()
	return errors.Join(err, l.lock.Close())
}

// writeCleanShutdown leaves the directory so that the next Open has nothing to scan.
func (l *Log) writeCleanShutdown() error {
	var errs []error
	l.eachPartition(func(p *Partition) { errs = append(errs, p.checkpoint()) })
	errs = append(errs, l.writeRecoveryPoints(), l.writeLogStarts())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return writeFile(l.fs, join(l.cfg.Dir, cleanShutdownFile), []byte("{\"version\":0,\"brokerEpoch\":-1}"))
}

// stop refuses appends from now on.
func (p *Partition) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Lock()
	defer p.state.Unlock()
	if p.err == nil {
		p.err = ErrClosed
	}
}

// eachPartition calls f for every partition, in order of topic and number.
func (l *Log) eachPartition(f func(*Partition)) {
	for _, t := range l.Topics() {
		for _, p := range *t.partitions.Load() {
			f(p)
		}
	}
}

// join is filepath.Join for two.
func join(dir, name string) string { return filepath.Join(dir, name) }

// listOffsets lists the offsets of the files in dir that are named by one and have the suffix, sorted.
func listOffsets(fsys vfs.FS, dir, suffix string) ([]int64, error) {
	infos, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var offsets []int64
	for _, info := range infos {
		if o, ok := parseOffsetName(info.Name, suffix); ok {
			offsets = append(offsets, o)
		}
	}
	slices.Sort(offsets)
	return offsets, nil
}

// topicID is a topic's UUID (KIP-516).
type topicID [16]byte

// newTopicID returns a random version 4 UUID. Kafka reserves ids whose text starts with a dash.
func newTopicID() topicID {
	for {
		var id topicID
		_, _ = rand.Read(id[:]) // never fails
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id.String()[0] != '-' {
			return id
		}
	}
}

// String is Kafka's text form: base64 for URLs, without padding.
func (id topicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// parseTopicID is the reverse of String.
func parseTopicID(s string) (topicID, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(topicID{}) {
		return topicID{}, fmt.Errorf("topic id %q: want 22 characters of URL base64", s)
	}
	return topicID(b), nil
}

// encodePartitionMetadata writes partition.metadata.
func encodePartitionMetadata(id topicID) []byte {
	return []byte("version: 0\ntopic_id: " + id.String())
}

// decodePartitionMetadata reads partition.metadata.
func decodePartitionMetadata(b []byte) (topicID, error) {
	for line := range strings.Lines(string(b)) {
		if id, ok := strings.CutPrefix(line, "topic_id: "); ok {
			return parseTopicID(strings.TrimSpace(id))
		}
	}
	return topicID{}, fmt.Errorf("no topic_id")
}
