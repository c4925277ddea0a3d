package clients

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluice-data/sluice/log/logtest"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/test/process"
)

// Committed records are visible, aborted ones are not, under read_committed in
// every client; all are there under read_uncommitted; each marker takes an offset.
func TestTransactionVisibility(t *testing.T) {
	s := startServer(t)
	each(t, transacts, func(t *testing.T, writer judge) {
		topic := topicName("visible", writer)
		s.createTopic(t, topic, 1)
		x := writer.transact(t, s.addr, topic)
		for i, commit := range []bool{false, true, false, true} {
			x.begin(t)
			x.send(t, topic, values(fmt.Sprint("a", i), fmt.Sprint("b", i))...)
			x.end(t, commit)
		}
		x.close()
		eventually(t, func() error { // the last marker comes after the answer
			if end := listedOffset(t, s.addr, topic, 7, -1, 0); end != 12 {
				return fmt.Errorf("end offset %d, want 12: eight records and four markers", end)
			}
			return nil
		})
		for _, reader := range judges(t) {
			if reader.showsMarkers {
				continue
			}
			got := reader.consume(t, consumeRequest{addr: s.addr, topic: topic, n: 8})
			wantTexts(t, reader.name+" uncommitted", got, "a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3")
			got = reader.consume(t, consumeRequest{addr: s.addr, topic: topic, n: 4, committed: true})
			wantTexts(t, reader.name+" committed", got, "a1", "b1", "a3", "b3")
		}
	})
}

// listedOffset asks ListOffsets for one timestamp of partition 0.
func listedOffset(t *testing.T, addr, topic string, version int16, timestamp int64, isolation int8) int64 {
	t.Helper()
	q := kmsg.NewPtrListOffsetsRequest()
	q.ReplicaID, q.IsolationLevel = -1, isolation
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp, p.CurrentLeaderEpoch = timestamp, -1
	qt := kmsg.NewListOffsetsRequestTopic()
	qt.Topic, qt.Partitions = topic, append(qt.Partitions, p)
	q.Topics = append(q.Topics, qt)
	got := ask[*kmsg.ListOffsetsResponse](t, addr, version, q).Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		t.Fatalf("list offset %d of %s: error code %d", timestamp, topic, got.ErrorCode)
	}
	return got.Offset
}

const readCommitted = 1

// Producers of both generations of the protocol are in one partition at a time.
// Nothing after the first open transaction is stable, whoever ends first.
func TestBothGenerationsInOnePartition(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "both", 1)
	var open []transactor
	var want []string
	for _, j := range judges(t) {
		if !transacts(j) {
			continue
		}
		x := j.transact(t, s.addr, "both-"+j.name)
		x.begin(t)
		x.send(t, "both", values(j.name)...)
		if len(open)%2 == 0 {
			want = append(want, j.name)
		}
		open = append(open, x)
	}
	for i := len(open) - 1; i >= 0; i-- { // the first one last
		if got := listedOffset(t, s.addr, "both", 7, -1, readCommitted); got != 0 {
			t.Errorf("last stable offset %d while the first transaction is open, want 0", got)
		}
		open[i].end(t, i%2 == 0)
		open[i].close()
	}
	for _, reader := range judges(t) {
		if !reader.showsMarkers {
			got := reader.consume(t, consumeRequest{addr: s.addr, topic: "both", n: len(want), committed: true})
			wantTexts(t, reader.name, got, want...)
		}
	}
}

// The last stable offset goes to the first transaction that is still open.
func TestLastStableOffset(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "stable", 1)
	first, second := kgoTransact(t, s.addr, "first"), rdTransact(t, s.addr, "second")
	stable := func(want int64) {
		t.Helper()
		eventually(t, func() error {
			if got := listedOffset(t, s.addr, "stable", 7, -1, readCommitted); got != want {
				return fmt.Errorf("last stable offset %d, want %d", got, want)
			}
			return nil
		})
	}
	first.begin(t)
	second.begin(t)
	first.send(t, "stable", values("f0")...)  // 0
	second.send(t, "stable", values("s1")...) // 1
	stable(0)
	second.end(t, true) // 2
	stable(0)
	first.send(t, "stable", values("f3")...) // 3
	second.begin(t)
	second.send(t, "stable", values("s4")...) // 4
	first.end(t, false)                       // 5
	stable(4)
	second.end(t, true) // 6
	stable(7)
	got := rdConsume(t, consumeRequest{addr: s.addr, topic: "stable", n: 2, committed: true})
	wantTexts(t, "committed", got, "s1", "s4")
}

