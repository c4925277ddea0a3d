package connect

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Seed writes three records to partition 0 of the topic in, which sinks of the
// script read.
func Seed(ctx context.Context, opts ...kgo.Opt) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	client, err := kgo.NewClient(append(opts, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(50), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(100*time.Millisecond))...)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer client.Close()
	for _, v := range []string{"a", "b", "c"} {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "in", Value: []byte(v)}).FirstErr(); err != nil {
			return fmt.Errorf("write to the topic in: %w", err)
		}
	}
	return nil
}
