package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The protocols that a group of workers can use (connect.protocol). Sessioned, the
// default, falls back to Compatible as long as one member knows nothing newer.
const (
	Sessioned  = "sessioned"
	Compatible = "compatible"
	eager      = "eager" // refused: it stops everything at each rebalance
)

// The values of Assignment.Err.
const (
	NoError        = 0
	ConfigMismatch = 1 // the leader has read less of the config topic than a member
)

// Config configures a Member. The zero value of a field with a default means that.
type Config struct {
	// Client sends the requests. It stays its owner's, who closes it after Run.
	Client *kgo.Client
	// GroupID is the worker's group.id.
	GroupID string
	// URL is the advertised URL of this worker's REST API, http://host:port/.
	URL string

	SessionTimeout    time.Duration // session.timeout.ms, 10 s
	HeartbeatInterval time.Duration // heartbeat.interval.ms, 3 s
	RebalanceTimeout  time.Duration // rebalance.timeout.ms, 60 s
	// MaxDelay is scheduled.rebalance.max.delay.ms: how long the work of a lost
	// worker is kept for it. 5 minutes by default; negative: not at all.
	MaxDelay time.Duration
	// SyncTimeout is worker.sync.timeout.ms: how long a leader may take to read what
	// a member has read of the config topic; 3 s.
	SyncTimeout time.Duration
	// Protocol is Sessioned by default.
	Protocol string
	// Logger takes the log; nil discards it.
	Logger *slog.Logger

	// Snapshot returns what this worker has read of the config topic. It is called
	// before each join, and by the leader for what the assignment is computed from.
	Snapshot func(context.Context) (ConfigSnapshot, error)
}

// ConfigSnapshot is the state of the config topic up to an offset.
type ConfigSnapshot struct {
	Offset     int64          // of the next record to read; -1 when there was none yet
	Connectors []string       // all that exist
	Tasks      map[string]int // the committed number of tasks; a stopped connector has none
}

// TaskID names a task.
type TaskID struct {
	Connector string
	Task      int
}

// Assignment is what a worker owns, and who leads.
type Assignment struct {
	MemberID, LeaderID, LeaderURL string
	Generation                    int32
	// Offset is how far the config topic has to be read before new work is started.
	Offset   int64
	IsLeader bool
	// Sessioned says that requests between workers are signed (KIP-507).
	Sessioned bool
	// Err is ConfigMismatch when the leader could not assign anything: what was
	// owned still is, and the member joins again by itself.
	Err int16
	// Connectors and Tasks are everything that is owned now, not just what is new.
	Connectors []string
	Tasks      []TaskID
	// UnownedConnectors and UnownedTasks are for the leader: what exists and nobody
	// owns after this round, because its worker was lost or has just given it up.
	UnownedConnectors []string
	UnownedTasks      []TaskID
	// Workers is for the leader too: the URLs of all members.
	Workers []string
}

// Listener starts and stops work. Its methods are called one at a time.
type Listener interface {
	// OnAssigned says what the worker owns from now on; what it has and is not in the
	// assignment was given to OnRevoked before. It returns without waiting for
	// anything to start. An assignment without a LeaderID says that the worker is in
	// no group now: it owns nothing, and leads nobody.
	OnAssigned(Assignment)
	// OnRevoked returns when the given work has stopped, which must take less than
	// half of the session timeout: work that is slower has to be abandoned.
	OnRevoked(connectors []string, tasks []TaskID)
}

// New returns a member that is in no group yet.
func New(cfg Config, listener Listener) (*Member, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return newMember(cfg, listener), nil
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	def(&c.SessionTimeout, 10*time.Second)
	def(&c.HeartbeatInterval, 3*time.Second)
	def(&c.RebalanceTimeout, time.Minute)
	def(&c.MaxDelay, 5*time.Minute)
	def(&c.SyncTimeout, 3*time.Second)
	c.MaxDelay = max(c.MaxDelay, 0)
	if c.Protocol == "" {
		c.Protocol = Sessioned
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return c
}

func (c *Config) validate() error {
	var errs []error
	switch c.Protocol {
	case Sessioned, Compatible:
	case eager:
		errs = append(errs, errors.New("connect.protocol=eager: it stops all connectors at each rebalance and is not supported; use sessioned, or compatible beside workers older than Kafka 2.4"))
	default:
		errs = append(errs, fmt.Errorf("connect.protocol=%s: use sessioned or compatible", c.Protocol))
	}
	if c.GroupID == "" {
		errs = append(errs, errors.New("group.id: workers of one cluster need the same name; set it"))
	}
	if c.HeartbeatInterval <= 0 || c.SessionTimeout < 3*c.HeartbeatInterval {
		errs = append(errs, fmt.Errorf("heartbeat.interval.ms=%d: it must be above 0 and at most a third of session.timeout.ms=%d",
			c.HeartbeatInterval.Milliseconds(), c.SessionTimeout.Milliseconds()))
	}
	if c.RebalanceTimeout < c.SessionTimeout {
		errs = append(errs, fmt.Errorf("rebalance.timeout.ms=%d: it must be at least session.timeout.ms=%d",
			c.RebalanceTimeout.Milliseconds(), c.SessionTimeout.Milliseconds()))
	}
	if c.MaxDelay.Milliseconds() > math.MaxInt32 {
		errs = append(errs, fmt.Errorf("scheduled.rebalance.max.delay.ms=%d: it must be at most %d", c.MaxDelay.Milliseconds(), math.MaxInt32))
	}
	return errors.Join(errs...)
}
