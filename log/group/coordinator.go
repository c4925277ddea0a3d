package group

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/log"
)

// OffsetsTopic holds the offsets and the metadata of all groups.
const OffsetsTopic = "__consumer_offsets"

// Config of [Open]. Zero values mean the defaults given per field.
type Config struct {
	// Log holds the offsets topic. Required; closed by its owner, after the coordinator.
	Log *log.Log
	// Logger gets state changes. Default: discard.
	Logger *slog.Logger
	// Partitions of the offsets topic when it is created (offsets.topic.num.partitions). Default 50.
	Partitions int
	// InitialRebalanceDelay is how long an empty group waits for more members (group.initial.rebalance.delay.ms).
	// Default 3 s; negative: not at all.
	InitialRebalanceDelay time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what members may ask for. Default 6 s and 30 min.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// MaxMembers of one classic group (group.max.size), MaxConsumerMembers of one of the consumer protocol
	// (group.consumer.max.size). Default 1,000 each.
	MaxMembers, MaxConsumerMembers int
	// ConsumerSessionTimeout (group.consumer.session.timeout.ms) and ConsumerHeartbeatInterval
	// (group.consumer.heartbeat.interval.ms) hold for members of the consumer protocol. Default 45 s and 5 s.
	ConsumerSessionTimeout, ConsumerHeartbeatInterval time.Duration
	// OffsetsRetention is how long the offsets of a group without members are kept (offsets.retention.minutes). Default
	// 7 days. RetentionCheckInterval is how often that is looked at (offsets.retention.check.interval.ms). Default 10 min.
	OffsetsRetention, RetentionCheckInterval time.Duration
	// MigrationPolicy is group.consumer.migration.policy. Default MigrateBoth.
	MigrationPolicy MigrationPolicy
	// MaxGroups known at a time (I5). Default 10,000.
	MaxGroups int
	// MaxBytes of what all groups hold in memory: members, their subscriptions and assignments, and offsets (I5). What was
	// accepted before a restart is held in any case. Default 256 MiB.
	MaxBytes int64
	// MaxMetadataBytes of one committed offset (offset.metadata.max.bytes). Default 4096.
	MaxMetadataBytes int
}

func (c Config) withDefaults() Config {
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.Partitions = cmp.Or(c.Partitions, 50)
	c.InitialRebalanceDelay = max(cmp.Or(c.InitialRebalanceDelay, 3*time.Second), 0)
	c.MinSessionTimeout = cmp.Or(c.MinSessionTimeout, 6*time.Second)
	c.MaxSessionTimeout = cmp.Or(c.MaxSessionTimeout, 30*time.Minute)
	c.MaxMembers = cmp.Or(c.MaxMembers, 1000)
	c.MaxConsumerMembers = cmp.Or(c.MaxConsumerMembers, 1000)
	c.ConsumerSessionTimeout = cmp.Or(c.ConsumerSessionTimeout, 45*time.Second)
	c.ConsumerHeartbeatInterval = cmp.Or(c.ConsumerHeartbeatInterval, 5*time.Second)
	c.OffsetsRetention = cmp.Or(c.OffsetsRetention, 7*24*time.Hour)
	c.RetentionCheckInterval = cmp.Or(c.RetentionCheckInterval, 10*time.Minute)
	c.MigrationPolicy = cmp.Or(c.MigrationPolicy, MigrateBoth)
	c.MaxGroups = cmp.Or(c.MaxGroups, 10_000)
	c.MaxBytes = cmp.Or(c.MaxBytes, 256<<20)
	c.MaxMetadataBytes = cmp.Or(c.MaxMetadataBytes, 4096)
	return c
}

// Coordinator is the group coordinator of a broker. It is safe for use by many
// goroutines. Errors that it returns are *kerr.Error, or wrap one, unless said
// otherwise.
//
// Lock order: a group's mutex, then Coordinator.mu.
type Coordinator struct {
	cfg   Config
	store store
	held  atomic.Int64  // bytes, see Config.MaxBytes
	done  chan struct{} // closed by Close
	tasks sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	groups map[string]*group
	txns   map[transaction]map[*group]struct{} // which groups have offsets in an open transaction
	closed bool
}

// Open reads the offsets topic, when there is one, and returns a coordinator
// with every group as it was. Members of stored groups get a full session
// timeout to show up.
func Open(cfg Config) (*Coordinator, error) {
	cfg = cfg.withDefaults()
	c := newCoordinator(cfg)
	c.store.log, c.store.partitions = cfg.Log, cfg.Partitions
	if err := c.replay(); err != nil {
		return nil, fmt.Errorf("read %s: %w", OffsetsTopic, err)
	}
	for _, g := range c.groups {
		g.resume()
	}
	c.forgetMissingTopics()
	c.tasks.Go(c.expireLoop)
	return c, nil
}

func newCoordinator(cfg Config) *Coordinator {
	return &Coordinator{
		cfg: cfg, done: make(chan struct{}),
		groups: map[string]*group{}, txns: map[transaction]map[*group]struct{}{},
	}
}

// Close stops the timers. Members that wait are answered NOT_COORDINATOR, so that
// they look for the coordinator again.
func (c *Coordinator) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.done)
	}
	c.mu.Unlock()
	c.tasks.Wait()
	for _, g := range c.all() {
		g.stop()
	}
	return nil
}

// Config is the coordinator's, with the defaults where it was silent.
func (c *Coordinator) Config() Config { return c.cfg }

// EnsureTopic returns the offsets topic and creates it when it is missing.
func (c *Coordinator) EnsureTopic() (*log.Topic, error) { return c.store.topic() }

// all returns the groups sorted by id.
func (c *Coordinator) all() []*group {
	c.mu.Lock()
	groups := make([]*group, 0, len(c.groups))
	for _, g := range c.groups {
		groups = append(groups, g)
	}
	c.mu.Unlock()
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(a.id, b.id) })
	return groups
}

// lock returns the group, locked, or an error when the group cannot be served
// here. A group that does not exist is nil without error, unless create is set.
func (c *Coordinator) lock(id string, create bool) (*group, error) {
	if id == "" || len(id) > maxNameBytes {
		return nil, kerr.InvalidGroupID
	}
	if err := c.store.check(id); err != nil {
		return nil, err
	}
	for {
		g, err := c.lookUp(id, create)
		if g == nil {
			return nil, err
		}
		g.mu.Lock()
		if g.state != dead {
			return g, nil
		}
		g.mu.Unlock() // deleted between the two locks: look again
	}
}

func (c *Coordinator) lookUp(id string, create bool) (*group, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, kerr.NotCoordinator
	}
	g := c.groups[id]
	if g != nil || !create {
		return g, nil
	}
	if len(c.groups) >= c.cfg.MaxGroups { // I5
		return nil, kerr.CoordinatorNotAvailable
	}
	g = newGroup(c, id)
	c.groups[id] = g
	return g, nil
}

// forget removes a dead group. The caller holds the group's mutex and has set
// its state; lookUp never takes that mutex while it holds mu, so this cannot
// deadlock.
func (c *Coordinator) forget(g *group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups[g.id] == g {
		delete(c.groups, g.id)
	}
}
