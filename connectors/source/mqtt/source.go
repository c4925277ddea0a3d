package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

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

// Names of the header keys, those of Confluent's connector.
const (
	headerMessageID = "mqtt.message.id"
	headerQoS       = "mqtt.qos"
	headerRetained  = "mqtt.retained"
	headerDuplicate = "mqtt.duplicate"
)

// Source reads MQTT messages. Three goroutines serve it: run keeps a connection,
// paho's delivers messages to the queue, and the acker sends acknowledgements.
type Source struct {
	config  Config
	connect connector
	// pingTimeout is how long the answer to a ping may take; pingTimeout unless a
	// test is in a hurry.
	pingTimeout time.Duration
	log         *slog.Logger
	queue       *queue
	session     *session

	reads      uint64        // Reads so far, the token of the last one's mark
	generation atomic.Uint64 // number of the latest connection
	commits    chan struct{} // capacity 1: wakes the acker
	failed     chan struct{} // closed after failure is set
	failure    error
	dropLog    dropLog // of the goroutine that receives

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
	return &Source{config: c, connect: connectPaho, pingTimeout: pingTimeout, queue: newQueue(c.QueueSize, c.FullTimeout),
		commits: make(chan struct{}, 1), failed: make(chan struct{}), stopAcker: make(chan struct{})}
}

// Open starts connecting. It does not wait for the broker, which may come later
// than the connector.
func (s *Source) Open(ctx context.Context, sc connect.SourceContext) error {
	s.log = sc.Logger
	s.dropLog.log = sc.Logger
	clientID := s.config.ClientID
	if clientID == "" {
		clientID = fmt.Sprintf("%s-%d", sc.Connector, sc.Task)
	}
	cfg, errs := s.config.loadTLS() // anew, the files may have changed since validation
	if len(errs) > 0 {
		return errs[0]
	}
	s.config.tlsConfig = cfg
	session, err := openSession(ctx, &s.config, clientID, sc.Offset)
	if err != nil {
		return err
	}
	s.session = session
	s.log.Info("mqtt source starts", logClientID, clientID, optTopics, s.config.Topics, "mqtt.qos", s.config.QoS,
		"mqtt.clean.session.enabled", s.config.CleanSession)
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
		if s.fill(b) {
			return nil
		}
		select {
		case <-s.queue.ready:
		case <-s.session.changed:
		case <-s.failed:
			if s.fill(b) { // nothing more arrives, but something may have
				return nil
			}
			return s.failure
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill appends records and marks and tells whether there were any.
func (s *Source) fill(b *connect.Batch) bool {
	n := s.queue.fill(b, s.config.KafkaTopic, s.config.MaxBatchSize, s.reads+1)
	if n > 0 {
		s.reads++
		b.Mark(connect.Mark{Token: s.reads})
	}
	return s.session.mark(b) || n > 0
}

// Commit notes that records are durable and wakes the acker (I2).
func (s *Source) Commit(m connect.Mark) {
	if m.Partition != nil { // the session's offset, of which the broker need not hear
		return
	}
	s.queue.committed.Store(m.Token)
	notify(s.commits)
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
	for i := range group {
		if group[i].generation == generation {
			group[i].ack.Ack()
		}
	}
}

// receiver returns what receives the messages of one connection. When one finds
// no room it calls overflow and ignores the rest: acknowledging what comes
// after a gap would break the order.
func (s *Source) receiver(generation uint64, overflow func(error)) func(message) {
	broken := false
	return func(m message) {
		if broken {
			return
		}
		m.generation = generation
		m.arrived = time.Now().UnixMilli()
		if !utf8.ValidString(m.topic) { // brokers must not send that; the record is worth more
			m.topic = strings.ToValidUTF8(m.topic, "\uFFFD")
		}
		dropped, err := s.queue.put(m)
		s.dropLog.add(dropped)
		broken = err != nil
		if errors.Is(err, errQueueFull) {
			overflow(err)
		}
	}
}

// dropLog counts dropped messages of QoS 0 and logs them now and then.
type dropLog struct {
	log   *slog.Logger
	count int // since the last line
	last  time.Time
}

func (d *dropLog) add(n int) {
	d.count += n
	if d.count == 0 || time.Since(d.last) < dropLogInterval {
		return
	}
	d.log.Warn("mqtt messages of QoS 0 dropped: "+errQueueFull.Error(), "dropped", d.count)
	d.count, d.last = 0, time.Now()
}

func appendRecord(b *connect.Batch, topic string, m *message) {
	r := b.Append()
	r.Topic = topic
	r.Timestamp = m.arrived
	r.KeySchema, r.Key = connect.StringSchema, connect.StringValue(m.topic)
	r.ValueSchema, r.Value = connect.BytesSchema, connect.BytesValue(b.Bytes(m.payload))
	h := b.Headers(4)
	h[0] = connect.Header{Key: headerMessageID, Schema: connect.Int32Schema, Value: connect.Int32Value(int32(m.id))}
	h[1] = connect.Header{Key: headerQoS, Schema: connect.Int32Schema, Value: connect.Int32Value(int32(m.qos))}
	h[2] = connect.Header{Key: headerRetained, Schema: connect.BooleanSchema, Value: connect.BooleanValue(m.retained)}
	h[3] = connect.Header{Key: headerDuplicate, Schema: connect.BooleanSchema, Value: connect.BooleanValue(m.duplicate)}
	r.Headers = h
}