// A second producer of one transactional id fences the first, whose open
// transaction is aborted.
func TestZombieIsFenced(t *testing.T) {
	s := startServer(t)
	each(t, transacts, func(t *testing.T, j judge) {
		topic := topicName("zombie", j)
		s.createTopic(t, topic, 1)
		old := j.transact(t, s.addr, topic)
		old.begin(t)
		old.send(t, topic, values("zombie")...)
		x := kgoTransact(t, s.addr, topic)
		x.begin(t)
		x.send(t, topic, values("alive")...)
		x.end(t, true)
		got := kgoConsume(t, consumeRequest{addr: s.addr, topic: topic, n: 1, committed: true})
		wantTexts(t, "committed", got, "alive")
	})
	s.createTopic(t, "fenced", 1)
	rd := rdTransact(t, s.addr, "fenced").(*rdTransactor)
	rd.begin(t)
	rd.send(t, "fenced", values("zombie")...)
	kgoTransact(t, s.addr, "fenced")
	var k kafka.Error
	if err := rd.p.CommitTransaction(limit(t)); !errors.As(err, &k) || !k.IsFatal() {
		t.Errorf("librdkafka commits as a zombie: %v, want a fatal error", err)
	}
	cl := kgoTransact(t, s.addr, "fenced-kgo").(*kgoTransactor).cl
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(limit(t), toKgo("fenced", values("zombie"))...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	rdTransact(t, s.addr, "fenced-kgo")
	err := cl.EndTransaction(limit(t), kgo.TryCommit)
	if !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("franz-go commits as a zombie: %v, want to be fenced", err)
	}
}

// A transaction that is not ended within its timeout is aborted, and the last
// stable offset goes on.
func TestTransactionTimeout(t *testing.T) {
	s := startServer(t, func(c *logtest.Config) { c.Txns.TimeoutInterval = 200 * time.Millisecond })
	s.createTopic(t, "late", 1)
	x := rdTransactAs(t, s.addr, map[string]any{"transactional.id": "late", "transaction.timeout.ms": 1000}).(*rdTransactor)
	x.begin(t)
	x.send(t, "late", values("late")...)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "late"}, values("plain")...)
	eventually(t, func() error {
		if got := listedOffset(t, s.addr, "late", 7, -1, readCommitted); got != 3 {
			return fmt.Errorf("last stable offset %d, want 3: two records and the marker", got)
		}
		return nil
	})
	got := kgoConsume(t, consumeRequest{addr: s.addr, topic: "late", n: 1, committed: true})
	wantTexts(t, "committed", got, "plain")
	var k kafka.Error
	if err := x.p.CommitTransaction(limit(t)); !errors.As(err, &k) {
		t.Error("librdkafka commits what was aborted")
	}
}

// Offsets that are part of a transaction count when it is committed, not before,
// and not when it is aborted.
func TestOffsetsInTransaction(t *testing.T) {
	s := startServer(t)
	each(t, transacts, func(t *testing.T, j judge) {
		topic := topicName("offsets", j)
		s.createTopic(t, topic, 1)
		kgoProduce(t, produceRequest{addr: s.addr, topic: topic}, numbered("v", 10)...)
		x := j.transact(t, s.addr, topic)
		for _, step := range []struct {
			next   int64
			commit bool
			want   int64
		}{{3, true, 3}, {5, false, 3}, {7, true, 7}} {
			x.begin(t)
			x.send(t, topic, values("x")...)
			x.offsets(t, topic, topic, step.next)
			// Sarama keeps offsets until it commits.
			if code := fetchStable(t, s.addr, topic, topic); j.name != "Sarama" && code != kerr.UnstableOffsetCommit.Code {
				t.Errorf("require_stable with an open transaction: error code %d, want %d", code, kerr.UnstableOffsetCommit.Code)
			}
			x.end(t, step.commit)
			eventually(t, func() error {
				offsets, err := kadmClient(t, s.addr).FetchOffsets(limit(t), topic)
				if o, _ := offsets.Lookup(topic, 0); err != nil || o.At != step.want {
					return fmt.Errorf("committed %d, %v, want %d", o.At, err, step.want)
				}
				return nil
			})
		}
	})
}

