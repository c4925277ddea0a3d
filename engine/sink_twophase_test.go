package engine_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/internal/enginetest"
	"github.com/sluice-data/sluice/internal/vfs"
)

func lakeConf(kv ...string) map[string]string {
	return sinkConf(append([]string{"value.converter", "StringConverter", "consumer.override.max.poll.records", "10"}, kv...)...)
}

func lakePlugin(l *connecttest.Lake, change func(*connecttest.LakeSink)) connect.Spec {
	return enginetest.SinkPlugin(func() connect.Sink {
		s := l.Sink()
		if change != nil {
			change(s)
		}
		return s
	})
}

func quick(cfg *engine.Config) {
	cfg.TaskShutdownTimeout, cfg.OffsetFlushTimeout, cfg.OffsetFlushInterval = 100*time.Millisecond, 100*time.Millisecond, 20*time.Millisecond
}

// sorted returns values as numbers in order, so that what is doubled or missing
// shows whatever the objects are.
func sorted(values []string) []int {
	numbers := make([]int, len(values))
	for i, v := range values {
		n, err := strconv.Atoi(v)
		if err != nil {
			n = -1
		}
		numbers[i] = n
	}
	slices.Sort(numbers)
	return numbers
}

func wantOnce(t *testing.T, l *connecttest.Lake, n int) {
	t.Helper()
	got := sorted(l.Values())
	for i := range max(n, len(got)) {
		if i >= len(got) || i >= n || got[i] != i {
			t.Fatalf("visible are %d records, want 0 to %d once each (I3): %v", len(got), n-1, got)
		}
	}
}

func awaitVisible(t *testing.T, l *connecttest.Lake, n int) {
	t.Helper()
	enginetest.Eventually(t, func() bool { return len(l.Values()) >= n }, func() string { return fmt.Sprintf("%d of %d records are visible", len(l.Values()), n) })
}

// armedSink starts the countdown to the worker's death when a sink is made.
type armedSink struct {
	connect.SinkConfig
	m *mortal
}

func (c armedSink) Sink() connect.Sink {
	c.m.armed.Store(true)
	return c.SinkConfig.Sink()
}

// TestExactlyOnceSinkSurvivesKill kills a worker after every possible number of
// requests from the opening of its sink on, and wants each record visible once from
// it and the next (I3, I7).
func TestExactlyOnceSinkSurvivesKill(t *testing.T) {
	for after, survived := int64(0), false; !survived; after++ {
		if !t.Run(fmt.Sprint(after), func(t *testing.T) { survived = killSink(t, after) }) {
			break
		}
	}
}

func killSink(t *testing.T, after int64) (survived bool) {
	const n = 25
	c, way, m := killable(t, after)
	enginetest.Produce(t, c, numbered("in", 0, 0, n)...)
	lake := connecttest.NewLake()
	plugin := lakePlugin(lake, nil)
	plain := plugin.New
	plugin.New = func() connect.Config { return armedSink{plain().(connect.SinkConfig), m} }
	w := enginetest.Start(t, way, quick, plugin)
	w.Create(t, "snk", lakeConf())
	done := func() bool { return len(lake.Values()) >= n && committed(t, c, "connect-snk", "in", 0) == n }
	state := func() string {
		return fmt.Sprint(lake.Values(), " committed ", committed(t, c, "connect-snk", "in", 0))
	}
	enginetest.Eventually(t, func() bool { return m.killed() || done() }, state)
	survived = !m.killed()
	m.kill()
	enginetest.Start(t, c, quick, lakePlugin(lake, nil))
	enginetest.Eventually(t, done, state)
	wantOnce(t, lake, n)
	return survived
}

