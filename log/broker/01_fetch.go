package broker

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
	"github.com/sluice-data/sluice/log/security"
)

// readCommitted is the isolation level at which clients see no open or aborted
// transactions (KIP-98).
const readCommitted = 1

// fetchHandler is key 1, v4–v18: v12 flexible, v13 topic ids.
func fetchHandler() handler {
	return handler{
		key: kmsg.Fetch, min: 4, max: 18, advertised: 4,
		shape: shape{
			noTag(1),         // replica state: there are no replicas
			fixed(4).to(14),  // replica id
			fixed(4),         // max wait
			fixed(4),         // min bytes
			fixed(4).from(3), // max bytes
			fixed(1).from(4), // isolation level
			fixed(4).from(7), // session id
			fixed(4).from(7), // session epoch
			arr(str().to(12), fixed(16).from(13), arr(
				fixed(4),          // partition
				fixed(4).from(9),  // current leader epoch
				fixed(8),          // fetch offset
				fixed(4).from(12), // last fetched epoch
				fixed(8).from(5),  // log start offset
				fixed(4),          // partition max bytes
			)),
			arr(str().to(12), fixed(16).from(13), list(fixed(4))).from(7), // forgotten topics
			str().from(11), // rack
		},
		serve: (*Broker).fetch,
	}
}

// fetch answers with what is there, or waits for min bytes at most max wait.
func (b *Broker) fetch(ctx context.Context, r *request) {
	q := r.body.(*kmsg.FetchRequest)
	resp := q.ResponseKind().(*kmsg.FetchResponse)
	session, err := b.sessions.begin(q)
	if err != nil {
		resp.ErrorCode = errorCode(err)
		r.reply(resp)
		return
	}
	f := newFetchOp(b, r, q, resp)
	f.run(ctx)
	r.after = f.release
	f.finish()
	b.sessions.end(session, f)
	b.charge(r, security.ConsumerByteRate, len(f.buf))
	b.chargeTime(r)
	r.reply(resp)
}

// fetchOp is one Fetch request being answered.
type fetchOp struct {
	b         *Broker
	r         *request
	q         *kmsg.FetchRequest
	resp      *kmsg.FetchResponse
	parts     []fetchPart
	failed    bool   // a partition has an error: answer at once
	buf       []byte // records of all parts, in order
	heldBytes int64  // of Broker.fetchMemory
	full      bool   // fetch memory ran out: answer with what is there
}

type fetchPart struct {
	log        *log.Partition // nil: the response has an error
	topic      *log.Topic     // nil: there is no such partition
	q          *kmsg.FetchRequestTopicPartition
	resp       *kmsg.FetchResponseTopicPartition
	start, end int // of its records in fetchOp.buf
}

func newFetchOp(b *Broker, r *request, q *kmsg.FetchRequest, resp *kmsg.FetchResponse) *fetchOp {
	f := &fetchOp{b: b, r: r, q: q, resp: resp}
	resp.Topics = make([]kmsg.FetchResponseTopic, len(q.Topics))
	for i := range q.Topics {
		t, rt := &q.Topics[i], &resp.Topics[i]
		rt.Default()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.Partitions = make([]kmsg.FetchResponseTopicPartition, len(t.Partitions))
		for j := range t.Partitions {
			f.add(t, &t.Partitions[j], &rt.Partitions[j])
		}
	}
	return f
}

func (f *fetchOp) add(t *kmsg.FetchRequestTopic, p *kmsg.FetchRequestTopicPartition, rp *kmsg.FetchResponseTopicPartition) {
	rp.Default()
	rp.Partition = p.Partition
	rp.PreferredReadReplica = -1
	part := fetchPart{q: p, resp: rp}
	l, err := f.b.partitionFor(f.r, kmsg.ACLOperationRead, t.Topic, t.TopicID, f.q.Version >= 13, p.Partition)
	if l != nil {
		part.topic = l.Topic()
	}
	if err == nil {
		err = checkLeaderEpoch(l, p.CurrentLeaderEpoch)
	}
	if err == nil {
		part.log = l
	}
	f.parts = append(f.parts, part)
	if err != nil {
		f.fail(&f.parts[len(f.parts)-1], err)
	}
}

// fail puts the error in the part's response.
func (f *fetchOp) fail(p *fetchPart, err error) {
	f.failed = true
	p.log = nil
	p.resp.ErrorCode = errorCode(err)
	p.resp.HighWatermark, p.resp.LastStableOffset, p.resp.LogStartOffset = -1, -1, -1
}

