package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/internal/meters"
)

// deadLetterBuffer is how many dead letters may wait for the log (I5).
const deadLetterBuffer = 1024

// Names of the headers that say where a dead letter comes from (KIP-298).
const (
	letterTopic          = "__connect.errors.topic"
	letterPartition      = "__connect.errors.partition"
	letterOffset         = "__connect.errors.offset"
	letterConnector      = "__connect.errors.connector.name"
	letterTask           = "__connect.errors.task.id"
	letterStage          = "__connect.errors.stage"
	letterClass          = "__connect.errors.class.name"
	letterException      = "__connect.errors.exception.class.name"
	letterExceptionText  = "__connect.errors.exception.message"
	letterExceptionTrace = "__connect.errors.exception.stacktrace"
)

// origin is where a dead letter comes from: for a sink the place in the log, for
// a source the topic that it was meant for and, as JSON, the source partition and
// offset of the mark that covers it. What is not known is empty.
type origin struct{ topic, partition, offset string }

func sinkOrigin(tp connect.TopicPartition, offset int64) origin {
	return origin{tp.Topic, strconv.Itoa(int(tp.Partition)), strconv.FormatInt(offset, 10)}
}

// letterHeaders returns the headers of a dead letter: the record's own, then the
// context where errors.deadletterqueue.context.headers.enable asks for it.
func (t *task) letterHeaders(own []kgo.RecordHeader, from origin, e *stageError) []kgo.RecordHeader {
	if !t.def.options.dlqContext {
		return own
	}
	text := t.def.secrets.Replace(e.Error())
	class := e.exceptionClass()
	stack := class + ": " + text
	if p := (*panicError)(nil); errors.As(e.err, &p) {
		stack += "\n" + string(p.stack)
	}
	headers := make([]kgo.RecordHeader, len(own), len(own)+10)
	copy(headers, own)
	for _, h := range [...][2]string{
		{letterTopic, from.topic}, {letterPartition, from.partition}, {letterOffset, from.offset},
		{letterConnector, t.id.Connector}, {letterTask, strconv.Itoa(t.id.Task)},
		{letterStage, string(e.stage)}, {letterClass, e.class},
		{letterException, class}, {letterExceptionText, text}, {letterExceptionTrace, t.def.secrets.Replace(stack)},
	} {
		headers = append(headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return headers
}

// prepareLetters creates the topic of the dead letter queue with one partition
// when it is missing.
func (t *task) prepareLetters() error {
	o := &t.def.options
	if o.dlqTopic == "" {
		return nil
	}
	admin, closeAdmin, err := t.openAdmin()
	if err != nil {
		return err
	}
	defer closeAdmin()
	return t.retryForever(t.stop, "create the dead letter queue topic", func() error {
		ctx, cancel := context.WithTimeout(t.stop, storeTimeout)
		defer cancel()
		_, err := admin.CreateTopic(ctx, 1, o.dlqReplication, nil, o.dlqTopic)
		if _, chosen := t.def.settings[dlqReplicationOption]; errors.Is(err, kerr.InvalidReplicationFactor) && !chosen {
			// Kafka's default of 3 is more than a small cluster has.
			_, err = admin.CreateTopic(ctx, 1, -1, nil, o.dlqTopic)
		}
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			return nil
		}
		err = fmt.Errorf("create the dead letter queue topic %s with replication factor %d (%s): %w", o.dlqTopic, o.dlqReplication, dlqReplicationOption, err)
		if passing(err) {
			return connect.Retriable(err)
		}
		return err
	})
}

// deadLetters writes the dead letters of a sink task. A source has its own
// producer for them.
type deadLetters struct {
	topic    string
	producer producer
	client   *kgo.Client // nil in tests
	meter    *meters.Run

	mu      sync.Mutex // guards the fields below
	pending int
	err     error         // the first that the log refused
	settled chan struct{} // closed when pending is 0; nil while it is
}

// openLetters returns the task's dead letter queue, nil when it has none.
func (t *task) openLetters() (*deadLetters, error) {
	topic := t.def.options.dlqTopic
	if topic == "" {
		return nil, nil
	}
	if err := t.prepareLetters(); err != nil {
		return nil, err
	}
	opts := append(t.def.options.producer.producerOpts(false), kgo.MaxBufferedRecords(deadLetterBuffer))
	if _, chosen := t.def.settings["producer.override.max.request.size"]; !chosen {
		opts = append(opts, kgo.ProducerBatchMaxBytes(maxLetterBytes))
	}
	a, err := t.access(producerClient)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(a.clientOpts(fmt.Sprintf("connector-dlq-producer-%s-%d", t.id.Connector, t.id.Task), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make the producer of the dead letter queue: %w", err)
	}
	return &deadLetters{topic: topic, producer: client, client: client, meter: t.meter}, nil
}

// maxLetterBytes lets the topic's max.message.bytes alone decide which record is
// too large for the queue.
const maxLetterBytes = 64 << 20

// send hands a letter to the client. The record's memory must not change any more.
func (d *deadLetters) send(ctx context.Context, r *kgo.Record) {
	d.mu.Lock()
	if d.pending == 0 {
		d.settled = make(chan struct{})
	}
	d.pending++
	d.mu.Unlock()
	r.Topic, r.Partition = d.topic, connect.AnyPartition
	d.producer.Produce(ctx, r, d.answer)
}

func (d *deadLetters) answer(r *kgo.Record, err error) {
	if err != nil {
		d.meter.LettersFailed(1)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("write a record of %d bytes to the dead letter queue topic %s: %w", recordBytes(r), d.topic, err)
	}
	if d.pending--; d.pending == 0 {
		close(d.settled)
		d.settled = nil
	}
}

// await returns when every letter that was sent is durable (I1), with the error
// of one that the log refused: its record must not count as handled (I3).
func (d *deadLetters) await(ctx context.Context) error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	settled, err := d.settled, d.err
	d.mu.Unlock()
	if err != nil || settled == nil {
		return err
	}
	select {
	case <-settled:
	case <-ctx.Done():
		return connect.Retriable(fmt.Errorf("write to the dead letter queue topic %s: %w", d.topic, context.Cause(ctx)))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *deadLetters) close() {
	if d != nil && d.client != nil {
		d.client.Close()
	}
}

// recordBytes is the size of what a record carries.
func recordBytes(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
