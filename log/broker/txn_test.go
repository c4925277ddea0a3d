package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
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
	cl.Close()
	for range 2 {
		rd := s.client(kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		for _, r := range consume(t, s.ctx(), rd, n) {
			if !want[string(r.Value)] {
				t.Errorf("read %s, which was aborted", r.Value)
			}
		}
		rd.Close()
		s.restart()
	}
}

// Both generations of the protocol on one partition: what readers of committed
// data may see ends at the first record of the earliest open transaction.
func TestBothGenerations(t *testing.T) {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 1, nil)
	topic, _ := s.log.Topic("t")
	part, _ := topic.Partition(0)
	c := newTxnClient(s)
	old := c.init(1, "old", -1, -1) // as librdkafka: 22v1, 24v0, 0v7, 25v0, 28v3, 26v1
	cl := s.client(kgo.TransactionalID("new"), kgo.DefaultProduceTopic("t"))
	next := int32(0)
	for i := range 6 {
		if err := c.add(0, old, "t", 0)[0]; err != nil {
			t.Fatal(err)
		}
		first := part.EndOffset()
		if err := c.produce(7, "old", "t", 0, txnBatch(t, old, next, fmt.Sprint("old ", i))); err != nil {
			t.Fatal(err)
		}
		next++
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(s.ctx(), kgo.StringRecord(fmt.Sprint("new ", i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(s.ctx(), kgo.TransactionEndTry(i%2 == 0)); err != nil {
			t.Fatal(err)
		}
		if got := part.LastStableOffset(); got != first {
			t.Errorf("last stable offset %d, want %d, where the open transaction begins", got, first)
		}
		if err := c.addOffsets(0, old, "g"); err != nil {
			t.Fatal(err)
		}
		if err := c.commitOffset(3, old, "g", "t", int64(i)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.end(1, old, i%3 == 0); err != nil {
			t.Fatal(err)
		}
	}
	rd := s.client(kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	var got []string
	for _, r := range consume(t, s.ctx(), rd, 5) {
		got = append(got, string(r.Value))
	}
	if want := []string{"old 0", "new 0", "new 2", "old 3", "new 4"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	offsets, err := kadm.NewClient(cl).FetchOffsets(s.ctx(), "g")
	if o, _ := offsets.Lookup("t", 0); err != nil || o.At != 3 {
		t.Errorf("offset %+v, %v, want 3", o, err)
	}
}

// What a client that is fenced, or has not added what it writes to, is told
// depends on the API and the version.
func TestTransactionErrors(t *testing.T) {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 2, nil)
	c := newTxnClient(s)
	zombie := c.init(5, "x", -1, -1)
	p := c.init(5, "x", -1, -1)
	other := p
	other.ID += 100
	unknown := p
	unknown.TransactionalID = "nobody"
	errOf := func(_ txn.Producer, err error) error { return err }
	plain := txnBatch(t, p, 0, "a")
	two := produceRequest("t", -1, plain)
	two.SetVersion(12)
	two.TransactionID = kmsg.StringPtr("x")
	qp := kmsg.NewProduceRequestTopicPartition()
	qp.Partition, qp.Records = 1, txnBatch(t, other, 0, "a")
	two.Topics[0].Partitions = append(two.Topics[0].Partitions, qp)
	for _, tt := range []struct {
		name      string
		got, want error
	}{
		{"init v3, fenced", errOf(c.tryInit(3, "x", zombie.ID, zombie.Epoch-1+5)), kerr.InvalidProducerEpoch},
		{"init v4, fenced", errOf(c.tryInit(4, "x", zombie.ID, zombie.Epoch-1+5)), kerr.ProducerFenced},
		{"init, producer id without epoch", errOf(c.tryInit(4, "x", zombie.ID, -1)), kerr.InvalidRequest},
		{"init, empty id", errOf(c.tryInit(4, "", -1, -1)), kerr.InvalidRequest},
		{"add v1, fenced", c.add(1, zombie, "t", 0)[0], kerr.InvalidProducerEpoch},
		{"add v2, fenced", c.add(2, zombie, "t", 0)[0], kerr.ProducerFenced},
		{"add, other producer id", c.add(3, other, "t", 0)[0], kerr.InvalidProducerIDMapping},
		{"add, unknown id", c.add(3, unknown, "t", 0)[0], kerr.InvalidProducerIDMapping},
		{"add, no partition", c.add(3, p, "t", 0, 7)[1], kerr.UnknownTopicOrPartition},
		{"add, beside no partition", c.add(3, p, "t", 0, 7)[0], kerr.OperationNotAttempted},
		{"add, internal topic", c.add(3, p, txn.StateTopic, 0)[0], kerr.TopicAuthorizationFailed},
		{"offsets v1, fenced", c.addOffsets(1, zombie, "g"), kerr.InvalidProducerEpoch},
		{"offsets v2, fenced", c.addOffsets(2, zombie, "g"), kerr.ProducerFenced},
		{"end v1, fenced", errOf(c.end(1, zombie, true)), kerr.InvalidProducerEpoch},
		{"end v2, fenced", errOf(c.end(2, zombie, true)), kerr.ProducerFenced},
		{"end v5, fenced", errOf(c.end(5, zombie, true)), kerr.ProducerFenced},
		{"end, nothing open", errOf(c.end(3, p, true)), kerr.InvalidTxnState},
		{"end v3, abort nothing", errOf(c.end(3, p, false)), kerr.InvalidTxnState},
		{"produce v9, fenced", c.produce(9, "x", "t", 0, txnBatch(t, zombie, 0, "a")), kerr.InvalidProducerEpoch},
		{"produce v12, fenced", c.produce(12, "x", "t", 0, txnBatch(t, zombie, 0, "a")), kerr.InvalidProducerEpoch},
		{"produce v9, not added", c.produce(9, "x", "t", 0, plain), kerr.InvalidTxnState},
		{"produce v11, not added", c.produce(11, "x", "t", 0, plain), kerr.TransactionAbortable},
		{"produce, no transactional id", c.produce(12, "", "t", 0, plain), kerr.TransactionalIDAuthorizationFailed},
		{"produce, unknown id", c.produce(12, "nobody", "t", 0, plain), kerr.InvalidProducerIDMapping},
		{"produce, other producer id", c.produce(12, "x", "t", 0, txnBatch(t, other, 0, "a")), kerr.InvalidProducerIDMapping},
		{"produce, two producers", kafkaError(ask[*kmsg.ProduceResponse](c.rawConn, two).Topics[0].Partitions[1].ErrorCode), kerr.InvalidProducerIDMapping},
		{"produce, internal topic", c.produce(12, "x", txn.StateTopic, 0, plain), kerr.InvalidTopicException},
		{"commit v3, fenced", c.commitOffset(3, zombie, "g", "t", 1), kerr.InvalidProducerEpoch},
		{"commit v3, not added", c.commitOffset(3, p, "g", "t", 1), kerr.InvalidTxnState},
		{"commit v4, not added", c.commitOffset(4, p, "g", "t", 1), kerr.TransactionAbortable},
		{"commit, no topic", c.commitOffset(5, p, "g", "none", 1), kerr.UnknownTopicOrPartition},
		{"still nothing open", errOf(c.end(5, p, true)), kerr.InvalidTxnState},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// A member of a group that is not there is told so from v6 on (KIP-1319).
func TestTxnOffsetCommitForNoGroup(t *testing.T) {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 1, nil)
	c := newTxnClient(s)
	p := c.init(5, "x", -1, -1)
	topic, _ := s.log.Topic("t")
	for version, want := range map[int16]*kerr.Error{5: kerr.IllegalGeneration, 6: kerr.GroupIDNotFound} {
		q := kmsg.NewPtrTxnOffsetCommitRequest()
		q.SetVersion(version)
		q.TransactionalID, q.ProducerID, q.ProducerEpoch = "x", p.ID, p.Epoch
		q.Group, q.Generation, q.MemberID = "none", 3, "m"
		q.Topics = []kmsg.TxnOffsetCommitRequestTopic{{
			Topic: "t", TopicID: topic.ID(), Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: 1}},
		}}
		if got := ask[*kmsg.TxnOffsetCommitResponse](c.rawConn, q).Topics[0].Partitions[0].ErrorCode; got != want.Code {
			t.Errorf("v%d: %v, want %v", version, kafkaError(got), want)
		}
	}
}

// Brokers ask about many transactions at a time.
func TestAddPartitionsForBrokers(t *testing.T) {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 3, nil)
	c := newTxnClient(s)
	p, other := c.init(5, "x", -1, -1), c.init(5, "y", -1, -1)
	if err := c.add(3, p, "t", 1)[0]; err != nil {
		t.Fatal(err)
	}
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.SetVersion(5)
	for _, b := range []struct {
		p      txn.Producer
		verify bool
	}{{p, true}, {other, false}, {txn.Producer{TransactionalID: "none"}, true}} {
		qt := kmsg.NewAddPartitionsToTxnRequestTransaction()
		qt.TransactionalID, qt.ProducerID, qt.ProducerEpoch, qt.VerifyOnly = b.p.TransactionalID, b.p.ID, b.p.Epoch, b.verify
		qt.Topics = []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "t", Partitions: []int32{1, 2}}}
		q.Transactions = append(q.Transactions, qt)
	}
	resp := ask[*kmsg.AddPartitionsToTxnResponse](c.rawConn, q)
	for i, want := range [][]*kerr.Error{{nil, kerr.TransactionAbortable}, {nil, nil}, {kerr.InvalidProducerIDMapping, kerr.InvalidProducerIDMapping}} {
		for j, w := range want {
			got := resp.Transactions[i].Topics[0].Partitions[j].ErrorCode
			if (w == nil) != (got == 0) || w != nil && got != w.Code {
				t.Errorf("transaction %d, partition %d: %v, want %v", i, j, kafkaError(got), w)
			}
		}
	}
}

