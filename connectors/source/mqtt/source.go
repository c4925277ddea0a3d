package mqtt

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/connect"
)

const (
	// acksAtOnce is how many acknowledgements the acker takes in one go.
	acksAtOnce = 256
	// farewell bounds how long Close waits for acknowledgements to be sent.
	farewell = 250 * time.Millisecond
	// dropLogInterval is the least time between two log lines about drops.
	dropLogInterval = 30 * time.Second
)

// Source reads MQTT messages. Three goroutines serve it: run keeps a connection,
// paho's delivers messages to the queue, and the acker sends acknowledgements.
type Source struct {
	config  Config
	connect connector
	// pingTimeout is how long the answer to a ping may take; pingTimeout unless a
	// test is in a hurry.
	pingTimeout time.Duration
	// announce is called before CONNECT; nil for a test that does not read by then.
	announce func(context.Context) error
	log      *slog.Logger
	queue    *queue
	session  *session

	records *recordMaker
	taken   []message // of Read, its memory
	reads   uint64    // Reads so far, the token of the last one's mark
	numbers counts
	// seen are the messages of QoS 2 that have arrived, of the goroutine that
	// receives. What Read knows (session.underWay) follows it.
	seen ledger
	// begins is lostSession or newSession until that is in the queue, else newMessage.
	// Its owner is the goroutine that receives.
	begins kind

	generation atomic.Uint64 // number of the latest connection
	commits    chan struct{} // capacity 1: wakes the acker
	failed     chan struct{} // closed after failure is set
	failure    error
	dropLog    dropLog // of the goroutine that receives
	// dropsTopic has the broker's counter of dropped messages, "" if nobody is to
	// read it. dropsCovered: mqtt.topics ask for it, too.
	dropsTopic    string
	dropsCovered  bool
	brokerDropLog dropLog // of Read

	stopAcker chan struct{}
	acker     sync.WaitGroup
	stopRun   context.CancelFunc
	runner    sync.WaitGroup
}

var (
	_ connect.Source    = (*Source)(nil)
	_ connect.Committer = (*Source)(nil)
)

func newSource(c Config) *Source {
	s := &Source{config: c, connect: c.connector(), pingTimeout: pingTimeout, queue: newQueue(c.QueueSize, c.FullTimeout),
		commits: make(chan struct{}, 1), failed: make(chan struct{}), stopAcker: make(chan struct{})}
	s.announce = s.announceConnect
	return s
}

func (s *Source) announceConnect(ctx context.Context) error { return s.session.announce(ctx) }

// Open starts connecting. It does not wait for the broker, which may come later
// than the connector.
func (s *Source) Open(ctx context.Context, sc connect.SourceContext) error {
	s.log = sc.Logger
	s.dropLog = dropLog{log: sc.Logger, text: "mqtt messages of QoS 0 dropped: " + errQueueFull.Error()}
	s.brokerDropLog = dropLog{log: sc.Logger, text: "mqtt broker has dropped messages, of this client or others, " +
		"that were not taken fast enough or while a client was away: let it queue more (max_queued_messages)"}
	clientID := s.config.clientID(sc.Connector, sc.Task)
	cfg, errs := s.config.loadTLS() // anew, the files may have changed since validation
	if len(errs) > 0 {
		return errs[0]
	}
	s.config.tlsConfig = cfg
	if s.dropsTopic, s.dropsCovered = s.config.DropsTopic, s.config.covers(s.config.DropsTopic); sc.Task > 0 {
		s.dropsTopic = "" // one task counts for all
	}
	session, err := openSession(ctx, &s.config, clientID, sc.Offset)
	if err != nil {
		return err
	}
	if !s.dropsCovered {
		session.want.Drops = s.dropsTopic
	}
	s.session, s.seen = session, session.underWay.clone()
	if s.records, err = newRecordMaker(&s.config, clientID, sc.Logger, &s.numbers); err != nil {
		return err
	}
	if sc.Measure != nil {
		sc.Measure(s.measure)
	}
	s.log.Info("mqtt source starts", logClientID, clientID, optTopics, s.config.Topics, "mqtt.qos", s.config.QoS,
		"mqtt.clean.session.enabled", s.config.CleanSession)
	if pairs := overlapping(strings.Split(session.want.Topics, ",")); len(pairs) > 0 {
		s.log.Warn("mqtt.topics overlap: a broker may send a message that matches two of them twice, and it becomes two records", "filters", pairs)
	}
	s.acker.Go(s.acknowledge)
	runCtx, cancel := context.WithCancel(context.Background())
	s.stopRun = cancel
	s.runner.Go(func() { s.run(runCtx) })
	return nil
}

