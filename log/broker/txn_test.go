package broker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
	"github.com/sluice-data/sluice/log/txn"
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

// txnClient speaks the transaction protocol request by request, in whatever
// version a test asks for.
type txnClient struct{ rawConn }

func newTxnClient(s *server) txnClient { return txnClient{s.raw()} }

// kafkaError is nil for code 0.
func kafkaError(code int16) error { return kerr.ErrorForCode(code) }

func (c txnClient) tryInit(version int16, id string, pid int64, epoch int16) (txn.Producer, error) {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.SetVersion(version)
	q.TransactionalID, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = &id, 60_000, pid, epoch
	resp := ask[*kmsg.InitProducerIDResponse](c.rawConn, q)
	return txn.Producer{TransactionalID: id, ID: resp.ProducerID, Epoch: resp.ProducerEpoch}, kafkaError(resp.ErrorCode)
}

func (c txnClient) init(version int16, id string, pid int64, epoch int16) txn.Producer {
	c.t.Helper()
	p, err := c.tryInit(version, id, pid, epoch)
	if err != nil {
		c.t.Fatalf("init %s: %v", id, err)
	}
	return p
}

// produce sends one batch to partition 0; without an id, no transactional id.
func (c txnClient) produce(version int16, id, topic string, partition int32, records []byte) error {
	q := produceRequest(topic, -1, records)
	q.SetVersion(version)
	if id != "" {
		q.TransactionID = &id
	}
	q.Topics[0].Partitions[0].Partition = partition
	return kafkaError(ask[*kmsg.ProduceResponse](c.rawConn, q).Topics[0].Partitions[0].ErrorCode)
}

// add sends the form of clients; the errors are by partition.
func (c txnClient) add(version int16, p txn.Producer, topic string, partitions ...int32) []error {
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.SetVersion(version)
	q.TransactionalID, q.ProducerID, q.ProducerEpoch = p.TransactionalID, p.ID, p.Epoch
	q.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: partitions}}
	var errs []error
	for _, rp := range ask[*kmsg.AddPartitionsToTxnResponse](c.rawConn, q).Topics[0].Partitions {
		errs = append(errs, kafkaError(rp.ErrorCode))
	}
	return errs
}

func (c txnClient) addOffsets(version int16, p txn.Producer, group string) error {
	q := kmsg.NewPtrAddOffsetsToTxnRequest()
	q.SetVersion(version)
	q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Group = p.TransactionalID, p.ID, p.Epoch, group
	return kafkaError(ask[*kmsg.AddOffsetsToTxnResponse](c.rawConn, q).ErrorCode)
}

// commitOffset commits an offset of partition 0.
func (c txnClient) commitOffset(version int16, p txn.Producer, group, topic string, offset int64) error {
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.SetVersion(version)
	q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Group = p.TransactionalID, p.ID, p.Epoch, group
	qp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	qp.Offset = offset
	q.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{qp}}}
	return kafkaError(ask[*kmsg.TxnOffsetCommitResponse](c.rawConn, q).Topics[0].Partitions[0].ErrorCode)
}

func (c txnClient) end(version int16, p txn.Producer, commit bool) (txn.Producer, error) {
	q := kmsg.NewPtrEndTxnRequest()
	q.SetVersion(version)
	q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Commit = p.TransactionalID, p.ID, p.Epoch, commit
	resp := ask[*kmsg.EndTxnResponse](c.rawConn, q)
	return txn.Producer{TransactionalID: p.TransactionalID, ID: resp.ProducerID, Epoch: resp.ProducerEpoch}, kafkaError(resp.ErrorCode)
}

// txnBatch is a transactional batch with one record.
func txnBatch(t testing.TB, p txn.Producer, sequence int32, value string) []byte {
	t.Helper()
	b := batch.Builder{Idempotent: true, Transactional: true, ProducerID: p.ID, ProducerEpoch: p.Epoch, BaseSequence: sequence}
	b.Append(time.Now().UnixMilli(), nil, []byte(value))
	raw, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// One small transaction after the other takes four syncs each: what does not
// depend on each other shares a round.
func TestTransactionTakesFourSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sync, n = time.Millisecond, 50
		disk := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
			if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
				<-time.After(sync)
			}
			return nil
		}}
		s := startServer(t, "/data", disk, nil)
		s.createTopic("t", 1, nil)
		c := newTxnClient(s)
		p := c.init(5, "x", -1, -1)
		var start time.Time
		for i := range n + 1 {
			if i == 1 { // the first one creates files
				start = time.Now()
			}
			if err := c.produce(12, "x", "t", 0, txnBatch(t, p, 0, "value")); err != nil {
				t.Fatal(err)
			}
			if err := c.commitOffset(5, p, "g", "t", int64(i)); err != nil {
				t.Fatal(err)
			}
			var err error
			if p, err = c.end(5, p, true); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start) / n; took > 4*sync {
			t.Errorf("a transaction takes %.1f syncs, want 4", float64(took)/float64(sync))
		}
	})
}
