package workers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// row is a record of a source.
type row struct {
	Task  int
	Seqno int64
}

// checkTopics reads what the sources have written, and what the sinks have made of it.
func (c *crew) checkTopics(ctx context.Context) error {
	for n := range c.Sources {
		if err := c.awaitStopped(ctx, source(n)); err != nil {
			return err
		}
		seen, err := c.readTopic(ctx, source(n))
		if err != nil {
			return err
		}
		c.count(seen)
		if n >= c.Sinks {
			continue
		}
		if err := c.checkFile(ctx, n, seen); err != nil {
			return err
		}
	}
	return nil
}

// awaitStopped waits until a connector has no tasks any more.
func (c *crew) awaitStopped(ctx context.Context, name string) error {
	return retry(ctx, func() error {
		text, err := call(ctx, http.MethodGet, "http://"+c.workers[0].rest+"/connectors/"+name+"/status", nil)
		if err != nil {
			return err
		}
		var status struct {
			Connector struct{ State string }
			Tasks     []struct{ State string }
		}
		if err := json.Unmarshal(text, &status); err != nil {
			return fmt.Errorf("read the status of %s: %w", name, err)
		}
		if status.Connector.State != "STOPPED" || len(status.Tasks) > 0 {
			return fmt.Errorf("%s does not stop: %.300s", name, text)
		}
		return nil
	})
}

// readTopic counts each row of a topic, as a reader of committed records sees it.
func (c *crew) readTopic(ctx context.Context, topic string) (map[row]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.DisableClientMetrics())
	if err != nil {
		return nil, fmt.Errorf("make a reader: %w", err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the end of %s: %w", topic, err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	seen := map[row]int64{}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				return
			}
			var value row
			if err := json.Unmarshal(r.Value, &value); err == nil {
				seen[value]++
			}
		})
	}
	return seen, nil
}

// count adds up what is missing and what is there more than once.
func (c *crew) count(seen map[row]int64) {
	highest := map[int]int64{}
	for r, n := range seen {
		c.report.Records += n
		c.report.Doubled += n - 1
		highest[r.Task] = max(highest[r.Task], r.Seqno)
	}
	for t, last := range highest {
		for n := range last + 1 {
			if seen[row{t, n}] == 0 {
				c.report.Lost++
			}
		}
	}
}

// checkFile waits until a sink has written all rows.
func (c *crew) checkFile(ctx context.Context, n int, want map[row]int64) error {
	var lost, again int64
	err := retry(ctx, func() error {
		text, err := os.ReadFile(c.file(n))
		if err != nil {
			return fmt.Errorf("read what a sink has written: %w", err)
		}
		got := map[row]int64{}
		for line := range bytes.Lines(text) {
			// A kill may leave half a line before a whole one.
			if i := bytes.LastIndexByte(line, '{'); i >= 0 {
				var r row
				if json.Unmarshal(line[i:], &r) == nil {
					got[r]++
				}
			}
		}
		lost, again = 0, 0
		for r := range want {
			if got[r] == 0 {
				lost++
			}
			again += max(got[r]-1, 0)
		}
		if lost > 0 {
			return fmt.Errorf("%s lacks %d of %d rows", c.file(n), lost, len(want))
		}
		return nil
	})
	c.report.SinkLost += lost
	c.report.SinkAgain += again
	if err != nil && lost == 0 {
		return err
	}
	return nil
}
