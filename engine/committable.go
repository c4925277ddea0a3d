package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// committable waits until a client has stored one of the partitions that its open
// transaction has written to; without any it returns at once. franz-go stores what
// it learns of a topic a moment after it begins to write to it. A commit in that
// moment sees a transaction without partitions, aborts it and reports success: what
// was acknowledged would be gone (I2). It is the first transaction of a client, or
// of one that writes to new topics only.
func committable(ctx context.Context, client *kgo.Client, wrote ...connect.TopicPartition) error {
	if len(wrote) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for {
		for _, tp := range wrote {
			// An error says nothing: a partition that is stored keeps its leader with one,
			// and a topic that has only ever had errors has no partitions stored.
			if leader, _, _ := client.PartitionLeader(tp.Topic, tp.Partition); leader >= 0 {
				return nil
			}
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return fmt.Errorf("commit: the client does not know %s, partition %d, to which it has written: %w", wrote[0].Topic, wrote[0].Partition, err)
		}
	}
}

// lastWritten returns the partition of the last record that the log has taken.
func lastWritten(records []kgo.Record, failures []produceFailure) []connect.TopicPartition {
	for i := len(records) - 1; i >= 0; i-- {
		if r := &records[i]; !failed(failures, r) {
			return []connect.TopicPartition{{Topic: r.Topic, Partition: r.Partition}}
		}
	}
	return nil
}

func failed(failures []produceFailure, r *kgo.Record) bool {
	for _, f := range failures {
		if f.record == r {
			return true
		}
	}
	return false
}
