package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// Values of transaction.boundary.
const (
	boundaryPoll      = "poll"
	boundaryInterval  = "interval"
	boundaryConnector = "connector"
)

const (
	// maxTransaction is the longest transaction that brokers allow by default
	// (transaction.max.timeout.ms).
	maxTransaction = 15 * time.Minute
	// transactionSlack is how long a transaction may take beyond its interval.
	transactionSlack = time.Minute
	// backlogTransaction is how long a transaction of transaction.boundary=poll goes on
	// while full batches follow each other. A commit waits for everything before it and
	// takes two sync rounds, so it is paid that often at most; a reader of committed
	// records sees them so much later.
	backlogTransaction = 50 * time.Millisecond
	// abortTimeout bounds the abort of a transaction of a task that fails. Without
	// it readers wait until the next run of the task fences this one.
	abortTimeout = 3 * time.Second
)

// transactional tells whether the task writes records and offsets in one
// transaction.
func (t *task) transactional() bool { return t.def.transactional(t.cfg) }

func (d *definition) transactional(cfg *Config) bool {
	if cfg.ExactlyOnceSource != ExactlyOnceEnabled {
		return false
	}
	c, ok := d.config.(connect.ExactlyOnce)
	return !ok || c.ExactlyOnce()
}

// checkExactlyOnce adds the errors of options that ask for more than the worker
// and the connector can do. The words are Kafka Connect's.
func (d *definition) checkExactlyOnce(enabled bool) {
	if d.err() != nil {
		return
	}
	if d.options.exactlyOnce == "required" {
		c, ok := d.config.(connect.ExactlyOnce)
		switch {
		case !enabled:
			d.fail("exactly.once.support", "This worker does not have exactly-once source support enabled. Set exactly.once.source.support=enabled, or exactly.once.support=requested")
		case !ok || !c.ExactlyOnce():
			d.fail("exactly.once.support", "The connector does not support exactly-once semantics with the provided configuration. Set exactly.once.support=requested")
		}
	}
	if d.options.boundary == boundaryConnector {
		if c, ok := d.config.(connect.TransactionBoundaries); !ok || !c.TransactionBoundaries() {
			d.fail("transaction.boundary", "The connector does not support connector-defined transaction boundaries with the given configuration. Please reconfigure it to use a different transaction boundary definition")
		}
	}
}

// boundaryInterval is how long transactions are with transaction.boundary=interval.
func (t *task) boundaryInterval() time.Duration {
	if i := t.def.options.boundaryInterval; i > 0 {
		return i
	}
	return min(t.cfg.OffsetFlushInterval, maxTransaction-transactionSlack)
}

func (t *task) transactionOpts() []kgo.Opt {
	timeout := transactionSlack
	switch t.def.options.boundary {
	case boundaryInterval:
		timeout += t.boundaryInterval()
	case boundaryConnector:
		timeout = maxTransaction
	}
	return []kgo.Opt{kgo.TransactionalID(t.cfg.transactionalID(t.id)), kgo.TransactionTimeout(timeout)}
}

// transaction writes a source's records and offsets in one Kafka transaction
// after the other. It takes the committer's place in the ring of goroutines and
// produces itself, because nothing may be produced while a transaction ends.
//
// Batches that were read and converted meanwhile share the next transaction, and
// batches are produced while the log syncs those before. A full batch says that the
// source has more: its transaction goes on for up to backlogTransaction, any other is
// committed at once. A batch goes back to the reader when the log has its records; its
// marks are kept until the commit. Offsets are written last: the partition of the
// offset topic, which connectors share, is held up as briefly as can be.
type transaction struct {
	s         *sourceTask
	client    *kgo.Client
	committer connect.Committer // may be nil
	boundary  string
	interval  time.Duration // how long a transaction may be; 0: the connector ends it

	open    bool // something was produced
	records int  // produced in the open transaction
	// wrote has a partition that the transaction has written to, if there is one.
	wrote    []connect.TopicPartition
	settled  delivery
	inflight []*sourceBatch
	more     bool        // the last batch was full
	batches  int         // that the open transaction has taken
	due      *time.Timer // ends the open transaction
	dueNow   bool
}

// delivery is what becomes durable with the next commit.
type delivery struct {
	polled int   // records that the source gave
	lost   int   // of those produced: refused, or dead letters
	newest int64 // timestamp of the last
}