// fetchStable is the error code of OffsetFetch v7 with require_stable (KIP-447).
func fetchStable(t *testing.T, addr, group, topic string) int16 {
	t.Helper()
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Group, q.RequireStable = group, true
	q.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: []int32{0}}}
	return ask[*kmsg.OffsetFetchResponse](t, addr, 7, q).Topics[0].Partitions[0].ErrorCode
}

// An operator sees open transactions and ends one that hangs.
func TestTransactionAdmin(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "seen", 1)
	adm, ctx := kadmClient(t, s.addr), limit(t)
	x := rdTransact(t, s.addr, "seen")
	x.begin(t)
	x.send(t, "seen", values("a", "b")...)

	listed, err := adm.ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil || !slices.Equal(listed.TransactionalIDs(), []string{"seen"}) {
		t.Errorf("list: %v, %v", listed.TransactionalIDs(), err)
	}
	described, err := adm.DescribeTransactions(ctx, "seen")
	if d := described["seen"]; err != nil || d.State != "Ongoing" || !d.Topics.Lookup("seen", 0) {
		t.Errorf("describe: %+v, %v", d, err)
	}
	var set kadm.TopicsSet
	set.Add("seen", 0)
	producers, err := adm.DescribeProducers(ctx, set)
	if err != nil {
		t.Fatal(err)
	}
	p := producers["seen"].Partitions[0].ActiveProducers.Sorted()
	if len(p) != 1 || p[0].ProducerID != listed["seen"].ProducerID || p[0].LastSequence != 1 || p[0].CurrentTxnStartOffset != 0 {
		t.Fatalf("producers: %+v", p)
	}
	abort := kadm.TxnMarkers{ProducerID: p[0].ProducerID, ProducerEpoch: p[0].ProducerEpoch, Commit: false, CoordinatorEpoch: p[0].CoordinatorEpoch}
	abort.Topics.Add("seen", 0)
	if _, err := adm.WriteTxnMarkers(ctx, abort); err != nil {
		t.Errorf("write abort marker: %v", err)
	}
	if got := listedOffset(t, s.addr, "seen", 7, -1, readCommitted); got != 3 {
		t.Errorf("last stable offset %d after the abort, want 3", got)
	}
}

// Fencing from outside, as Kafka Connect does: InitProducerId without an epoch of
// its own.
func TestFenceProducers(t *testing.T) {
	s := startServer(t)
	s.createTopic(t, "out", 1)
	x := rdTransact(t, s.addr, "task-0").(*rdTransactor)
	x.begin(t)
	x.send(t, "out", values("zombie")...)
	q := kmsg.NewPtrInitProducerIDRequest()
	id := "task-0"
	q.TransactionalID, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = &id, 10_000, -1, -1
	eventually(t, func() error {
		resp := ask[*kmsg.InitProducerIDResponse](t, s.addr, 4, q)
		return kerr.ErrorForCode(resp.ErrorCode) // CONCURRENT_TRANSACTIONS while it aborts
	})
	var k kafka.Error
	if err := x.p.CommitTransaction(limit(t)); !errors.As(err, &k) || !k.IsFatal() {
		t.Errorf("librdkafka commits after it was fenced: %v", err)
	}
	if got := listedOffset(t, s.addr, "out", 7, -1, readCommitted); got != 2 {
		t.Errorf("last stable offset %d, want 2", got)
	}
}

// A transaction survives a restart of the server in its middle, in both
// generations of the protocol.
func TestTransactionOverRestart(t *testing.T) {
	restarts := map[string]func(t *testing.T, s *process.Server){
		"kill -9": func(t *testing.T, s *process.Server) { s.Kill() },
		"SIGTERM": func(t *testing.T, s *process.Server) {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		},
	}
	for name, end := range restarts {
		s := process.New(t)
		each(t, transacts, func(t *testing.T, j judge) {
			topic := topicName("restart", j)
			makeTopic(t, s.Addr, topic, 1)
			x := j.transact(t, s.Addr, topic)
			x.begin(t)
			x.send(t, topic, values("before")...)
			end(t, s)
			s.Start(t)
			s.WaitReady(t)
			x.send(t, topic, values("after")...)
			x.end(t, true)
			got := kgoConsume(t, consumeRequest{addr: s.Addr, topic: topic, n: 2, committed: true})
			wantTexts(t, name, got, "before", "after")
			begin := time.Now()
			x.begin(t)
			x.send(t, topic, values("next")...)
			x.end(t, true)
			if took := time.Since(begin); took > patience/2 {
				t.Errorf("the next transaction took %v", took)
			}
		})
	}
}
