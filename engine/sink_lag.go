package engine

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/internal/meters"
)

// lagInterval is how often it is looked whether the log's ends have to be asked
// for, and how long the fetcher has to be busy for that.
const lagInterval = 10 * time.Second

// fetched counts what was fetched of a partition and returns its records without
// the markers of transactions.
func (s *sinkTask) fetched(tp connect.TopicPartition, p *kgo.FetchPartition) []*kgo.Record {
	if len(p.Records) == 0 {
		return nil
	}
	f := meters.Fetch{Position: p.Records[len(p.Records)-1].Offset + 1, HighWatermark: p.HighWatermark}
	records := slices.DeleteFunc(p.Records, func(r *kgo.Record) bool {
		control := r.Attrs.IsControl()
		if control {
			r.Recycle()
		}
		return control
	})
	if n := len(records); n > 0 {
		f.Records, f.First, f.Timestamp, f.Next = n, records[0].Offset, records[0].Timestamp.UnixMilli(), records[n-1].Offset+1
	}
	s.meter.Fetched(tp, f)
	return records
}

// watchLagOf has the lag of new partitions looked at.
func (s *sinkTask) watchLagOf(fresh []connect.PartitionOffset) {
	for _, o := range fresh {
		s.meter.Assigned(o.TopicPartition, o.Offset)
	}
	select {
	case s.assigned <- struct{}{}:
	default: // it is about to be
	}
}

// watchLag keeps the lag of partitions true that no fetch tells of: new ones, and
// all while the fetcher waits for the sink or the connector is paused. Otherwise
// fetches bring the ends of the log, and nothing is asked for.
func (s *sinkTask) watchLag(ctx context.Context) {
	tick := time.NewTicker(lagInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.assigned:
		case <-tick.C:
		}
		polled := s.polled.Load()
		s.measure(ctx, s.meter.Unmeasured(), true)
		if polled != 0 && time.Since(time.Unix(0, polled)) >= lagInterval {
			s.measure(ctx, s.meter.Partitions(), false)
		}
	}
}

// measure asks where partitions end, and where those begin that have no offset.
// What does not work is tried again by the
// next tick; the fetcher tells of the trouble.
func (s *sinkTask) measure(ctx context.Context, tps []connect.TopicPartition, fresh bool) {
	if len(tps) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lagInterval)
	defer cancel()
	const latest, earliest = -1, -2
	ends := s.listOffsets(ctx, tps, latest)
	starts := ends
	if fresh && s.def.options.consumer.offsetReset != "latest" {
		starts = s.listOffsets(ctx, tps, earliest)
	}
	for _, tp := range tps {
		start, ok := starts[tp]
		end, ok2 := ends[tp]
		if ok && ok2 {
			s.meter.End(tp, start, end)
		}
	}
}

func (s *sinkTask) listOffsets(ctx context.Context, tps []connect.TopicPartition, timestamp int64) map[connect.TopicPartition]int64 {
	req := kmsg.NewPtrListOffsetsRequest()
	topics := make(map[string][]kmsg.ListOffsetsRequestTopicPartition)
	for _, tp := range tps {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = tp.Partition, timestamp
		topics[tp.Topic] = append(topics[tp.Topic], p)
	}
	for topic, partitions := range topics {
		req.Topics = append(req.Topics, kmsg.ListOffsetsRequestTopic{Topic: topic, Partitions: partitions})
	}
	resp, err := req.RequestWith(ctx, s.client)
	if err != nil {
		return nil
	}
	offsets := make(map[connect.TopicPartition]int64)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 {
				offsets[connect.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.Offset
			}
		}
	}
	return offsets
}