// TestZombieSinkIsFenced lets a sink hang after Prepare while another worker takes
// its task over, and wants nothing of it when it wakes up.
func TestZombieSinkIsFenced(t *testing.T) {
	c, _, _ := killable(t, 0)
	enginetest.Produce(t, c, numbered("in", 0, 0, 5)...)
	lake := connecttest.NewLake()
	hold, held := make(chan struct{}), make(chan struct{})
	w := enginetest.Start(t, c, nil, lakePlugin(lake, func(s *connecttest.LakeSink) {
		prepares := 0
		s.OnPrepare = func(context.Context) error {
			if prepares++; prepares == 2 {
				close(held)
				<-hold
			}
			return nil
		}
	}))
	w.Create(t, "snk", lakeConf("auto.restart.enable", "false"))
	awaitVisible(t, lake, 5)
	enginetest.Produce(t, c, numbered("in", 0, 5, 10)...)
	<-held
	enginetest.Start(t, c, nil, lakePlugin(lake, nil))
	awaitVisible(t, lake, 10)
	close(hold)
	status := w.Await(t, "snk", engine.Running, engine.Failed)
	if want := "another task has its place"; !strings.Contains(status.Tasks[0].Trace, want) {
		t.Errorf("trace of the zombie: got %q, want %q", status.Tasks[0].Trace, want)
	}
	wantOnce(t, lake, 10)
	enginetest.Eventually(t, func() bool { return lake.Waiting() == 0 }, func() string {
		return fmt.Sprintf("%d uploads of the zombie are left, although it was told that they are not committed", lake.Waiting())
	})
}

// stoppedLake has ten records of the topic in made visible and then stopped the connector.
func stoppedLake(t *testing.T) (*enginetest.Cluster, *enginetest.Worker, *connecttest.Lake) {
	t.Helper()
	c, _, _ := killable(t, 0)
	enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
	lake := connecttest.NewLake()
	w := enginetest.Start(t, c, nil, lakePlugin(lake, nil))
	w.Create(t, "snk", lakeConf())
	awaitVisible(t, lake, 10)
	must(t, w.Worker.Stop(t.Context(), "snk"))
	w.Await(t, "snk", engine.Stopped)
	enginetest.Eventually(t, func() bool { return len(instances(t, c, "connect-snk")) == 0 }, func() string { return "the group still has members" })
	return c, w, lake
}

// TestOffsetsFenceTheSink: a task that was given up has a transaction open while the offsets of its connector are
// changed. It cannot commit over the change.
func TestOffsetsFenceTheSink(t *testing.T) {
	c, w, _ := stoppedLake(t)

	state := connect.PartitionState{PartitionOffset: connect.PartitionOffset{TopicPartition: connect.TopicPartition{Topic: "in"}, Offset: 9}, State: []byte("{}")}
	end := openTransaction(t, c, "sluice-snk-0-sink", []connect.PartitionState{state})
	wantText(t, changedHere, "altered")(w.AlterOffsets(t.Context(), "snk", changes(`{"kafka_topic":"in","kafka_partition":0}={"kafka_offset":3}`)))
	if err := end(true); !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.ProducerFenced) {
		t.Errorf("the transaction of the task ends with %v, want that it is fenced", err)
	}
	awaitOffsets(t, w, "snk", sinkPartitions(3))
}

// TestSinkWaitsForTheFormerOwner leaves a transaction of another task open with a
// state and an offset for the partition. The new owner must not read before it has
// ended, and continue where it leads to.
func TestSinkWaitsForTheFormerOwner(t *testing.T) {
	for _, commit := range []bool{true, false} {
		t.Run(fmt.Sprint("commit ", commit), func(t *testing.T) {
			c, w, lake := stoppedLake(t)
			enginetest.Produce(t, c, numbered("in", 0, 10, 20)...)

			other := lake.Sink()
			in := connect.TopicPartition{Topic: "in"}
			must(t, other.Assign(t.Context(), []connect.PartitionOffset{{TopicPartition: in, Offset: 10}}))
			must(t, other.Write(t.Context(), textBatch(in, 10, 15)))
			states, err := other.Prepare(t.Context())
			must(t, err)
			end := openTransaction(t, c, "another-task", states)
			must(t, w.Resume(t.Context(), "snk"))
			w.Await(t, "snk", engine.Running, engine.Running)
			enginetest.Eventually(t, func() bool { return len(instances(t, c, "connect-snk")) == 1 }, func() string { return "the task has not joined" })
			tick := time.NewTimer(700 * time.Millisecond) // a task that does not wait has prepared by then
			<-tick.C
			if got := len(lake.Values()); got != 10 {
				t.Errorf("%d records are visible while the transaction is open, want 10", got)
			}
			must(t, end(commit))
			awaitVisible(t, lake, 20)
			w.Stop(t)
			wantOnce(t, lake, 20)
		})
	}
}

