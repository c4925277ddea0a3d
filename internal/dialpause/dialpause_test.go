package dialpause_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sluice-data/sluice/internal/dialpause"
	"github.com/sluice-data/sluice/log/logtest"
)

// A transaction that adds a partition, while its broker refuses connections, dials no more
// often than the pause allows. Without it the client burns a core.
func TestAddPartitionWhileRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const watched, most = 10 * time.Second, 1000
		way := logtest.Start(t).Refusing(most)
		client, err := kgo.NewClient(append(way.Opts(), dialpause.Opt(), kgo.TransactionalID("t"),
			kgo.MaxVersions(kversion.V3_9_0()), // from 4.0 on a produce request adds the partition
			kgo.AllowAutoTopicCreation(), kgo.ConnIdleTimeout(time.Second))...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		produce := func(topic string) error { return client.ProduceSync(t.Context(), &kgo.Record{Topic: topic}).FirstErr() }
		for _, topic := range []string{"a", "b"} {
			if err := errors.Join(client.BeginTransaction(), produce(topic), client.EndTransaction(t.Context(), kgo.TryCommit)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(client.BeginTransaction(), produce("a")); err != nil {
			t.Fatal(err)
		}
		way.Refuse()
		<-time.After(time.Minute) // the connections are idle and end
		before := way.Refused()
		client.Produce(t.Context(), &kgo.Record{Topic: "b"}, nil)
		<-time.After(watched)
		if got := way.Refused() - before; got == 0 || got >= most {
			t.Errorf("got %d dials in %s, want some and fewer than %d", got, watched, most)
		} else {
			t.Logf("%d dials in %s", got, watched)
		}
	})
}