func newTransaction(s *sourceTask, client *kgo.Client) *transaction {
	due := time.NewTimer(time.Hour)
	due.Stop()
	t := &transaction{s: s, client: client, settled: delivery{newest: connect.NoTimestamp}, boundary: s.def.options.boundary, due: due}
	switch t.boundary {
	case boundaryPoll:
		t.interval = backlogTransaction
	case boundaryInterval:
		t.interval = s.boundaryInterval()
	}
	return t
}

// run writes batches until the converter closes the channel or one fails.
func (t *transaction) run() (err error) {
	t.committer, _ = t.s.source.(connect.Committer)
	defer func() {
		t.due.Stop()
		if err != nil && t.open {
			t.abandon()
		}
	}()
	for {
		ended, err := t.step()
		if err == nil && t.endsNow() {
			err = t.commit()
		}
		if err != nil {
			return err
		}
		if ended {
			return t.finish()
		}
	}
}

// step takes the next batch, gives back the first in flight, or notes that the
// transaction has to end, whichever is first. It tells whether there are no more
// batches.
func (t *transaction) step() (ended bool, err error) {
	sent, answered := t.s.sent, (chan struct{})(nil)
	if len(t.inflight) > 0 {
		answered = t.inflight[0].answered
	}
	if len(t.inflight) == sourceBatches-1 {
		sent = nil // so that the reader has one
	}
	select {
	case b, open := <-sent:
		if !open {
			return true, t.settle()
		}
		t.more = b.full
		t.batches++
		return false, t.write(b)
	case <-answered:
		return false, t.settleFirst()
	case <-t.due.C:
		t.dueNow = true
	}
	return false, nil
}

// endsNow tells whether the transaction is to be committed before the next batch is
// taken.
func (t *transaction) endsNow() bool {
	if t.dueNow || t.boundary != boundaryPoll {
		return t.dueNow
	}
	waits := len(t.s.sent) > 0 && t.batches < sourceBatches-1
	return !t.more && !waits
}

// write produces a batch. Where the connector has ended transactions in it, they
// end.
func (t *transaction) write(b *sourceBatch) error {
	from := 0
	if t.boundary == boundaryConnector {
		for i, boundary := range b.batch.Boundaries() {
			if err := t.settle(); err != nil { // of batches before
				return err
			}
			if err := t.produce(b, b.records[from:b.ends[i]]); err != nil {
				return err
			}
			<-b.answered
			if err := t.settleUpTo(b, boundary.Marks); err != nil {
				return err
			}
			if err := t.end(boundary.Abort); err != nil {
				return err
			}
			from = b.ends[i]
		}
	}
	t.inflight = append(t.inflight, b)
	return t.produce(b, b.records[from:])
}

func (t *transaction) produce(b *sourceBatch, records []kgo.Record) error {
	if len(records) > 0 {
		if err := t.begin(); err != nil {
			return err
		}
	}
	t.records += len(records)
	b.produced = records
	t.s.produceRecords(b, records)
	return nil
}

func (t *transaction) begin() error {
	if t.open {
		return nil
	}
	if err := t.client.BeginTransaction(); err != nil {
		return t.explain("begin", err)
	}
	t.open = true
	if t.interval > 0 && !t.dueNow {
		t.due.Reset(t.interval)
	}
	return nil
}

// settle waits for the records of the batches in flight and settles them.
func (t *transaction) settle() error {
	for len(t.inflight) > 0 {
		<-t.inflight[0].answered
		if err := t.settleFirst(); err != nil {
			return err
		}
	}
	return nil
}

// settleFirst takes the marks of the first batch in flight, whose records are
// answered, and gives it back to the reader.
func (t *transaction) settleFirst() error {
	b := t.inflight[0]
	if err := t.settleUpTo(b, len(b.batch.Marks())); err != nil {
		return err
	}
	t.inflight = slices.Delete(t.inflight, 0, 1)
	t.settled.polled += b.batch.Len()
	t.settled.lost += b.letters
	if newest := b.newest(); newest != connect.NoTimestamp {
		t.settled.newest = newest
	}
	t.s.free.put(b)
	return nil
}

// settleUpTo takes the marks of a batch up to one. What was produced of it is
// answered.
func (t *transaction) settleUpTo(b *sourceBatch, marks int) error {
	if err := t.s.check(b); err != nil {
		return err
	}
	if wrote := lastWritten(b.produced, b.failures); wrote != nil {
		t.wrote = wrote
	}
	t.settled.lost += len(b.failures)
	b.failures = b.failures[:0]
	if err := t.s.sendLetters(); err != nil { // their memory is the batch's
		return err
	}
	t.s.commits.take(b, marks)
	if t.interval > 0 && len(t.s.commits.marks) > 0 && !t.open {
		return t.begin() // marks without records are committed in time too
	}
	return nil
}