// TestSinkReadsStatesToTheEnd hides the state of a partition behind the open
// transaction of another connector. The new owner has to wait for it: without the
// state, what it names would never show.
func TestSinkReadsStatesToTheEnd(t *testing.T) {
	c, _, _ := killable(t, 0)
	enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
	compact := "compact"
	if _, err := kadm.NewClient(enginetest.Client(t, c)).CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, "connect-sink-state"); err != nil {
		t.Fatal(err)
	}
	lake := connecttest.NewLake()
	former := lake.Sink()
	in := connect.TopicPartition{Topic: "in"}
	must(t, former.Assign(t.Context(), []connect.PartitionOffset{{TopicPartition: in, Offset: 0}}))
	must(t, former.Write(t.Context(), textBatch(in, 0, 5)))
	states, err := former.Prepare(t.Context())
	must(t, err)
	open := enginetest.Client(t, c, kgo.TransactionalID("of another connector"))
	must(t, open.BeginTransaction())
	must(t, open.ProduceSync(t.Context(), &kgo.Record{Topic: "connect-sink-state", Key: []byte("another")}).FirstErr())
	openTransaction(t, c, "former", states)(true)

	w := enginetest.Start(t, c, quick, lakePlugin(lake, nil))
	w.Create(t, "snk", lakeConf())
	enginetest.Eventually(t, func() bool { return len(instances(t, c, "connect-snk")) == 1 }, func() string { return "the task has not joined" })
	tick := time.NewTimer(300 * time.Millisecond) // a task that does not wait has committed by then
	<-tick.C
	must(t, open.EndTransaction(t.Context(), kgo.TryAbort))
	awaitVisible(t, lake, 10)
	w.Stop(t)
	wantOnce(t, lake, 10)
}

// TestSinkStatesSurviveRestart stops everything between the commit and Apply. What
// was committed must become visible with the next start, from the topic alone.
func TestSinkStatesSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	c, stop := embedded(t, dir)
	enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
	lake := connecttest.NewLake()
	var applies atomic.Int32
	w := enginetest.Start(t, c, quick, lakePlugin(lake, func(s *connecttest.LakeSink) {
		s.OnApply = func(context.Context) error {
			applies.Add(1)
			return connect.Retriable(errors.New("503 Slow Down"))
		}
	}))
	w.Create(t, "snk", lakeConf())
	enginetest.Eventually(t, func() bool { return applies.Load() > 1 }, func() string { return "Apply was not repeated" })
	// A transaction is answered before its offsets show.
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 10 }, func() string { return "the offset was not committed" })
	w.Stop(t)
	stop()
	if got := lake.Values(); len(got) > 0 {
		t.Fatalf("%v are visible though Apply never worked", got)
	}
	c, _ = embedded(t, dir)
	w = enginetest.Start(t, c, nil, lakePlugin(lake, nil))
	awaitVisible(t, lake, 10)
	enginetest.Produce(t, c, numbered("in", 0, 10, 20)...)
	awaitVisible(t, lake, 20)
	w.Stop(t)
	wantOnce(t, lake, 20)
	if got, want := stateValues(t, c), []string{`["snk",{"kafka_partition":0,"kafka_topic":"in"}] {"offset":20}`}; !slices.Equal(got, want) {
		t.Errorf("states after an orderly end: got %q, want %q", got, want)
	}
}

// unrestored is a sink whose Restore never ends well, and which must not prepare anything then.
type unrestored struct {
	*connecttest.LakeSink
	restores, prepares *atomic.Int32
}

func (s unrestored) Restore(context.Context, []connect.PartitionState) error {
	s.restores.Add(1)
	return connect.Retriable(errors.New("503 Slow Down"))
}

func (s unrestored) Prepare(ctx context.Context) ([]connect.PartitionState, error) {
	s.prepares.Add(1)
	return s.LakeSink.Prepare(ctx)
}

