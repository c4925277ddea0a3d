package broker

import (
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/log"
)

// maxGroupSeries is how many committed offsets a scrape shows one by one (I5); sums are always shown.
const maxGroupSeries = 100_000

// lateTransaction is when an open transaction counts as late: transaction.max.timeout.ms and five minutes, as in Kafka.
const lateTransaction = 20 * time.Minute

// registerMetrics adds what the broker counts to a registry.
func (b *Broker) registerMetrics(r *metrics.Registry) {
	d := newDescs()
	r.Register(metrics.Collector{Descs: d.all, Collect: func(w *metrics.Writer) {
		c := collection{b: b, d: d, w: w, partitions: b.samplePartitions()}
		c.traffic()
		c.requests()
		c.server()
		c.partitionTotals()
		c.perPartition()
		c.groups()
		c.storage()
		c.sessions()
	}})
}

// partitionSample is the state of a partition at a scrape.
type partitionSample struct {
	topic, partition            string
	size, start, end, watermark int64
	segments                    int
	offline                     bool
	log                         *log.Partition
}

func (b *Broker) samplePartitions() []partitionSample {
	var all []partitionSample
	for _, t := range b.cfg.Log.Topics() {
		for i := range int32(t.Partitions()) {
			if p, ok := t.Partition(i); ok {
				all = append(all, partitionSample{
					topic: t.Name(), partition: strconv.Itoa(int(i)), size: p.Size(), start: p.LogStartOffset(), end: p.EndOffset(),
					watermark: p.HighWatermark(), segments: p.Segments(), offline: isOffline(p), log: p,
				})
			}
		}
	}
	return all
}

// collection is one scrape.
type collection struct {
	b          *Broker
	d          *descs
	w          *metrics.Writer
	partitions []partitionSample
}

func (c *collection) traffic() {
	all := &c.b.traffic.all
	topics := c.b.traffic.list(c.b.cfg.Log)
	for _, f := range []struct {
		d *metrics.Desc
		v func(*topicMetrics) *atomic.Int64
	}{
		{c.d.messagesIn, func(m *topicMetrics) *atomic.Int64 { return &m.messagesIn }},
		{c.d.bytesIn, func(m *topicMetrics) *atomic.Int64 { return &m.bytesIn }},
		{c.d.bytesOut, func(m *topicMetrics) *atomic.Int64 { return &m.bytesOut }},
		{c.d.bytesRejected, func(m *topicMetrics) *atomic.Int64 { return &m.bytesRejected }},
		{c.d.produceRequests, func(m *topicMetrics) *atomic.Int64 { return &m.produceRequests }},
		{c.d.fetchRequests, func(m *topicMetrics) *atomic.Int64 { return &m.fetchRequests }},
		{c.d.failedProduces, func(m *topicMetrics) *atomic.Int64 { return &m.failedProduces }},
		{c.d.failedFetches, func(m *topicMetrics) *atomic.Int64 { return &m.failedFetches }},
	} {
		c.w.Family(f.d)
		c.w.Int(f.v(all).Load())
		for _, t := range topics {
			c.w.Int(f.v(t.topicMetrics).Load(), t.name)
		}
	}
}

// requestNames are Kafka's names of an API key in its metrics: a fetch counts twice.
func requestNames(key kmsg.Key) []string {
	if key == kmsg.Fetch {
		return []string{"Fetch", "FetchConsumer"}
	}
	return []string{key.Name()}
}

