package txn

import (
	"errors"
	"maps"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// State is the state of a transactional id, with Kafka's numbers and names.
type State int8

// The states. Dead and PrepareEpochFence have a number and a name in Kafka's
// formats but are never stored: an id that expires is deleted, and fencing goes
// straight to PrepareAbort.
const (
	Empty State = iota
	Ongoing
	PrepareCommit
	PrepareAbort
	CompleteCommit
	CompleteAbort
	Dead
	PrepareEpochFence
)

var stateNames = [...]string{
	"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence",
}

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "Unknown"
	}
	return stateNames[s]
}

// preparing reports that the outcome is decided and its markers are on their way.
func (s State) preparing() bool { return s == PrepareCommit || s == PrepareAbort }

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Producer is who makes a request of the transaction protocol.
type Producer struct {
	TransactionalID string
	ID              int64
	Epoch           int16
}

// Protocol versions as they are stored: version 2 is that of KIP-890, in which
// every end of a transaction raises the epoch.
const (
	protocolV1 = 0
	protocolV2 = 2
)

// noID and noEpoch stand for a producer id and an epoch that are not there.
const (
	noID    = -1
	noEpoch = -1
)

// maxEpoch is the last epoch that a client may use: one more is left to fence it.
const maxEpoch = math.MaxInt16 - 1

// metadata is what is known of a transactional id. It is a value: transitions
// return the next one and change nothing, partitions included.
type metadata struct {
	producerID int64
	previousID int64 // before the last transition
	nextID     int64 // after the markers, when the epochs of producerID are used up
	epoch      int16
	lastEpoch  int16 // before the last raise that the client asked for itself, for retries; not stored
	timeoutMs  int32
	state      State
	partitions map[TopicPartition]struct{}
	startMs    int64 // -1: never
	updatedMs  int64
	version    int16 // of the protocol, see above
}

// errNeedID says that the transition needs a new producer id.
var errNeedID = errors.New("a new producer id is needed")

// newMetadata is an id that nobody has initialised yet.
func newMetadata(producerID int64) metadata {
	return metadata{
		producerID: producerID, previousID: noID, nextID: noID, epoch: noEpoch, lastEpoch: noEpoch, startMs: -1,
	}
}

func (m metadata) exhausted() bool { return m.epoch >= maxEpoch }

// to is the common part of all transitions.
func (m metadata) to(s State, now int64) metadata {
	m.previousID, m.state, m.updatedMs = m.producerID, s, now
	return m
}

// check compares who asks with who may.
func (m metadata) check(p Producer) error {
	switch {
	case p.ID != m.producerID:
		return kerr.InvalidProducerIDMapping
	case p.Epoch != m.epoch:
		return kerr.ProducerFenced
	}
	return nil
}

// checkInit says who may initialise the id: a new producer, and one that gives
// the id and epoch that it has (KIP-360). While a transaction is open these have
// to be the current ones, so that a producer that was fenced cannot have the
// transaction of its successor aborted.
func (m metadata) checkInit(expected *Producer) error {
	if expected == nil || m.epoch == noEpoch {
		return nil
	}
	current := expected.ID == m.producerID
	retry := expected.ID == m.previousID && expected.Epoch >= maxEpoch
	if m.state == Ongoing {
		current, retry = current && expected.Epoch == m.epoch, false
	}
	if current || retry {
		return nil
	}
	return kerr.ProducerFenced
}

// initialise starts over with a new epoch, or with the producer id fresh when
// the epochs are used up. The state is neither Ongoing nor a Prepare.
func (m metadata) initialise(expected *Producer, timeoutMs int32, fresh, now int64) (metadata, error) {
	next := m.to(Empty, now)
	next.timeoutMs, next.partitions, next.startMs = timeoutMs, nil, -1
	switch {
	case m.exhausted() && (expected == nil || expected.Epoch == m.epoch):
		if fresh == noID {
			return m, errNeedID
		}
		next.producerID, next.epoch, next.lastEpoch = fresh, 0, noEpoch
		if expected != nil {
			next.lastEpoch = m.epoch
		}
	case m.exhausted():
		return m, kerr.ProducerFenced
	case expected == nil:
		next.epoch, next.lastEpoch = m.epoch+1, noEpoch
	case m.epoch == noEpoch || expected.Epoch == m.epoch:
		next.epoch, next.lastEpoch = m.epoch+1, m.epoch
	case expected.Epoch == m.lastEpoch: // a retry: the answer got lost
	default:
		return m, kerr.ProducerFenced
	}
	return next, nil
}