// committedNotVisible runs a worker until ten records are committed, of which the lake
// lets none become visible, and stops it.
func committedNotVisible(t *testing.T) (*enginetest.Cluster, *connecttest.Lake) {
	t.Helper()
	c, _, _ := killable(t, 0)
	enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
	lake := connecttest.NewLake()
	w := enginetest.Start(t, c, quick, lakePlugin(lake, func(s *connecttest.LakeSink) {
		s.OnApply = func(context.Context) error { return connect.Retriable(errors.New("503 Slow Down")) }
	}))
	w.Create(t, "snk", lakeConf())
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 10 }, func() string { return "the offset was not committed" })
	w.Stop(t)
	return c, lake
}

// TestStopDuringRestore stops a task that has not restored yet what was committed. It must not prepare: a sink takes what it was not told of for the
// leftovers of a former owner (I3).
func TestStopDuringRestore(t *testing.T) {
	c, lake := committedNotVisible(t)
	var restores, prepares atomic.Int32
	w := enginetest.Start(t, c, nil, enginetest.SinkPlugin(func() connect.Sink { return unrestored{lake.Sink(), &restores, &prepares} }))
	enginetest.Eventually(t, func() bool { return restores.Load() > 0 }, func() string { return "nothing was to be restored" })
	w.Stop(t)
	if n := prepares.Load(); n > 0 {
		t.Errorf("Prepare was called %d times by a task that had not restored", n)
	}
	enginetest.Start(t, c, nil, lakePlugin(lake, nil))
	awaitVisible(t, lake, 10)
	wantOnce(t, lake, 10)
}

// stateValues returns the latest committed values of the state topic.
func stateValues(t *testing.T, c *enginetest.Cluster) []string {
	t.Helper()
	values, _ := readStates(t, c)
	return values
}

// readStates returns them and the number of records that the topic has for them.
func readStates(t *testing.T, c *enginetest.Cluster) (values []string, records int) {
	t.Helper()
	latest := make(map[string]string)
	end := rand.Text()
	client := enginetest.Client(t, c, kgo.ConsumeTopics("connect-sink-state"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	enginetest.Produce(t, c, &kgo.Record{Topic: "connect-sink-state", Key: []byte(end)})
	ctx, cancel := context.WithTimeout(t.Context(), enginetest.Patience)
	defer cancel()
	for ctx.Err() == nil {
		for _, r := range client.PollFetches(ctx).Records() {
			if string(r.Key) == end {
				values = []string{}
				for key, value := range latest {
					values = append(values, strings.TrimSpace(key+" "+value))
				}
				slices.Sort(values)
				return values, records
			}
			records++
			if latest[string(r.Key)] = string(r.Value); r.Value == nil {
				delete(latest, string(r.Key))
			}
		}
	}
	t.Fatal("the state topic cannot be read")
	return nil, 0
}

func textBatch(tp connect.TopicPartition, from, to int) *connect.Batch {
	b := connect.NewBatch(to-from, 1<<16)
	b.From = tp
	for n := from; n < to; n++ {
		r := b.Append()
		r.Offset, r.ValueSchema, r.Value = int64(n), connect.StringSchema, connect.StringValue(fmt.Sprint(n))
	}
	return b
}

// openTransaction does what a sink task does up to the end of the transaction.
func openTransaction(t *testing.T, c *enginetest.Cluster, id string, states []connect.PartitionState) (end func(commit bool) error) {
	t.Helper()
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), 4) // with the names of topics
	client := enginetest.Client(t, c, kgo.TransactionalID(id), kgo.MaxVersions(versions))
	must(t, client.BeginTransaction())
	offsets := kmsg.NewPtrTxnOffsetCommitRequest()
	for _, st := range states {
		key := fmt.Sprintf(`["snk",{"kafka_partition":%d,"kafka_topic":"%s"}]`, st.Partition, st.Topic)
		must(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "connect-sink-state", Key: []byte(key),
			Value: fmt.Appendf(nil, `{"offset":%d,"state":%s}`, st.Offset, st.State)}).FirstErr())
		topic := kmsg.NewTxnOffsetCommitRequestTopic()
		topic.Topic = st.Topic
		partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		partition.Partition, partition.Offset = st.Partition, st.Offset
		topic.Partitions = append(topic.Partitions, partition)
		offsets.Topics = append(offsets.Topics, topic)
	}
	producerID, epoch, err := client.ProducerID(t.Context())
	must(t, err)
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = id, producerID, epoch, "connect-snk"
	added, err := add.RequestWith(t.Context(), client)
	must(t, err)
	must(t, kerr.ErrorForCode(added.ErrorCode))
	offsets.TransactionalID, offsets.ProducerID, offsets.ProducerEpoch, offsets.Group = id, producerID, epoch, "connect-snk"
	answer, err := offsets.RequestWith(t.Context(), client)
	must(t, err)
	for _, topic := range answer.Topics {
		must(t, kerr.ErrorForCode(topic.Partitions[0].ErrorCode))
	}
	return func(commit bool) error { return client.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)) }
}