func (c *collection) requests() {
	var keys []kmsg.Key
	for key := range c.b.handlers {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	each := func(f func(m *apiMetrics, name string)) {
		for _, key := range keys {
			for _, name := range requestNames(key) {
				f(c.b.handlers[key].metrics, name)
			}
		}
	}
	c.w.Family(c.d.requests)
	each(func(m *apiMetrics, name string) {
		for v := range m.versions {
			if n := m.versions[v].Load(); n > 0 {
				c.w.Int(n, name, strconv.Itoa(v))
			}
		}
	})
	c.w.Family(c.d.requestErrors)
	each(func(m *apiMetrics, name string) {
		for i := range m.errors {
			if n := m.errors[i].Load(); n > 0 {
				c.w.Int(n, name, errorName(i))
			}
		}
	})
	c.w.Family(c.d.requestTime)
	each(func(m *apiMetrics, name string) { c.w.Summary(&m.totalTime, 1000, name) })
}

func (c *collection) server() {
	c.b.mu.Lock()
	conns := len(c.b.conns)
	c.b.mu.Unlock()
	c.w.One(c.d.connections, int64(conns))
	c.w.One(c.d.connectionsCreated, c.b.connsCreated.Load())
	c.w.One(c.d.connectionsRefused, c.b.connsRefused.Load())
	c.w.One(c.d.brokerState, 3)
	c.w.One(c.d.activeController, 1)
	c.w.One(c.d.brokers, 1)
}

func (c *collection) partitionTotals() {
	offline, late, open := int64(0), int64(0), int64(0)
	silent := time.Duration(0)
	now := time.Now()
	for i := range c.partitions {
		p := &c.partitions[i]
		if p.offline {
			offline++
		}
		if p.log.LastStableOffset() == p.watermark {
			continue // no transaction is open, or none with durable records
		}
		oldest := time.Duration(0)
		for _, t := range p.log.OpenTransactions() {
			open++
			oldest = max(oldest, now.Sub(time.UnixMilli(t.LastTimestampMs)))
		}
		if silent = max(silent, oldest); oldest > lateTransaction {
			late++
		}
	}
	n := int64(len(c.partitions))
	c.w.One(c.d.controllerTopics, int64(len(c.b.cfg.Log.Topics())))
	c.w.One(c.d.controllerPartitions, n)
	c.w.One(c.d.controllerOffline, offline)
	c.w.One(c.d.partitionCount, n)
	c.w.One(c.d.leaderCount, n-offline)
	c.w.One(c.d.underReplicated, 0)
	c.w.One(c.d.underMinISR, offline)
	c.w.One(c.d.offlineReplicas, offline)
	c.w.One(c.d.lateTransactions, late)
	c.w.One(c.d.openTransactions, open)
	c.w.Family(c.d.oldestTransaction)
	c.w.Float(silent.Seconds())
}

func (c *collection) perPartition() {
	offline := func(online, offline int64) func(*partitionSample) int64 {
		return func(p *partitionSample) int64 {
			if p.offline {
				return offline
			}
			return online
		}
	}
	for _, f := range []struct {
		d *metrics.Desc
		v func(*partitionSample) int64
	}{
		{c.d.logSize, func(p *partitionSample) int64 { return p.size }},
		{c.d.logStart, func(p *partitionSample) int64 { return p.start }},
		{c.d.logEnd, func(p *partitionSample) int64 { return p.end }},
		{c.d.logSegments, func(p *partitionSample) int64 { return int64(p.segments) }},
		{c.d.partitionUnderMinISR, offline(0, 1)},
		{c.d.currentOffset, func(p *partitionSample) int64 { return p.watermark }},
		{c.d.oldestOffset, func(p *partitionSample) int64 { return p.start }},
		{c.d.partitionLeader, offline(int64(c.b.cfg.NodeID), noLeader)},
		{c.d.partitionISR, offline(1, 0)},
		{c.d.partitionUnderReplicated, offline(0, 1)},
	} {
		c.w.Family(f.d)
		for i := range c.partitions {
			p := &c.partitions[i]
			c.w.Int(f.v(p), p.topic, p.partition)
		}
	}
	c.w.Family(c.d.topicPartitions)
	for _, t := range c.b.cfg.Log.Topics() {
		c.w.Int(int64(t.Partitions()), t.Name())
	}
}

func (c *collection) storage() {
	stats := c.b.cfg.Log.Stats()
	failed := int64(0)
	if c.b.cfg.Log.Err() != nil {
		failed = 1
	}
	c.w.One(c.d.offlineDirs, failed)
	c.w.Family(c.d.flushTime)
	c.w.Summary(&stats.SyncTime, 1000)
	c.w.Family(c.d.syncSeconds)
	c.w.Histogram(&stats.SyncTime)
	c.w.One(c.d.syncRounds, stats.SyncRounds.Load())
	c.w.One(c.d.volumeSyncs, stats.VolumeSyncs.Load())
	c.w.One(c.d.cleanings, stats.Cleanings.Load())
	c.w.One(c.d.failedCleanings, stats.FailedCleanings.Load())
	c.w.One(c.d.cleanedBytes, stats.CleanedBytes.Load())
	idle := int64(0)
	if last := stats.CleanerRunMs.Load(); last > 0 {
		idle = time.Now().UnixMilli() - last
	}
	c.w.One(c.d.cleanerIdle, idle)
	c.w.One(c.d.dirtyPercent, stats.DirtyPercent.Load())
	if total, usable, err := c.b.cfg.Log.Usage(); err == nil {
		c.w.One(c.d.dirTotal, total)
		c.w.One(c.d.dirUsable, usable)
	}
}

func (c *collection) sessions() {
	sessions, partitions, evictions := c.b.sessions.counts()
	c.w.One(c.d.fetchSessions, sessions)
	c.w.One(c.d.fetchSessionPartitions, partitions)
	c.w.One(c.d.fetchSessionEvictions, evictions)
}
