package broker

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Readers of committed data see what was committed and nothing else, and see it
// again after a restart.
func TestCommitAndAbort(t *testing.T) {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 3, nil)
	cl := s.client(kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	want := map[string]bool{}
	for i := range 10 {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for j := range 5 {
			v := fmt.Sprintf("%d/%d", i, j)
			want[v] = i%3 != 0
			if err := cl.ProduceSync(s.ctx(), kgo.StringRecord(v)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(s.ctx(), kgo.TransactionEndTry(i%3 != 0)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, committed := range want {
		if committed {
			n++
		}
	}
	for range 2 {
		rd := s.client(kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		for _, r := range consume(t, s.ctx(), rd, n) {
			if !want[string(r.Value)] {
				t.Errorf("read %s, which was aborted", r.Value)
			}
		}
		s.restart()
	}
}