// lossy is a way to the cluster on which the answer to one request of a kind is
// lost.
type lossy struct {
	dial func(context.Context, string, string) (net.Conn, error)
	key  int16
	lost atomic.Int32
}

type lossyConn struct {
	net.Conn
	l *lossy
}

func (l *lossy) connect(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := l.dial(ctx, network, address)
	return lossyConn{c, l}, err
}

func (c lossyConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if len(p) > 6 && int16(binary.BigEndian.Uint16(p[4:])) == c.l.key && c.l.lost.Add(1) == 1 {
		_ = c.Close()
	}
	return n, err
}

// TestExactlyOnceSinkLosesAnswers cuts the connection when a request of each kind
// has been sent, once. The task must find out by itself what came of it.
func TestExactlyOnceSinkLosesAnswers(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.InitProducerID, kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.OffsetFetch, kmsg.JoinGroup} {
		t.Run(key.Name(), func(t *testing.T) {
			c, _, _ := killable(t, 0)
			enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
			way := &lossy{dial: c.Dial, key: key.Int16()}
			lake := connecttest.NewLake()
			w := enginetest.Start(t, &enginetest.Cluster{Opts: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(way.connect)}}, quick, lakePlugin(lake, nil))
			w.Create(t, "snk", lakeConf("auto.restart.enable", "false"))
			awaitVisible(t, lake, 10)
			enginetest.Produce(t, c, numbered("in", 0, 10, 20)...)
			awaitVisible(t, lake, 20)
			w.Await(t, "snk", engine.Running, engine.Running)
			w.Stop(t)
			wantOnce(t, lake, 20)
			enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 20 }, func() string { return "the offset was not committed" })
			if way.lost.Load() == 0 && key != kmsg.AddPartitionsToTxn { // newer clients do without
				t.Errorf("there was no such request: the test shows nothing")
			}
		})
	}
}

// TestExactlyOnceSinkRebalances changes the number of tasks while records come.
func TestExactlyOnceSinkRebalances(t *testing.T) {
	const rounds, each = 6, 20
	c, _, _ := killable(t, 0)
	if _, err := kadm.NewClient(enginetest.Client(t, c)).CreateTopic(t.Context(), 4, 1, nil, "in"); err != nil {
		t.Fatal(err)
	}
	lake := connecttest.NewLake()
	w := enginetest.Start(t, c, quick, lakePlugin(lake, nil))
	w.Create(t, "snk", lakeConf())
	for round := range rounds {
		for i := range each {
			enginetest.Produce(t, c, &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: fmt.Append(nil, round*each+i)})
		}
		_, _, err := w.PutConfig(t.Context(), "snk", lakeConf("tasks.max", fmt.Sprint(1+(round+1)%3)))
		must(t, err)
	}
	awaitVisible(t, lake, rounds*each)
	w.Stop(t)
	wantOnce(t, lake, rounds*each)
}

// TestOffsetsThatGoBack takes the records of a topic whose committed offset is behind its end: it is not the topic that was read before.
func TestOffsetsThatGoBack(t *testing.T) {
	c, _, _ := killable(t, 0)
	enginetest.Produce(t, c, numbered("in", 0, 0, 3)...)
	offsets := make(kadm.Offsets)
	offsets.AddOffset("in", 0, 10, -1)
	must(t, kadm.NewClient(enginetest.Client(t, c)).CommitAllOffsets(t.Context(), "connect-snk", offsets))
	lake := connecttest.NewLake()
	w := enginetest.Start(t, c, quick, lakePlugin(lake, nil))
	w.Create(t, "snk", lakeConf("auto.restart.enable", "false"))
	awaitVisible(t, lake, 3)
	enginetest.Produce(t, c, numbered("in", 0, 3, 6)...)
	awaitVisible(t, lake, 6)
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 6 }, func() string { return "the offset did not go back" })
	w.Stop(t)
	wantOnce(t, lake, 6)
}

