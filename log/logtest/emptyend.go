package logtest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
)

// StartEmptyEnd starts a log on a folder in which a compacted topic ends with tombstones
// of partition 0, and perhaps the marker of their transaction, and compacts them away
// until empty batches are left of them.
func StartEmptyEnd(t testing.TB, dir, topic string) *Node {
	t.Helper()
	cleaned := filepath.Join(dir, "cleaner-offset-checkpoint")
	passed := regexp.MustCompile(regexp.QuoteMeta(topic) + " 0 [1-9]")
	days := 0
	start := func() *Node {
		now := func() time.Time { return time.Now().AddDate(0, 0, days) }
		return Start(t, On(vfs.OS, dir), func(c *Config) { c.Log.CompactionInterval, c.Log.Now = 10*time.Millisecond, now })
	}
	// A pass closes the segment, which is old enough; the next ones, each of a log that does
	// not know of those before it any more, take away the tombstones, then the marker, once
	// they are old enough themselves.
	for range 4 {
		days += 10
		n := start()
		client, err := kgo.NewClient(n.Opts()...)
		if err != nil {
			t.Fatal(err)
		}
		for text := []byte(nil); !passed.Match(text); text, _ = os.ReadFile(cleaned) {
			if _, err := kadm.NewClient(client).BrokerMetadata(t.Context()); err != nil { // it takes a while
				t.Fatal(err)
			}
		}
		client.Close()
		n.Stop()
		if err := os.Remove(cleaned); err != nil {
			t.Fatal(err)
		}
	}
	return start()
}