// add makes partitions part of the transaction and begins it when none is open.
// changed is false when they are in it already.
func (m metadata) add(p Producer, partitions []TopicPartition, version int16, now int64) (next metadata, changed bool, err error) {
	if err := m.check(p); err != nil {
		return m, false, err
	}
	if m.state.preparing() {
		return m, false, kerr.ConcurrentTransactions
	}
	if m.state == Ongoing && m.has(partitions) {
		return m, false, nil
	}
	next = m.to(Ongoing, now)
	if m.state != Ongoing {
		next.startMs = now
	}
	next.version = version
	next.partitions = make(map[TopicPartition]struct{}, len(m.partitions)+len(partitions))
	maps.Copy(next.partitions, m.partitions)
	for _, tp := range partitions {
		next.partitions[tp] = struct{}{}
	}
	return next, true, nil
}

func (m metadata) has(partitions []TopicPartition) bool {
	for _, tp := range partitions {
		if _, ok := m.partitions[tp]; !ok {
			return false
		}
	}
	return true
}

// end decides the transaction. Without a change it is a retry of what has been
// done: next is m. bump is protocol version 2, which has to tell a retry from the
// end of the next transaction by the epoch:
//
//	                epoch of before      current epoch
//	                abort    commit      abort    commit
//	Empty           fenced   fenced      raise    invalid
//	CompleteAbort   done     invalid     raise    invalid
//	CompleteCommit  invalid  done        raise    invalid
func (m metadata) end(p Producer, commit, bump bool, fresh, now int64) (next metadata, changed bool, err error) {
	retry := false
	if bump {
		retry, err = m.checkEnd(p)
	} else {
		err = m.check(p)
	}
	if err != nil {
		return m, false, err
	}
	switch {
	case m.state == Ongoing:
	case m.state == PrepareCommit && commit, m.state == PrepareAbort && !commit:
		return m, false, kerr.ConcurrentTransactions
	case m.state.preparing():
		return m, false, kerr.InvalidTxnState
	case bump && !retry && !commit: // the client does not know whether its records began a transaction
	case m.state == CompleteCommit && commit && retry == bump, m.state == CompleteAbort && !commit && retry == bump:
		return m, false, nil
	default:
		return m, false, kerr.InvalidTxnState
	}
	next, err = m.prepare(commit, bump, fresh, now)
	return next, err == nil, err
}

// checkEnd is check for the end of a transaction in protocol version 2, with
// retry when p is the producer before the raise.
func (m metadata) checkEnd(p Producer) (retry bool, err error) {
	overflow := p.ID == m.previousID && p.Epoch == maxEpoch && m.epoch == 0
	raised := int(m.epoch) == int(p.Epoch)+1
	if p.ID != m.producerID && !overflow {
		return false, kerr.InvalidProducerIDMapping
	}
	valid := false
	switch m.state {
	case PrepareCommit, PrepareAbort:
		valid = raised
	case CompleteCommit, CompleteAbort:
		valid = raised || overflow || p.Epoch == m.epoch
	default:
		valid = p.Epoch == m.epoch
	}
	if !valid {
		return false, kerr.ProducerFenced
	}
	return raised || overflow, nil
}

// prepare is the decision. bump raises the epoch, for protocol version 2 and to
// fence; when the epochs are used up it needs fresh, the producer id after that.
func (m metadata) prepare(commit, bump bool, fresh, now int64) (metadata, error) {
	next := m.to(PrepareAbort, now)
	if commit {
		next.state = PrepareCommit
	}
	next.version, next.nextID = protocolV1, noID
	if m.state != Ongoing {
		next.startMs = now
	}
	if !bump {
		return next, nil
	}
	if m.exhausted() {
		if fresh == noID {
			return m, errNeedID
		}
		next.nextID = fresh
	}
	next.version, next.lastEpoch = protocolV2, m.epoch
	if m.epoch < math.MaxInt16 {
		next.epoch++
	}
	return next, nil
}

// complete is what follows when the markers are durable.
func (m metadata) complete(now int64) metadata {
	next := m.to(CompleteAbort, now)
	if m.state == PrepareCommit {
		next.state = CompleteCommit
	}
	if m.nextID != noID {
		next.producerID, next.epoch = m.nextID, 0
	}
	next.nextID, next.partitions = noID, nil
	return next
}

// bumped reports that a Prepare raised the epoch: the records of the transaction
// have the one before.
func (m metadata) bumped() bool { return m.version >= protocolV2 }

// timedOut reports a transaction that is open for longer than it may.
func (m metadata) timedOut(now int64) bool {
	return m.state == Ongoing && now-m.startMs > int64(m.timeoutMs)
}

// expired reports an id that nobody has used for so long that it is forgotten.
func (m metadata) expired(now int64, after time.Duration) bool {
	switch m.state {
	case Empty, CompleteCommit, CompleteAbort:
		return now-m.updatedMs >= after.Milliseconds()
	}
	return false
}