// Administrators see transactions, and end one that hangs.
func TestTransactionsForAdministrators(t *testing.T) {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 2, nil)
	c := newTxnClient(s)
	p := c.init(5, "app", -1, -1)
	if err := c.produce(12, "app", "t", 1, txnBatch(t, p, 0, "a")); err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(s.client())
	listed, err := adm.ListTransactions(s.ctx(), nil, []string{"Ongoing"})
	if l := listed["app"]; err != nil || l.State != "Ongoing" || l.ProducerID != p.ID {
		t.Errorf("list: %+v, %v", listed, err)
	}
	described, err := adm.DescribeTransactions(s.ctx(), "app", "none")
	d := described["app"]
	if err != nil || d.Err != nil || d.State != "Ongoing" || d.ProducerEpoch != p.Epoch || len(d.Topics["t"]) != 1 {
		t.Errorf("describe: %+v, %v", d, err)
	}
	if got := described["none"].Err; !errors.Is(got, kerr.TransactionalIDNotFound) {
		t.Errorf("describe an unknown id: %v", got)
	}
	topic, _ := s.log.Topic("t")
	part, _ := topic.Partition(0)
	hanging := txn.Producer{ID: 4711, Epoch: 3}
	if _, err := part.Append(txnBatch(t, hanging, 0, "hangs"), log.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	marked, err := adm.WriteTxnMarkers(s.ctx(), kadm.TxnMarkers{
		ProducerID: hanging.ID, ProducerEpoch: hanging.Epoch, Topics: kadm.TopicsSet{"t": {0: {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := marked[hanging.ID].Topics["t"].Partitions[0].Err; got != nil || part.LastStableOffset() != 2 {
		t.Errorf("marker: %v, last stable offset %d, want 2", got, part.LastStableOffset())
	}
}

// Clients use version 2 of the transaction protocol because of this.
func TestFinalizedFeatures(t *testing.T) {
	c := newServer(t).raw()
	for version := range int16(6) {
		q := kmsg.NewPtrApiVersionsRequest()
		q.SetVersion(version)
		q.ClientSoftwareName, q.ClientSoftwareVersion = "test", "1.0"
		resp := ask[*kmsg.ApiVersionsResponse](c, q)
		level := int16(0)
		for _, f := range resp.FinalizedFeatures {
			if f.Name == "transaction.version" && f.MinVersionLevel == f.MaxVersionLevel {
				level = f.MaxVersionLevel
			}
		}
		if want := map[bool]int16{true: 2}[version >= 3]; level != want {
			t.Errorf("v%d: transaction.version is %d, want %d", version, level, want)
		}
		for _, f := range resp.SupportedFeatures { // KAFKA-17011
			if version <= 3 && f.MinVersion == 0 {
				t.Errorf("v%d: feature %s has minimum 0", version, f.Name)
			}
		}
		if version >= 3 && resp.FinalizedFeaturesEpoch < 0 {
			t.Errorf("v%d: the epoch of the features is not known", version)
		}
	}
}

// Offsets in an open transaction make readers of stable offsets wait (KIP-447).
func TestStableOffsets(t *testing.T) {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 1, nil)
	c := newTxnClient(s)
	p := c.init(5, "x", -1, -1)
	fetch := func() kmsg.OffsetFetchResponseGroupTopicPartition {
		q := kmsg.NewPtrOffsetFetchRequest()
		q.SetVersion(8)
		q.RequireStable = true
		q.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}}}
		return ask[*kmsg.OffsetFetchResponse](c.rawConn, q).Groups[0].Topics[0].Partitions[0]
	}
	for i, commit := range []bool{true, false} {
		if err := c.commitOffset(5, p, "g", "t", int64(7+i)); err != nil {
			t.Fatal(err)
		}
		if got := fetch().ErrorCode; got != kerr.UnstableOffsetCommit.Code {
			t.Errorf("while the transaction is open: error %v", kafkaError(got))
		}
		var err error
		if p, err = c.end(5, p, commit); err != nil {
			t.Fatal(err)
		}
		// The next transaction begins when the offsets of this one are committed.
		if err := c.produce(12, "x", "t", 0, txnBatch(t, p, 0, "a")); err != nil {
			t.Fatal(err)
		}
		if p, err = c.end(5, p, true); err != nil {
			t.Fatal(err)
		}
		if got := fetch(); got.ErrorCode != 0 || got.Offset != 7 {
			t.Errorf("after the end: offset %d, error %v, want 7", got.Offset, kafkaError(got.ErrorCode))
		}
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

// While a request that appends to a transaction is under way, the transaction does
// not end: its marker comes after the records, whatever the disk does.
func TestTransactionOutlastsItsRequests(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   vfs.Op
		dir  string // whose files are slow
		send func(c txnClient, p txn.Producer) error
	}{
		{"produce", vfs.OpWrite, "/t-0/", func(c txnClient, p txn.Producer) error {
			return c.produce(12, "x", "t", 0, txnBatch(c.t, p, 0, "value"))
		}},
		{"offsets", vfs.OpSync, "/__consumer_offsets-", func(c txnClient, p txn.Producer) error {
			return c.commitOffset(5, p, "g", "t", 1)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				disk := &vfs.Fault{FS: vfs.NewMem(), Inject: func(op vfs.Op, name string) error {
					if op == tt.op && strings.Contains(name, tt.dir) {
						<-gate
					}
					return nil
				}}
				s := startServer(t, "/data", disk, nil)
				s.createTopic("t", 1, nil)
				p := newTxnClient(s).init(5, "x", -1, -1)
				sent, ended := make(chan error, 1), make(chan error, 1)
				go func() { sent <- tt.send(newTxnClient(s), p) }()
				synctest.Wait()
				go func() {
					_, err := newTxnClient(s).end(5, p, true)
					ended <- err
				}()
				synctest.Wait()
				if d, err := s.txns.Describe("x"); err != nil || d.State != txn.Ongoing {
					t.Errorf("the transaction is %v, %v, want Ongoing", d.State, err)
				}
				close(gate)
				if err := errors.Join(<-sent, <-ended); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A small transaction takes four syncs: what does not depend on each other shares a
// round. The quickest of many counts, because the scheduler may let a round begin before
// all that could share it are in.
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
		best := time.Hour
		for i := range n {
			start := time.Now()
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
			best = min(best, time.Since(start))
		}
		if best > 4*sync {
			t.Errorf("a transaction takes %.2f syncs, want 4", float64(best)/float64(sync))
		}
	})
}