// take keeps the marks of a batch up to one, each once: the offsets of those that were
// taken may be on their way.
func (g *commitGroup) take(b *sourceBatch, marks int) {
	g.keep(b.batch.Marks()[b.taken:marks])
	b.taken = marks
}

// keep is add with the marks in memory of their own.
func (g *commitGroup) keep(marks []connect.Mark) {
	for _, m := range marks {
		if i, ok := g.index[string(m.Partition)]; ok {
			kept := &g.marks[i]
			kept.Offset, kept.Token = append(kept.Offset[:0], m.Offset...), m.Token
			continue
		}
		if m.Partition != nil {
			m.Partition = append([]byte{}, m.Partition...)
		}
		m.Offset = append([]byte{}, m.Offset...)
		g.index[string(m.Partition)] = len(g.marks)
		g.marks = append(g.marks, m)
	}
}

// end ends a transaction of the connector's. The marks of one that is aborted
// are committed all the same (KIP-618): the connector has dropped its records.
func (t *transaction) end(abort bool) error {
	if abort && t.open {
		t.open, t.records, t.wrote = false, 0, nil
		if err := t.client.EndTransaction(t.s.kill, kgo.TryAbort); err != nil {
			return t.explain("abort", err)
		}
	}
	return t.commit()
}

// commit writes the offsets, ends the transaction and tells the source (I2: the
// records and the offsets, then the upstream). The offsets follow the last records
// without waiting for them, which saves a sync round: the transaction has either all of
// it or nothing.
func (t *transaction) commit() error {
	g := &t.s.commits
	t.dueNow, t.batches = false, 0
	for _, b := range t.inflight {
		g.take(b, len(b.batch.Marks()))
	}
	if !t.open && len(g.marks) == 0 {
		t.due.Stop()
		return t.settle()
	}
	if err := t.begin(); err != nil {
		return err
	}
	t.due.Stop()
	t.s.sendOffsets()
	lost := t.settle()
	began := time.Now()
	err := t.s.awaitOffsets()
	if lost != nil {
		return lost
	}
	if err == nil {
		err = t.s.dropCopies(g.marks)
	}
	if err == nil {
		err = committable(t.s.kill, t.client, append(t.wrote, lastWritten(t.s.commits.offsets.records, nil)...)...)
	}
	if err == nil {
		if err = t.client.EndTransaction(t.s.kill, kgo.TryCommit); err != nil {
			err = t.explain("commit", err)
		}
	}
	t.s.meter.Committed(time.Since(began), err)
	if err != nil {
		return err
	}
	t.open, t.wrote = false, nil
	t.delivered()
	t.s.copyOffsets()
	if t.committer != nil {
		t.s.commit(t.committer)
	}
	g.marks = g.marks[:0]
	clear(g.index)
	return nil
}

// delivered counts what a commit has made durable.
func (t *transaction) delivered() {
	d := t.settled
	t.s.meter.Delivered(d.polled, max(t.records-d.lost, 0), d.newest)
	if t.records > 0 {
		t.s.meter.Transaction(t.records)
	}
	t.records, t.settled = 0, delivery{newest: connect.NoTimestamp}
}

// finish commits what is open when the source ends. What a connector has not
// ended itself is read again.
func (t *transaction) finish() error {
	if t.boundary == boundaryConnector {
		if t.open {
			t.abandon()
		}
		return nil
	}
	return t.commit()
}

// abandon aborts a transaction that will not be committed.
func (t *transaction) abandon() {
	t.open = false
	ctx, cancel := context.WithTimeout(t.s.kill, abortTimeout)
	defer cancel()
	if err := t.client.EndTransaction(ctx, kgo.TryAbort); err != nil && !fenced(err) {
		t.s.logger.Warn("abort the open transaction; readers wait until the task runs again or the transaction times out", logError, err)
	}
}

func (t *transaction) explain(what string, err error) error {
	if fenced(err) {
		return fmt.Errorf("%s a transaction as %s: another task has its place: %w", what, t.s.cfg.transactionalID(t.s.id), err)
	}
	return fmt.Errorf("%s a transaction as %s: %w", what, t.s.cfg.transactionalID(t.s.id), err)
}

// fenced tells whether a newer producer has the transactional id.
func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}
