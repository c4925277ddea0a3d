package txn

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
)

// Attribute keys of log lines.
const (
	keyID        = "transactional_id"
	keyTopic     = "topic"
	keyPartition = "partition"
	keyProducer  = "producer_id"
	keyEpoch     = "producer_epoch"
)

// maxIDBytes is how long a transactional id may be (I5).
const maxIDBytes = 1000

// Config of [Open]. Zero values mean the defaults given per field.
type Config struct {
	// Log holds the state topic and the partitions of transactions. Required; closed by its owner, after the coordinator.
	Log *log.Log
	// EndOffsets applies or drops the offsets that a transaction has committed in a partition of __consumer_offsets. It is called
	// after the marker there is durable and before the producer's next transaction begins; it may be called again. Required when
	// offsets are committed in transactions.
	EndOffsets func(partition int32, producerID int64, producerEpoch int16, commit bool)
	// Dir is where blocks of producer ids are recorded. Required: usually the log's directory.
	Dir string
	// FS is the file system of Dir. Default: the operating system's.
	FS vfs.FS
	// Logger gets state changes. Default: discard.
	Logger *slog.Logger
	// Partitions of the state topic when it is created (transaction.state.log.num.partitions). Default 50.
	Partitions int
	// MaxTimeout is the longest transaction timeout that a producer may ask for (transaction.max.timeout.ms). Default 15 min.
	MaxTimeout time.Duration
	// TimeoutInterval is how often transactions are looked for that take longer than their timeout
	// (transaction.abort.timed.out.transaction.cleanup.interval.ms). Default 10 s.
	TimeoutInterval time.Duration
	// IDExpiration is how long an id without an open transaction is remembered (transactional.id.expiration.ms). Default 7 d.
	IDExpiration time.Duration
	// MaxWait is how long a request waits for the producer's last transaction to be complete, before it is answered
	// CONCURRENT_TRANSACTIONS. Default 1 s.
	MaxWait time.Duration
	// MaxIDs known at a time (I5). Default 50,000.
	MaxIDs int
	// MaxPartitions of one transaction (I5). Default 10,000.
	MaxPartitions int
	// MaxTotalPartitions of all open transactions together (I5). Default 1,000,000.
	MaxTotalPartitions int
}

func (c Config) withDefaults() Config {
	def(&c.FS, vfs.FS(vfs.OS))
	def(&c.Logger, slog.New(slog.DiscardHandler))
	def(&c.Partitions, 50)
	def(&c.MaxTimeout, 15*time.Minute)
	def(&c.TimeoutInterval, 10*time.Second)
	def(&c.IDExpiration, 7*24*time.Hour)
	def(&c.MaxWait, time.Second)
	def(&c.MaxIDs, 50_000)
	def(&c.MaxPartitions, 10_000)
	def(&c.MaxTotalPartitions, 1_000_000)
	if c.EndOffsets == nil {
		c.EndOffsets = func(int32, int64, int16, bool) {}
	}
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Coordinator is the transaction coordinator of a broker. It is safe for use by
// many goroutines. Errors that it returns are *kerr.Error, or wrap one or an
// error of the log.
//
// Lock order: a transaction's mutex, then Coordinator.mu or store.mu.
type Coordinator struct {
	cfg   Config
	store store
	ids   producerIDs
	total atomic.Int64 // partitions of all open transactions

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	tasks sync.WaitGroup // goroutines; added to while mu is held

	mu     sync.Mutex // guards the fields below
	txns   map[string]*transaction
	closed bool
}

// Open reads the state topic, when there is one, goes on with the transactions
// that were decided, and finds out what became of the others: see the package
// comment. It does not wait for markers. A partition of the state topic that
// cannot be read makes its ids unavailable, not the others.
func Open(cfg Config) (*Coordinator, error) {
	cfg = cfg.withDefaults()
	c := &Coordinator{cfg: cfg, ids: producerIDs{dir: cfg.Dir, fs: cfg.FS}, txns: map[string]*transaction{}}
	c.store.log, c.store.partitions = cfg.Log, cfg.Partitions
	c.ctx, c.stop = context.WithCancel(context.Background())
	if err := c.replay(); err != nil {
		c.stop()
		return nil, fmt.Errorf("read %s: %w", StateTopic, err)
	}
	c.reconcile()
	c.spawn(c.sweep)
	return c, nil
}

// Close stops the coordinator. Markers that are not written yet are written after
// the next start. Requests that wait are answered, later ones get NOT_COORDINATOR.
func (c *Coordinator) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.tasks.Wait()
	return nil
}

// spawn runs f in a goroutine that Close waits for, unless the coordinator is
// closed.
func (c *Coordinator) spawn(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.tasks.Go(f)
	}
}

// EnsureTopic returns the state topic and creates it when it is missing.
func (c *Coordinator) EnsureTopic() (*log.Topic, error) { return c.store.topic() }

// NewProducerID returns a producer id that was never given before, for a producer
// without a transactional id.
func (c *Coordinator) NewProducerID() (int64, error) { return c.ids.next() }

// all returns the transactions sorted by transactional id.
func (c *Coordinator) all() []*transaction {
	c.mu.Lock()
	all := make([]*transaction, 0, len(c.txns))
	for _, t := range c.txns {
		all = append(all, t)
	}
	c.mu.Unlock()
	slices.SortFunc(all, func(a, b *transaction) int { return cmp.Compare(a.id, b.id) })
	return all
}

// find returns what is known of an id; INVALID_PRODUCER_ID_MAPPING when that is
// nothing.
func (c *Coordinator) find(id string) (*transaction, error) {
	if id == "" {
		return nil, kerr.InvalidRequest
	}
	c.mu.Lock()
	t, closed := c.txns[id], c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return nil, kerr.NotCoordinator
	case t != nil:
		return t, nil
	}
	if err := c.store.check(id); err != nil {
		return nil, err
	}
	return nil, kerr.InvalidProducerIDMapping
}

// findOrMake is find that makes an id known with producerID.
func (c *Coordinator) findOrMake(id string, producerID int64) (*transaction, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, kerr.NotCoordinator
	}
	if t := c.txns[id]; t != nil {
		return t, nil
	}
	if len(c.txns) >= c.cfg.MaxIDs { // I5
		return nil, kerr.CoordinatorNotAvailable
	}
	t := &transaction{c: c, id: id, meta: newMetadata(producerID)}
	c.txns[id] = t
	return t, nil
}

// forget removes a dead id.
func (c *Coordinator) forget(t *transaction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.txns[t.id] == t {
		delete(c.txns, t.id)
	}
}
