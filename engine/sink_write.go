package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/connect"
)

// writeBatch hands one batch to the sink and notes how far its partition came.
func (s *sinkTask) writeBatch(b *sinkBatch) error {
	s.writing = b
	defer func() {
		for _, r := range b.originals {
			r.Recycle()
		}
		s.writing, b.originals = nil, nil
		s.free.put(b)
	}()
	if err := s.followBack(b); err != nil {
		return err
	}
	if b.batch.Len() > 0 {
		if err := s.write(b); err != nil {
			return err
		}
	}
	if !s.current(b) {
		return nil
	}
	p := s.partitions[b.batch.From]
	p.written = b.next
	if s.flusher == nil && s.twoPhase == nil {
		p.durable = b.next
	}
	return nil
}

// followBack lets the sink begin anew with a partition that has gone back behind what is committed, which it would take for records that it has: the
// topic was made again, or has lost its end, and the consumer has begun where auto.offset.reset says.
func (s *sinkTask) followBack(b *sinkBatch) error {
	p := s.partitions[b.batch.From]
	if !s.current(b) || p == nil || len(b.originals) == 0 || b.originals[0].Offset >= p.committed {
		return nil
	}
	at := connect.PartitionOffset{TopicPartition: b.batch.From, Offset: b.originals[0].Offset}
	s.logger.Warn("the offsets of a partition have gone back; the task goes on there", logTopic, at.Topic, logPartition, at.Partition, "committed", p.committed, logOffset, at.Offset)
	s.announce([]connect.TopicPartition{at.TopicPartition})
	if err := s.flushRemoved(); err != nil {
		return err
	}
	if s.assigner != nil {
		if err := s.followed("revoke", func() error { return s.assigner.Revoke(s.kill, []connect.TopicPartition{at.TopicPartition}) }); err != nil {
			return err
		}
	}
	if err := s.assign([]connect.PartitionOffset{at}); err != nil {
		return err
	}
	*p = sinkPartition{written: at.Offset, durable: at.Offset, committed: at.Offset}
	return nil
}

// current tells whether a batch belongs to an assignment that still holds.
func (s *sinkTask) current(b *sinkBatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epochs[b.batch.From] == b.epoch
}

// write calls Write with the same batch until it is taken, refused, or not this
// task's any more. Heartbeats go on meanwhile, so the partitions stay here.
func (s *sinkTask) write(b *sinkBatch) error {
	retry := backoff{limit: s.def.options.retryDelayMax}
	trouble := s.trouble("write to the sink")
	for s.current(b) {
		began := time.Now()
		err := s.sink.Write(s.kill, b.batch)
		var failed *connect.BatchError
		switch {
		case err == nil:
			trouble.over()
			s.meter.Put(b.batch.Len(), time.Since(began))
			return nil
		case errors.As(err, &failed):
			s.meter.Put(b.batch.Len()-len(failed.Failed), time.Since(began))
			return s.tolerate(b, failed)
		case !connect.IsRetriable(err):
			return fmt.Errorf("write %s: %w", recordPlace(b.batch.From, b.batch.Records()[0].Offset), err)
		}
		trouble.note(err)
		if err := s.waitToRetry(retry.next()); err != nil {
			return err
		}
		s.meter.Retried()
	}
	return nil
}

// waitToRetry waits and follows rebalances meanwhile.
func (s *sinkTask) waitToRetry(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return nil
		case <-s.stop.Done():
			return errStopping
		case rb := <-s.rebalances:
			if err := s.rebalance(rb); err != nil {
				return err
			}
		}
	}
}

// flushAndCommit does what is due once in a while. What can pass is tried again
// next time.
func (s *sinkTask) flushAndCommit(ctx context.Context) error {
	if s.twoPhase != nil {
		return s.tryPhases(s.phases(ctx))
	}
	err := s.flush(ctx)
	if err != nil && !connect.IsRetriable(err) {
		return err
	}
	if err != nil {
		s.flushTrouble.note(err)
	} else {
		s.flushTrouble.over()
	}
	return s.commit(ctx)
}

// flush asks a Flusher how far its output is durable. Partitions that are not
// assigned and offsets that were never written are dropped.
func (s *sinkTask) flush(ctx context.Context) error {
	if s.flusher == nil {
		return nil
	}
	offsets, err := s.flusher.Flush(ctx)
	if err != nil {
		return fmt.Errorf("flush the sink: %w", err)
	}
	for _, o := range offsets {
		if p := s.partitions[o.TopicPartition]; p != nil {
			p.durable = max(p.durable, min(o.Offset, p.written))
		}
	}
	return nil
}

// commit moves the consumer offsets to what is durable in the sink, never
// further (I3). A commit that does not work is tried again next time; it costs
// repeated records at most.
func (s *sinkTask) commit(ctx context.Context) error {
	due := make(map[string]map[int32]kgo.EpochOffset)
	for tp, p := range s.partitions {
		if p.durable <= p.committed {
			continue
		}
		if due[tp.Topic] == nil {
			due[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		due[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: p.durable}
	}
	if len(due) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.OffsetFlushTimeout)
	defer cancel()
	began := time.Now()
	// A reported record is durable before its offset moves (KIP-610, I3).
	err := s.letters.await(ctx)
	if connect.IsRetriable(err) {
		s.commitTrouble.note(err)
		return nil
	}
	if err != nil {
		return err
	}
	s.client.CommitOffsetsSync(ctx, due, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, e error) {
		err = s.committed(due, resp, e)
	})
	s.meter.Committed(time.Since(began), err)
	if err != nil {
		s.commitTrouble.note(err)
	} else {
		s.commitTrouble.over()
	}
	return nil
}

// committed notes which partitions were committed and returns an error of those
// that were not.
func (s *sinkTask) committed(due map[string]map[int32]kgo.EpochOffset, resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if e := partitionError(p.ErrorCode); e != nil {
				err = fmt.Errorf("topic %s, partition %d: %w", t.Topic, p.Partition, e)
				continue
			}
			if sp := s.partitions[connect.TopicPartition{Topic: t.Topic, Partition: p.Partition}]; sp != nil {
				sp.committed = due[t.Topic][p.Partition].Offset
				s.meter.CommittedTo(connect.TopicPartition{Topic: t.Topic, Partition: p.Partition}, sp.committed)
			}
		}
	}
	return err
}
