package txn

import (
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Described is a transactional id as DescribeTransactions shows it.
type Described struct {
	State      State
	Producer   Producer
	TimeoutMs  int32
	StartMs    int64            // -1: no transaction yet
	Partitions []TopicPartition // of the transaction that is not complete; sorted
}

// Describe returns what is known of an id; TRANSACTIONAL_ID_NOT_FOUND when that
// is nothing.
func (c *Coordinator) Describe(id string) (Described, error) {
	t, err := c.find(id)
	if err == kerr.InvalidProducerIDMapping {
		return Described{}, kerr.TransactionalIDNotFound
	}
	if err != nil {
		return Described{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		return Described{}, kerr.TransactionalIDNotFound
	}
	m := t.meta
	return Described{m.state, Producer{id, m.producerID, m.epoch}, m.timeoutMs, m.startMs, sorted(m.partitions)}, nil
}

// Filter of [Coordinator.List]. What is empty lets everything through.
type Filter struct {
	States      []string
	ProducerIDs []int64
	MinMs       int64  // transactions that began longer ago than this; negative: any
	Pattern     string // regular expression for the whole transactional id (KIP-1152)
}

// Listed is a transactional id as ListTransactions shows it.
type Listed struct {
	TransactionalID string
	ProducerID      int64
	State           State
}

// List returns the ids that pass the filter, sorted, and the states in it that do
// not exist. INVALID_REGULAR_EXPRESSION when the pattern is none.
func (c *Coordinator) List(f Filter) (list []Listed, unknown []string, err error) {
	var pattern *regexp.Regexp
	if f.Pattern != "" {
		if pattern, err = regexp.Compile("^(?:" + f.Pattern + ")$"); err != nil {
			return nil, nil, kerr.InvalidRegularExpression
		}
	}
	for _, s := range f.States {
		if !slices.Contains(stateNames[:], s) {
			unknown = append(unknown, s)
		}
	}
	now := nowMs()
	for _, t := range c.all() {
		t.mu.Lock()
		m, dead := t.meta, t.dead
		t.mu.Unlock()
		switch {
		case dead,
			len(f.States) > 0 && !slices.Contains(f.States, m.state.String()),
			len(f.ProducerIDs) > 0 && !slices.Contains(f.ProducerIDs, m.producerID),
			f.MinMs >= 0 && now-m.startMs <= f.MinMs,
			pattern != nil && !pattern.MatchString(t.id):
		default:
			list = append(list, Listed{t.id, m.producerID, m.state})
		}
	}
	return list, unknown, nil
}