// TestTopicMadeAgain deletes the topic of a sink that runs, and goes on with the next one of its name.
func TestTopicMadeAgain(t *testing.T) {
	c, _, _ := killable(t, 0)
	admin := kadm.NewClient(enginetest.Client(t, c))
	enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
	lake := connecttest.NewLake()
	w := enginetest.Start(t, c, quick, lakePlugin(lake, nil))
	w.Create(t, "snk", lakeConf("auto.restart.enable", "false"))
	awaitVisible(t, lake, 10)
	_, err := admin.DeleteTopic(t.Context(), "in")
	must(t, err)
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "in")
	must(t, err)
	enginetest.Produce(t, c, numbered("in", 0, 10, 13)...)
	awaitVisible(t, lake, 13)
	w.Await(t, "snk", engine.Running, engine.Running)
	w.Stop(t)
	wantOnce(t, lake, 13)
}

// TestOffsetsChangeDropsStates resets and alters the offsets of a sink that was
// stopped before it could make its output visible.
func TestOffsetsChangeDropsStates(t *testing.T) {
	for name, change := range map[string]func(*enginetest.Worker) error{
		"reset": func(w *enginetest.Worker) error { _, err := w.ResetOffsets(t.Context(), "snk"); return err },
		"alter": func(w *enginetest.Worker) error {
			_, err := w.AlterOffsets(t.Context(), "snk", []engine.ConnectorOffset{{
				Partition: []byte(`{"kafka_topic":"in","kafka_partition":0}`), Offset: []byte(`{"kafka_offset":0}`)}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, _ := killable(t, 0)
			enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
			lake := connecttest.NewLake()
			var down atomic.Bool
			down.Store(true)
			w := enginetest.Start(t, c, quick, lakePlugin(lake, func(s *connecttest.LakeSink) {
				s.OnApply = func(context.Context) error {
					if down.Load() {
						return connect.Retriable(errors.New("503 Slow Down"))
					}
					return nil
				}
			}))
			w.Create(t, "snk", lakeConf())
			enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 10 }, func() string { return "nothing was committed" })
			must(t, w.Worker.Stop(t.Context(), "snk"))
			w.Await(t, "snk", engine.Stopped)
			if got := stateValues(t, c); len(got) != 1 || !strings.Contains(got[0], `"state"`) {
				t.Fatalf("states before the change: got %q, want one that has something to restore", got)
			}
			enginetest.Eventually(t, func() bool { return change(w) == nil }, func() string { return fmt.Sprint("the offsets cannot be changed: ", change(w)) })
			if got := stateValues(t, c); len(got) > 0 {
				t.Errorf("states after the change: got %q, want none", got)
			}
			down.Store(false)
			must(t, w.Resume(t.Context(), "snk"))
			awaitVisible(t, lake, 10)
			w.Stop(t)
			wantOnce(t, lake, 10) // those of the dropped state never show
		})
	}
}

// watchedSink tells before each Write.
type watchedSink struct {
	*connecttest.LakeSink
	onWrite func()
}

func (s watchedSink) Write(ctx context.Context, b *connect.Batch) error {
	s.onWrite()
	return s.LakeSink.Write(ctx, b)
}