// run reads until the answer is due.
func (f *fetchOp) run(ctx context.Context) {
	wait := min(time.Duration(f.q.MaxWaitMillis)*time.Millisecond, f.b.cfg.IdleTimeout) // I5
	f.read(ctx)
	if f.isDue() || wait <= 0 || ctx.Err() != nil {
		return
	}
	watcher := log.NewWatcher()
	defer f.watch(watcher)()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	began := time.Now()
	defer func() { f.r.waited += time.Since(began) }()
	for {
		f.read(ctx) // after Watch, so that nothing slips in between
		if f.isDue() {
			return
		}
		select {
		case <-watcher.C():
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (f *fetchOp) isDue() bool {
	return f.failed || f.full || len(f.buf) >= max(int(f.q.MinBytes), 0)
}

// watch watches the partitions and returns what ends that. A partition that
// fails meanwhile loses its place in parts, so the list is kept.
func (f *fetchOp) watch(w *log.Watcher) (unwatch func()) {
	var watched []*log.Partition
	for i := range f.parts {
		if p := f.parts[i].log; p != nil {
			p.Watch(w)
			watched = append(watched, p)
		}
	}
	return func() {
		for _, p := range watched {
			p.Unwatch(w)
		}
	}
}

// read fills the buffer from the partitions in the order of the request, which
// is the client's idea of fairness.
func (f *fetchOp) read(ctx context.Context) {
	f.giveBack()
	room := f.b.cfg.MaxFetchBytes
	if f.q.MaxBytes >= 0 {
		room = min(room, int(f.q.MaxBytes))
	}
	room = f.b.fetchRoom(f.r, room)
	for i := range f.parts {
		p := &f.parts[i]
		p.start, p.end = len(f.buf), len(f.buf)
		if p.log != nil {
			f.readPart(ctx, p, room-len(f.buf))
		}
	}
}

// readPart appends the part's records to the buffer. The first batch of a
// response is returned whatever its size (KIP-74); afterwards room counts.
func (f *fetchOp) readPart(ctx context.Context, p *fetchPart, room int) {
	stable := p.log.LastStableOffset() // first, so that it is not above the high watermark
	upTo := p.log.HighWatermark()
	p.resp.HighWatermark, p.resp.LastStableOffset = upTo, stable
	p.resp.LogStartOffset = p.log.LogStartOffset()
	if f.q.IsolationLevel == readCommitted {
		upTo = stable
		p.resp.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
	}
	offset := p.q.FetchOffset
	if offset < p.resp.LogStartOffset || offset > p.resp.HighWatermark {
		f.fail(p, kerr.OffsetOutOfRange)
		return
	}
	if offset >= upTo || f.full || (room <= 0 && len(f.buf) > 0) {
		return
	}
	maxBytes := max(min(room, int(p.q.PartitionMaxBytes), int(f.b.cfg.MaxFetchMemory)), 1)
	if !f.hold(ctx, int64(maxBytes)) {
		f.full = true
		return
	}
	if cap(f.buf) == 0 {
		f.buf = f.b.buffers.get()
	}
	buf, err := p.log.Read(f.buf, offset, maxBytes, upTo)
	if err != nil {
		f.fail(p, err)
		return
	}
	f.buf, p.end = buf, len(buf)
	if over := int64(len(buf)) - f.heldBytes; over > 0 && f.b.fetchMemory.TryAcquire(over) {
		f.heldBytes += over // a first batch larger than the limits
	}
	f.settle()
}

// hold takes n bytes of fetch memory. It waits only while this fetch holds
// nothing, so that two fetches cannot wait for each other (I5).
func (f *fetchOp) hold(ctx context.Context, n int64) bool {
	if f.b.fetchMemory.TryAcquire(n) {
		f.heldBytes += n
		return true
	}
	if f.heldBytes > 0 || f.b.fetchMemory.Acquire(ctx, n) != nil {
		return false
	}
	f.heldBytes += n
	return true
}

// settle gives back what hold took and Read did not fill.
func (f *fetchOp) settle() {
	if extra := f.heldBytes - int64(len(f.buf)); extra > 0 {
		f.b.fetchMemory.Release(extra)
		f.heldBytes -= extra
	}
}

// giveBack empties the buffer for another read.
func (f *fetchOp) giveBack() {
	f.buf = f.buf[:0]
	f.settle()
	f.full = false
	if f.buf == nil {
		f.buf = []byte{} // a fetch that finds nothing holds no memory while it waits
	}
}

// finish points the partition responses at their records, and counts them. Empty
// is empty, not null: librdkafka refuses null.
func (f *fetchOp) finish() {
	for i := range f.parts {
		p := &f.parts[i]
		if f.q.IsolationLevel == readCommitted && p.end > p.start {
			f.listAborted(p)
		}
		p.resp.RecordBatches = f.buf[p.start:p.end:p.end]
		f.b.traffic.fetched(p.topic, int64(p.end-p.start), p.resp.ErrorCode != 0)
	}
}

// listAborted names the aborted transactions that the part's records may belong
// to, by first offset: clients go through the list as they go through the
// records (KIP-98). Without it nothing may be returned.
func (f *fetchOp) listAborted(p *fetchPart) {
	aborted, err := p.log.AbortedTransactions(p.q.FetchOffset, endOffset(f.buf[p.start:p.end]))
	if err != nil {
		p.end = p.start
		f.fail(p, err)
		return
	}
	for _, a := range aborted {
		p.resp.AbortedTransactions = append(p.resp.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{
			ProducerID: a.ProducerID, FirstOffset: a.FirstOffset,
		})
	}
}

// endOffset is the offset after whole batches.
func endOffset(b []byte) (end int64) {
	for len(b) > 0 {
		h, err := batch.Parse(b)
		if err != nil {
			return end // not met: the log has checked them
		}
		end, b = h.LastOffset()+1, b[h.Size():]
	}
	return end
}

// release gives the buffer back, once the answer is sent.
func (f *fetchOp) release() {
	f.b.buffers.put(f.buf)
	f.buf = nil
	f.settle()
}
