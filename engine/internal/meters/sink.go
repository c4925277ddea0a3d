package meters

import (
	"slices"
	"time"

	"github.com/sluice-data/sluice/connect"
)

type sinkCounts struct {
	read, sent         int64
	readRate, sendRate window
	putTimes           window // in nanoseconds
	commits            int64
	commitSequence     int64
	commitRate         window
	partitions         int   // at a scrape
	lagMax             int64 // at a scrape
}

// unknown stands for an offset that is not known.
const unknown int64 = -1

// maxAges bounds what is kept of the timestamps of a partition's records that are
// not committed (I5).
const maxAges = 64

// partition is how far a sink has come with one partition. Offsets are those of
// the next record.
type partition struct {
	committed int64 // before the first commit: where reading began
	position  int64 // after all that was fetched, transaction markers included
	next      int64 // after the last record that was fetched
	end       int64 // the high watermark
	// ages are some records that were fetched and, but for the first, are not
	// committed, by offset. The first stands for all before the second.
	ages []age
	// behind is since when there is more than was fetched.
	behind time.Time
}

type age struct{ offset, timestamp int64 }

// Assigned adds a partition and its committed offset, negative for none.
func (r *Run) Assigned(tp connect.TopicPartition, committed int64) {
	defer r.unlock()
	if r.lock() == nil {
		return
	}
	if r.task.partitions == nil {
		r.task.partitions = make(map[connect.TopicPartition]*partition)
	}
	committed = max(committed, unknown)
	r.task.partitions[tp] = &partition{committed: committed, position: committed, next: committed, end: unknown}
}

// Removed removes a partition.
func (r *Run) Removed(tp connect.TopicPartition) {
	defer r.unlock()
	c := r.lock()
	if c == nil {
		return
	}
	if p := r.task.partitions[tp]; p != nil {
		c.active -= p.active()
		delete(r.task.partitions, tp)
	}
}

// Fetch is what one fetch has brought of a partition.
type Fetch struct {
	Records          int   // without transaction markers
	First, Timestamp int64 // the first record's offset and time in Unix milliseconds
	Next             int64 // after the last record
	Position         int64 // after the last record or marker
	HighWatermark    int64
}

// Fetched counts what was fetched.
func (r *Run) Fetched(tp connect.TopicPartition, f Fetch) {
	defer r.unlock()
	c := r.lock()
	if c == nil {
		return
	}
	now, n := time.Now(), int64(f.Records)
	if n > 0 {
		c.sink.read += n
		c.sink.readRate.observe(now, n)
		c.batches.observe(now, n)
	}
	p := r.task.partitions[tp]
	if p == nil {
		return
	}
	before := p.active()
	if p.committed == unknown && n > 0 {
		p.committed = f.First
	}
	p.position = max(p.position, f.Position)
	if n > 0 {
		p.next = max(p.next, f.Next)
		p.note(age{f.First, f.Timestamp})
	}
	p.setEnd(f.HighWatermark, now)
	c.active += p.active() - before
	c.actives.observe(now, c.active)
}

// note adds an age. When there are too many, every other one is dropped: what
// comes before the next counts as old as the one before it.
func (p *partition) note(a age) {
	if len(p.ages) == maxAges {
		kept := p.ages[:0]
		for i := 0; i < maxAges; i += 2 {
			kept = append(kept, p.ages[i])
		}
		p.ages = kept
	}
	p.ages = append(p.ages, a)
}

// End notes where a partition begins to be read when nothing is committed, and
// its high watermark.
func (r *Run) End(tp connect.TopicPartition, start, highWatermark int64) {
	defer r.unlock()
	if r.lock() == nil {
		return
	}
	p := r.task.partitions[tp]
	if p == nil {
		return
	}
	if p.committed == unknown {
		p.committed = start
		p.position, p.next = max(p.position, start), max(p.next, start)
	}
	p.setEnd(highWatermark, time.Now())
}

func (p *partition) setEnd(end int64, now time.Time) {
	p.end = max(p.end, end)
	switch {
	case p.end <= p.position:
		p.behind = time.Time{}
	case p.behind.IsZero():
		p.behind = now
	}
}

// Unmeasured returns the partitions whose lag is not known.
func (r *Run) Unmeasured() []connect.TopicPartition {
	return r.choose(func(p *partition) bool { return p.end == unknown || p.committed == unknown })
}

// Partitions returns the partitions of the task.
func (r *Run) Partitions() []connect.TopicPartition {
	return r.choose(func(*partition) bool { return true })
}

func (r *Run) choose(which func(*partition) bool) []connect.TopicPartition {
	defer r.unlock()
	if r.lock() == nil {
		return nil
	}
	var tps []connect.TopicPartition
	for tp, p := range r.task.partitions {
		if which(p) {
			tps = append(tps, tp)
		}
	}
	return tps
}

// Put counts a batch that the sink took.
func (r *Run) Put(records int, took time.Duration) {
	defer r.unlock()
	c := r.lock()
	if c == nil {
		return
	}
	now, n := time.Now(), int64(records)
	c.sink.sent += n
	c.sink.sendRate.observe(now, n)
	c.sink.putTimes.observe(now, took.Nanoseconds())
}

// CommittedTo notes the committed offset of a partition.
func (r *Run) CommittedTo(tp connect.TopicPartition, offset int64) {
	defer r.unlock()
	c := r.lock()
	if c == nil {
		return
	}
	p := r.task.partitions[tp]
	if p == nil {
		return
	}
	before := p.active()
	p.committed = offset
	done := 0
	for done+1 < len(p.ages) && p.ages[done+1].offset <= offset {
		done++
	}
	if offset >= p.next {
		done = len(p.ages)
	}
	p.ages = slices.Delete(p.ages, 0, done)
	c.active += p.active() - before
}

// active is how many records were fetched and are not committed. Offsets that
// compaction or a transaction left empty count too.
func (p *partition) active() int64 { return max(p.next-max(p.committed, 0), 0) }

// readLag is how many records the task has not fetched.
func (p *partition) readLag() int64 {
	if p.end == unknown || p.position == unknown {
		return 0
	}
	return max(p.end-p.position, 0)
}

// lag is how many records are not committed, and for how many seconds the oldest
// of them has been there. known is false until the end of the log is known.
func (p *partition) lag(now time.Time) (records int64, seconds float64, known bool) {
	if p.end == unknown || p.committed == unknown {
		return 0, 0, false
	}
	from := p.committed
	if p.committed >= p.next {
		from = max(from, p.position) // what is between has no records
	}
	if records = p.end - from; records <= 0 {
		return 0, 0, true
	}
	switch {
	case len(p.ages) > 0:
		seconds = float64(now.UnixMilli()-p.ages[0].timestamp) / 1000
	case !p.behind.IsZero():
		seconds = now.Sub(p.behind).Seconds()
	}
	return records, max(seconds, 0), true
}

// partitionLag is the lag of one partition at a scrape.
type partitionLag struct {
	connect.TopicPartition
	records int64
	seconds float64
}

// lags returns the lag of every partition whose lag is known, in order.
func (t *Task) lags(now time.Time) []partitionLag {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []partitionLag
	for tp, p := range t.partitions {
		if records, seconds, known := p.lag(now); known {
			all = append(all, partitionLag{tp, records, seconds})
		}
	}
	slices.SortFunc(all, func(a, b partitionLag) int {
		return compareTopicPartition(a.TopicPartition, b.TopicPartition)
	})
	return all
}