// TestSinkWaitsForItsCommit hands a sink no more records while what it has cannot be committed: that would have no limit (I5).
func TestSinkWaitsForItsCommit(t *testing.T) {
	c, _, _ := killable(t, 0)
	enginetest.Produce(t, c, numbered("in", 0, 0, 10)...)
	lake := connecttest.NewLake()
	var turns atomic.Int64
	var down atomic.Bool
	down.Store(true)
	w := enginetest.Start(t, c, quick, enginetest.SinkPlugin(func() connect.Sink {
		s := lake.Sink()
		s.OnPrepare = func(context.Context) error {
			if down.Load() {
				turns.Add(1)
				return connect.Retriable(errors.New("503 Slow Down"))
			}
			return nil
		}
		return watchedSink{s, func() {
			if down.Load() && turns.Load() > 0 {
				t.Error("a record comes while nothing can be committed")
			}
		}}
	}))
	w.Create(t, "snk", lakeConf())
	for _, n := range []int64{1, 5} {
		enginetest.Eventually(t, func() bool { return turns.Load() >= n }, func() string { return "there is no other turn" })
		enginetest.Produce(t, c, numbered("in", 0, int(n)*10, int(n)*10+10)...)
	}
	seen := turns.Load()
	enginetest.Eventually(t, func() bool { return turns.Load() > seen+5 }, func() string { return "there is no other turn" })
	down.Store(false)
	awaitVisible(t, lake, 30)
	w.Stop(t)
	if n := len(lake.Values()); n != 30 {
		t.Errorf("%d records are visible, want 30", n)
	}
}

// TestTwoPhaseSinkWithoutTransactions wants the same sink to be at least once, with
// nothing kept, when the worker's property says so, and to finish what it had
// committed before.
func TestTwoPhaseSinkWithoutTransactions(t *testing.T) {
	c, lake := committedNotVisible(t)
	w := enginetest.Start(t, c, func(cfg *engine.Config) { quick(cfg); cfg.ExactlyOnceSink = engine.ExactlyOnceDisabled }, lakePlugin(lake, nil))
	awaitVisible(t, lake, 10)
	enginetest.Produce(t, c, numbered("in", 0, 10, 20)...)
	awaitVisible(t, lake, 20)
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 20 }, func() string { return "the offset did not follow the output" })
	w.Stop(t)
	wantOnce(t, lake, 20)
	if got := stateValues(t, c); len(got) > 0 {
		t.Errorf("states: got %q, want none", got)
	}
}

// TestSinkStatesSurviveCompaction restarts on a state topic of which compaction has
// left the latest states only, without the markers of their transactions.
func TestSinkStatesSurviveCompaction(t *testing.T) {
	fs := vfs.NewMem()
	c, stop := embeddedOn(t, fs, "/data")
	setting := func(v string) *string { return &v }
	if _, err := kadm.NewClient(enginetest.Client(t, c)).CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": setting("compact"), "segment.ms": setting("100"),
		"min.cleanable.dirty.ratio": setting("0"), "delete.retention.ms": setting("0")}, "connect-sink-state"); err != nil {
		t.Fatal(err)
	}
	lake := connecttest.NewLake()
	var down atomic.Bool
	w := enginetest.Start(t, c, quick, lakePlugin(lake, func(s *connecttest.LakeSink) {
		fails := false // from the first Prepare after down, so that the state that was awaited is applied
		s.OnPrepare = func(context.Context) error {
			fails = down.Load()
			return nil
		}
		s.OnApply = func(context.Context) error {
			if fails {
				return connect.Retriable(errors.New("503 Slow Down"))
			}
			return nil
		}
	}))
	w.Create(t, "snk", lakeConf())
	for n := range 20 {
		enginetest.Produce(t, c, numbered("in", 0, n, n+1)...)
		awaitVisible(t, lake, n+1)
	}
	enginetest.Eventually(t, func() bool { return strings.HasSuffix(fmt.Sprint(stateValues(t, c)), `{"offset":20}]`) }, func() string { return fmt.Sprint(stateValues(t, c)) })
	down.Store(true)
	enginetest.Produce(t, c, numbered("in", 0, 20, 21)...)
	enginetest.Eventually(t, func() bool { return committed(t, c, "connect-snk", "in", 0) == 21 }, func() string { return "nothing was committed" })
	w.Stop(t)
	records := 0
	enginetest.Eventually(t, func() bool { _, records = readStates(t, c); return records < 20 }, func() string { return fmt.Sprintf("the topic still has %d records", records) })
	stop()
	c, _ = embeddedOn(t, fs, "/data")
	down.Store(false)
	enginetest.Start(t, c, quick, lakePlugin(lake, nil))
	awaitVisible(t, lake, 21)
	wantOnce(t, lake, 21)
}