// Read takes what has arrived, waiting only when that is nothing: a broker with
// a small window sends no more before these messages are committed.
func (s *Source) Read(ctx context.Context, b *connect.Batch) error {
	for {
		if filled, err := s.fill(b); filled || err != nil {
			return err
		}
		select {
		case <-s.queue.ready:
		case <-s.session.changed:
		case <-s.failed:
			// nothing more arrives, but something may have
			if filled, err := s.fill(b); filled || err != nil {
				return err
			}
			return s.failure
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill appends records and marks and tells whether there were any.
func (s *Source) fill(b *connect.Batch) (filled bool, err error) {
	token, taken := s.reads+1, 0
	for taken < s.config.MaxBatchSize && !b.Full() {
		s.taken = s.queue.take(s.taken[:0], min(takeAtOnce, s.config.MaxBatchSize-taken), token)
		if len(s.taken) == 0 {
			break
		}
		taken += len(s.taken)
		for i := range s.taken {
			if err := s.handle(b, &s.taken[i]); err != nil {
				return false, err
			}
		}
		clear(s.taken) // let go of what it points to
	}
	if !s.session.mark(b, token) {
		if taken == 0 {
			return false, nil
		}
		b.Mark(connect.Mark{Token: token})
	}
	s.reads = token
	return true, nil
}

// handle takes what stood in the queue in its turn.
func (s *Source) handle(b *connect.Batch, m *message) error {
	s.session.took(m)
	switch m.kind {
	case newMessage:
		return s.records.append(b, m)
	case lostSession:
		s.records.appendGap(b, m)
	case brokerDrops:
		s.brokerDropped(b, m)
	}
	return nil
}

// Commit notes that records are durable and wakes the acker (I2). The last mark of
// the session's partition may come after a later one that has no partition.
func (s *Source) Commit(m connect.Mark) {
	if m.Token > s.queue.committed.Load() {
		s.queue.committed.Store(m.Token)
		s.session.committed(m.Token)
		notify(s.commits)
	}
}

// Close sends the acknowledgements of what is committed, for a short time, and
// disconnects. The session stays with the broker.
func (s *Source) Close() error {
	if s.stopRun == nil {
		return nil
	}
	s.queue.close()
	close(s.stopAcker)
	impatient := time.AfterFunc(farewell, s.stopRun)
	s.acker.Wait()
	impatient.Stop()
	s.stopRun()
	s.runner.Wait()
	return nil
}

// acknowledge sends acknowledgements in the order of arrival, as MQTT 3.1.1
// section 4.6 demands; paho would send them in any order.
func (s *Source) acknowledge() {
	group := make([]uncommitted, 0, acksAtOnce)
	for stopping := false; ; {
		for {
			group = s.queue.takeCommitted(group[:0])
			if len(group) == 0 {
				break
			}
			s.send(group)
			clear(group)
		}
		if stopping {
			return
		}
		select {
		case <-s.commits:
		case <-s.stopAcker:
			stopping = true // once more: the last commits may just have come
		}
	}
}

// send acknowledges what came on the present connection. The rest comes again on
// it, so there is nothing to acknowledge.
func (s *Source) send(group []uncommitted) {
	generation := s.generation.Load()
	for len(group) > 0 && group[0].generation != generation {
		group = group[1:]
	}
	if len(group) > 0 { // generations only grow, so the rest is of this one
		group[0].ack.acknowledge(group)
		s.numbers.acknowledged.Add(int64(len(group)))
	}
}

// dropLog counts dropped messages and logs them now and then.
type dropLog struct {
	log   *slog.Logger
	text  string
	count int // since the last line
	last  time.Time
}

func (d *dropLog) add(n int) {
	d.count += n
	if d.count == 0 || time.Since(d.last) < dropLogInterval {
		return
	}
	d.log.Warn(d.text, "dropped", d.count)
	d.count, d.last = 0, time.Now()
}
