package pgkill

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// listed asks for offsets of topics.
func listed(ctx context.Context, log []kgo.Opt, list func(*kadm.Client, context.Context, ...string) (kadm.ListedOffsets, error), topics ...string) (kadm.ListedOffsets, error) {
	c, err := kgo.NewClient(log...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return list(kadm.NewClient(c), ctx, topics...)
}

// ended returns nil when the topic last has a committed record and no topic has
// records of a transaction that is open there. The first is not enough: a commit is
// answered when it is decided, and each partition shows it when its own marker is
// durable. A reader who stops at what is stable then would miss records that are
// only not to be seen yet.
func ended(ctx context.Context, log []kgo.Opt, last string, topics ...string) error {
	ends, err := listed(ctx, log, (*kadm.Client).ListEndOffsets, topics...)
	if err != nil {
		return err
	}
	stable, err := listed(ctx, log, (*kadm.Client).ListCommittedOffsets, topics...)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		end, upTo := ends[topic][0], stable[topic][0]
		if err := cmp.Or(end.Err, upTo.Err); err != nil {
			return err
		}
		if upTo.Offset < end.Offset {
			return fmt.Errorf("%s has a transaction that is open at %d, the end is %d", topic, upTo.Offset, end.Offset)
		}
	}
	if stable[last][0].Offset <= 0 {
		return fmt.Errorf("%s has no record", last)
	}
	return nil
}
