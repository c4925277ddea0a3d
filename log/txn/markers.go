package txn

import (
	"errors"
	"time"

	"github.com/sluice-data/sluice/log"
)

// offsetsTopic has the offsets that consumer groups commit.
const offsetsTopic = "__consumer_offsets"

// How long a marker that cannot be written waits for the next attempt.
const (
	minMarkerRetry = 50 * time.Millisecond
	maxMarkerRetry = 10 * time.Second
)

// settle writes a marker to each of the partitions and returns true when all are
// durable. Those that are gone are left out; those that cannot be written now are
// tried again, for as long as it takes. It returns false when the coordinator or
// the log is closed, or the log has failed.
func (c *Coordinator) settle(m log.Marker, partitions []TopicPartition) bool {
	for delay := minMarkerRetry; ; delay = min(2*delay, maxMarkerRetry) {
		errs := c.mark(m, partitions)
		var left []TopicPartition
		var last error
		for i, err := range errs {
			switch {
			case err == nil, errors.Is(err, log.ErrTopicNotFound), errors.Is(err, log.ErrPartitionDeleted):
			case errors.Is(err, log.ErrClosed), errors.Is(err, log.ErrFailed):
				return false
			case errors.Is(err, log.ErrInvalidProducerEpoch), errors.Is(err, log.ErrCoordinatorFenced):
				// A later marker is there: an operator has ended the transaction by hand.
				c.warn("transaction was ended by somebody else", m, partitions[i], err)
			default:
				left, last = append(left, partitions[i]), err
			}
		}
		if len(left) == 0 {
			return true
		}
		if len(left) < len(partitions) || delay == minMarkerRetry {
			c.warn("transaction marker cannot be written; trying again", m, left[0], last)
		}
		partitions = left
		select {
		case <-time.After(delay):
		case <-c.ctx.Done():
			return false
		}
	}
}

func (c *Coordinator) warn(text string, m log.Marker, tp TopicPartition, err error) {
	c.cfg.Logger.Warn(text, keyProducer, m.ProducerID, keyEpoch, m.ProducerEpoch, keyTopic, tp.Topic, keyPartition, tp.Partition, "err", err)
}

// mark writes a marker to each of the partitions and waits until it is durable
// (I1). They share sync rounds. Offsets are committed or dropped then.
func (c *Coordinator) mark(m log.Marker, partitions []TopicPartition) []error {
	errs := make([]error, len(partitions))
	places := make([]place, len(partitions))
	for i, tp := range partitions {
		places[i], errs[i] = c.appendMarker(m, tp)
	}
	for i, tp := range partitions {
		if errs[i] == nil {
			errs[i] = places[i].wait()
		}
		if errs[i] == nil && tp.Topic == offsetsTopic {
			c.cfg.EndOffsets(tp.Partition, m.ProducerID, m.ProducerEpoch, m.Commit)
		}
	}
	return errs
}

func (c *Coordinator) appendMarker(m log.Marker, tp TopicPartition) (place, error) {
	t, ok := c.cfg.Log.Topic(tp.Topic)
	if !ok {
		return place{}, log.ErrTopicNotFound
	}
	p, ok := t.Partition(tp.Partition)
	if !ok {
		return place{}, log.ErrTopicNotFound
	}
	res, err := p.AppendMarker(m)
	return place{p, res.LastOffset}, err
}

// WriteMarkers ends transactions by hand (WriteTxnMarkers): those that no
// transactional id accounts for, which hold up the readers of their partitions
// (KIP-664). The outcomes are those of the partitions: nil only after the marker
// is durable, log.ErrTopicNotFound, or an error of [log.Partition.AppendMarker].
func (c *Coordinator) WriteMarkers(m log.Marker, partitions []TopicPartition) []error {
	return c.mark(m, partitions)
}
