package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// Every codec carries every kind of record unchanged, and is what is stored.
func TestProduceConsumeCodecs(t *testing.T) {
	codecs := map[string]struct {
		opt  kgo.CompressionCodec
		want batch.Codec
	}{
		"none":   {kgo.NoCompression(), batch.None},
		"gzip":   {kgo.GzipCompression(), batch.Gzip},
		"snappy": {kgo.SnappyCompression(), batch.Snappy},
		"lz4":    {kgo.Lz4Compression(), batch.LZ4},
		"zstd":   {kgo.ZstdCompression(), batch.Zstd},
	}
	s := newServer(t)
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			s.createTopic(name, 1, nil)
			sent := []*kgo.Record{
				{Key: nil, Value: []byte("null key")},
				{Key: []byte("null value"), Value: nil},
				{Key: []byte{}, Value: []byte{}},
				{Key: []byte("k"), Value: bytes.Repeat([]byte("long "), 100_000)},
				{Value: []byte("h"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: nil}}},
			}
			for _, r := range sent {
				r.Topic = name
			}
			p := s.client(kgo.ProducerBatchCompression(codec.opt), kgo.ProducerLinger(50*time.Millisecond))
			if err := p.ProduceSync(s.ctx(), sent...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			got := consume(t, s.ctx(), s.client(kgo.ConsumeTopics(name)), len(sent))
			for i, r := range got {
				if want := sent[i]; !sameRecord(r, want) || r.Offset != int64(i) {
					t.Errorf("record %d: got %q=%q %v at %d, want %q=%q %v", i, r.Key, r.Value, r.Headers, r.Offset, want.Key, want.Value, want.Headers)
				}
			}
			if stored := storedCodec(t, s, name); stored != codec.want {
				t.Errorf("stored with %v, want %v", stored, codec.want)
			}
		})
	}
}

func sameRecord(a, b *kgo.Record) bool {
	if !bytes.Equal(a.Key, b.Key) || (a.Key == nil) != (b.Key == nil) ||
		!bytes.Equal(a.Value, b.Value) || (a.Value == nil) != (b.Value == nil) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i].Key != b.Headers[i].Key || !bytes.Equal(a.Headers[i].Value, b.Headers[i].Value) {
			return false
		}
	}
	return true
}

// storedCodec reads the codec of the first batch in partition 0.
func storedCodec(t *testing.T, s *server, topic string) batch.Codec {
	t.Helper()
	lt, _ := s.log.Topic(topic)
	p, ok := lt.Partition(0)
	if !ok {
		t.Fatalf("no partition 0 of %s", topic)
	}
	b, err := p.Read(nil, 0, 1, p.HighWatermark())
	if err != nil {
		t.Fatal(err)
	}
	h, err := batch.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return h.Codec()
}

func TestAutoCreate(t *testing.T) {
	s := newServer(t)
	cl := s.client(kgo.AllowAutoTopicCreation())
	r := cl.ProduceSync(s.ctx(), &kgo.Record{Topic: "made", Value: []byte("x")})
	if err := r.FirstErr(); err != nil {
		t.Fatal(err)
	}
	bad := cl.ProduceSync(s.ctx(), &kgo.Record{Topic: "not/a/topic", Value: []byte("x")})
	if err := bad.FirstErr(); !errors.Is(err, kerr.InvalidTopicException) {
		t.Errorf("illegal name: %v, want %v", err, kerr.InvalidTopicException)
	}
	off := startServer(t, t.TempDir(), vfs.OS, func(c *Config) { c.DisableAutoCreate = true })
	cl = off.client(kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(1))
	r = cl.ProduceSync(off.ctx(), &kgo.Record{Topic: "made", Value: []byte("x")})
	if err := r.FirstErr(); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("with auto.create.topics.enable=false: %v, want %v", err, kerr.UnknownTopicOrPartition)
	}
}

// An idempotent producer goes on over restarts of broker and log: nothing lost,
// nothing twice, and committed offsets are where they were.
func TestRestartKeepsSequencesAndOffsets(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 2, nil)
	p := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ids := map[int64]bool{}
	const rounds, perRound = 5, 50
	for round := range rounds {
		for i := range perRound {
			r := &kgo.Record{Topic: "t", Partition: int32(i % 2), Value: fmt.Append(nil, round*perRound+i)}
			if err := p.ProduceSync(s.ctx(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		id, _, err := p.ProducerID(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		ids[id] = true
		other, _, err := s.client().ProducerID(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		if ids[other] {
			t.Fatalf("producer id %d was given twice", other)
		}
		ids[other] = true
		commit(t, s, "g", "t", 0, int64(round+1))
		s.restart()
		if got := committedOffset(t, s, "g", "t", 0); got != int64(round+1) {
			t.Errorf("committed offset after restart %d is %d, want %d", round, got, round+1)
		}
	}
	seen := map[string]int{}
	for _, r := range consume(t, s.ctx(), s.client(kgo.ConsumeTopics("t")), rounds*perRound) {
		seen[string(r.Value)]++
	}
	for i := range rounds * perRound {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("record %d is there %d times", i, n)
		}
	}
}

func commit(t *testing.T, s *server, group, topic string, partition int32, offset int64) {
	t.Helper()
	var o kadm.Offsets
	o.AddOffset(topic, partition, offset, -1)
	if err := kadm.NewClient(s.client()).CommitAllOffsets(s.ctx(), group, o); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func committedOffset(t *testing.T, s *server, group, topic string, partition int32) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(s.client()).FetchOffsets(s.ctx(), group)
	if err != nil {
		t.Fatalf("fetch offsets: %v", err)
	}
	o, ok := offsets.Lookup(topic, partition)
	if !ok {
		return -1
	}
	return o.At
}

// A recreated topic is another topic: its id is new and it has no committed
// offsets.
func TestRecreatedTopic(t *testing.T) {
	s := newServer(t)
	adm := kadm.NewClient(s.client())
	s.createTopic("t", 1, nil)
	before, err := adm.ListTopics(s.ctx(), "t")
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, "g", "t", 0, 7)
	if _, err := adm.DeleteTopic(s.ctx(), "t"); err != nil {
		t.Fatal(err)
	}
	s.createTopic("t", 1, nil)
	after, err := kadm.NewClient(s.client()).ListTopics(s.ctx(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if before["t"].ID == after["t"].ID {
		t.Errorf("topic id %v is the same", after["t"].ID)
	}
	for range 2 {
		if got := committedOffset(t, s, "g", "t", 0); got != -1 {
			t.Errorf("committed offset %d, want none", got)
		}
		s.restart()
	}
}

// groupMember consumes in a group and counts what it gets.
type groupMember struct {
	cl     *kgo.Client
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (s *server) join(got *tally, opts ...kgo.Opt) *groupMember {
	ctx, cancel := context.WithCancel(context.Background())
	m := &groupMember{cancel: cancel}
	m.cl = s.client(append([]kgo.Opt{
		kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, opts...)...)
	m.wg.Go(func() {
		for {
			f := m.cl.PollFetches(ctx)
			if ctx.Err() != nil {
				return
			}
			f.EachRecord(got.add)
		}
	})
	return m
}

// leave ends the member as a client does that is shut down.
func (m *groupMember) leave() {
	m.cancel()
	m.wg.Wait()
	m.cl.Close()
}

// tally counts records by value.
type tally struct {
	mu sync.Mutex // guards n
	n  map[string]int
}

func (c *tally) add(r *kgo.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[string(r.Value)]++
}

func (c *tally) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.n)
}

// Members come and go in virtual time: every record is consumed, a crashed
// member's partitions are taken over after its session, and commits stay.
func TestGroupRebalancesInVirtualTime(t *testing.T) {
	for _, balancer := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.RoundRobinBalancer(), kgo.CooperativeStickyBalancer()} {
		t.Run(balancer.ProtocolName(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testGroupRebalances(t, balancer) })
		})
	}
}

func testGroupRebalances(t *testing.T, balancer kgo.GroupBalancer) {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 6, nil)
	p := s.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	produced := 0
	produce := func() {
		for range 60 {
			r := &kgo.Record{Topic: "t", Value: fmt.Append(nil, produced)}
			if err := p.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			produced++
		}
	}
	wait := func(d time.Duration) {
		<-time.After(d) // virtual
		synctest.Wait()
	}
	var got tally
	produce()
	opts := []kgo.Opt{kgo.Balancers(balancer), kgo.SessionTimeout(10 * time.Second), kgo.HeartbeatInterval(time.Second)}
	a := s.join(&got, opts...)
	b := s.join(&got, opts...)
	wait(20 * time.Second)
	if g := describeGroup(t, s, "g"); g.State != "Stable" || len(g.Members) != 2 || assigned(g) != 6 {
		t.Errorf("with two members: %s, %d members, %d partitions", g.State, len(g.Members), assigned(g))
	}
	produce()
	b.leave()
	wait(20 * time.Second)
	if g := describeGroup(t, s, "g"); g.State != "Stable" || len(g.Members) != 1 || assigned(g) != 6 {
		t.Errorf("after one left: %s, %d members, %d partitions", g.State, len(g.Members), assigned(g))
	}
	c := s.join(&got, append(opts, kgo.InstanceID("static"))...)
	wait(20 * time.Second)
	c.leave() // a static member stays until its session ends
	produce()
	wait(3 * time.Second)
	if g := describeGroup(t, s, "g"); len(g.Members) != 2 {
		t.Errorf("3s after a static member closed: %d members, want 2", len(g.Members))
	}
	wait(20 * time.Second)
	if g := describeGroup(t, s, "g"); g.State != "Stable" || len(g.Members) != 1 || assigned(g) != 6 {
		t.Errorf("after its session: %s, %d members, %d partitions", g.State, len(g.Members), assigned(g))
	}
	if got.size() != produced {
		t.Errorf("consumed %d records of %d", got.size(), produced)
	}
	a.leave()
	wait(time.Second)
	if g := describeGroup(t, s, "g"); g.State != "Empty" {
		t.Errorf("after all left: %s", g.State)
	}
	for i := range int32(6) {
		if got, want := committedOffset(t, s, "g", "t", i), int64(produced/6); got != want {
			t.Errorf("committed offset of partition %d is %d, want %d", i, got, want)
		}
	}
}

func describeGroup(t *testing.T, s *server, id string) kadm.DescribedGroup {
	t.Helper()
	cl := s.client()
	defer cl.Close()
	groups, err := kadm.NewClient(cl).DescribeGroups(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return groups[id]
}

func assigned(g kadm.DescribedGroup) int {
	n := 0
	for _, topics := range g.AssignedPartitions() {
		n += len(topics)
	}
	return n
}

func TestAdmin(t *testing.T) {
	s := newServer(t)
	adm := kadm.NewClient(s.client())
	compact, bogus := "compact", "bogus"
	created, err := adm.CreateTopics(s.ctx(), -1, -1, map[string]*string{"cleanup.policy": &compact}, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	policy := created["a"].Configs["cleanup.policy"]
	if r := created["a"]; r.Err != nil || r.NumPartitions != 1 || r.ReplicationFactor != 1 || policy.MaybeValue() != "compact" {
		t.Errorf("created %+v", r)
	}
	for _, tt := range []struct {
		name       string
		partitions int32
		replicas   int16
		configs    map[string]*string
		want       error
	}{
		{"a", 1, 1, nil, kerr.TopicAlreadyExists},
		{"c", 0, 1, nil, kerr.InvalidPartitions},
		{"c", 1 << 30, 1, nil, kerr.InvalidPartitions},
		{"c", 1, 3, nil, kerr.InvalidReplicationFactor},
		{"c/d", 1, 1, nil, kerr.InvalidTopicException},
		{"c", 1, 1, map[string]*string{"cleanup.policy": &bogus}, kerr.InvalidConfig},
		{"c", 1, 1, map[string]*string{"bogus": &bogus}, kerr.InvalidConfig},
		{"__consumer_offsets", 1, 1, nil, kerr.InvalidTopicException},
	} {
		if r, err := adm.CreateTopic(s.ctx(), tt.partitions, tt.replicas, tt.configs, tt.name); !errors.Is(err, tt.want) || r.ErrMessage == "" {
			t.Errorf("create %s with %d×%d %v: %v (%q), want %v and a message", tt.name, tt.partitions, tt.replicas, tt.configs, err, r.ErrMessage, tt.want)
		}
	}
	if r, err := adm.ValidateCreateTopics(s.ctx(), 3, 1, nil, "v"); err != nil || r["v"].Err != nil {
		t.Errorf("validate: %v %+v", err, r)
	}
	if r, err := adm.CreatePartitions(s.ctx(), 2, "a"); err != nil || r["a"].Err != nil {
		t.Errorf("create partitions: %v %v", err, r["a"].Err)
	}
	details, err := adm.ListTopics(s.ctx())
	if err != nil || len(details) != 2 || len(details["a"].Partitions) != 3 || details.Has("v") {
		t.Errorf("topics: %v %v", err, details.Names())
	}
	testAdminConfigs(t, s, adm)
	dirs, err := adm.DescribeAllLogDirs(s.ctx(), nil)
	if err != nil || len(dirs[0][s.dir].Topics) != 2 {
		t.Errorf("log dirs: %v %v", err, dirs)
	}
	if deleted, err := adm.DeleteTopics(s.ctx(), "a", "b", "__consumer_offsets"); err != nil || deleted["a"].Err != nil ||
		!errors.Is(deleted["__consumer_offsets"].Err, kerr.UnknownTopicOrPartition) {
		t.Errorf("delete: %v %+v", err, deleted)
	}
}

func testAdminConfigs(t *testing.T, s *server, adm *kadm.Client) {
	ms := "1000"
	alter := func(cs ...kadm.AlterConfig) error {
		r, err := adm.AlterTopicConfigs(s.ctx(), cs, "a")
		if err != nil {
			return err
		}
		return r[0].Err
	}
	if err := alter(kadm.AlterConfig{Op: kadm.SetConfig, Name: "retention.ms", Value: &ms}); err != nil {
		t.Errorf("set: %v", err)
	}
	del := "delete"
	if err := alter(kadm.AlterConfig{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: &del}); err != nil {
		t.Errorf("append: %v", err)
	}
	if err := alter(kadm.AlterConfig{Op: kadm.AppendConfig, Name: "retention.ms", Value: &ms}); !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("append to a number: %v, want %v", err, kerr.InvalidConfig)
	}
	configs, err := adm.DescribeTopicConfigs(s.ctx(), "a")
	if err != nil || configs[0].Err != nil {
		t.Fatalf("describe: %v", err)
	}
	got := map[string]kadm.Config{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c
	}
	for name, want := range map[string]string{
		"retention.ms": "1000 DYNAMIC_TOPIC_CONFIG 2", "cleanup.policy": "compact,delete DYNAMIC_TOPIC_CONFIG 2",
		"segment.bytes": "1073741824 DEFAULT_CONFIG 1",
	} {
		c := got[name]
		if text := fmt.Sprintf("%s %s %d", c.MaybeValue(), c.Source, len(c.Synonyms)); text != want {
			t.Errorf("%s: %s, want %s", name, text, want)
		}
	}
	brokers, err := adm.DescribeBrokerConfigs(s.ctx(), 0)
	if err != nil || brokers[0].Err != nil || len(brokers[0].Configs) == 0 {
		t.Errorf("broker configs: %v %+v", err, brokers)
	}
}

func TestListOffsets(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	p := s.client()
	for _, minute := range []time.Duration{0, 2, 1} {
		r := &kgo.Record{Topic: "t", Timestamp: base.Add(minute * time.Minute), Value: []byte("x")}
		if err := p.ProduceSync(s.ctx(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	adm := kadm.NewClient(s.client())
	at := func(ms int64) kadm.ListedOffset {
		t.Helper()
		got, err := adm.ListOffsetsAfterMilli(s.ctx(), ms, "t")
		if err != nil {
			t.Fatal(err)
		}
		o, _ := got.Lookup("t", 0)
		return o
	}
	for _, tt := range []struct {
		name string
		ms   int64
		want int64
	}{
		{"latest", -1, 3}, {"earliest", -2, 0}, {"max timestamp", -3, 1}, {"earliest local", -4, 0},
		{"exactly the first", base.UnixMilli(), 0}, {"between", base.UnixMilli() + 1, 1},
		{"before all", 1, 0}, {"after all: the end", base.Add(time.Hour).UnixMilli(), 3},
	} {
		if got := at(tt.ms); got.Err != nil || got.Offset != tt.want {
			t.Errorf("%s: offset %d, %v, want %d", tt.name, got.Offset, got.Err, tt.want)
		}
	}
}

// Shutdown answers what is in progress, ends long polls and leaves nothing
// running.
func TestShutdownDrains(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	poll := s.raw()
	q := fetchRequest("t", 0, time.Hour, 1, 1<<20)
	poll.send(requestFrame(q, q.AppendTo(nil)))
	idle := s.raw()
	produce := s.raw()
	pq := produceRequest("t", -1, oneBatch(t, 1, 10))
	produce.send(requestFrame(pq, pq.AppendTo(nil)))
	if _, err := produce.receive(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := poll.receive(); err != nil {
		t.Errorf("long poll: %v, want its answer", err)
	}
	idle.closed()
	_, err := s.DialContext(t.Context(), "", "")
	if dial := (*net.OpError)(nil); !errors.Is(err, ErrClosed) || !errors.As(err, &dial) || dial.Op != "dial" {
		t.Errorf("dial after Shutdown: %v, want %v from a dial, which clients do not repeat at once", err, ErrClosed)
	}
}

func TestMaxConnections(t *testing.T) {
	s := startServer(t, t.TempDir(), vfs.OS, func(c *Config) { c.MaxConnections = 2 })
	ln := s.listen(Listener{})
	a, _ := ln.raw(), ln.raw()
	ask[*kmsg.MetadataResponse](a, kmsg.NewPtrMetadataRequest())
	ln.raw().closed()
	ask[*kmsg.MetadataResponse](s.raw(), kmsg.NewPtrMetadataRequest()) // the worker's do not count
	a.Close()
	deadline := time.Now().Add(patience)
	for !ln.raw().answers() {
		if time.Now().After(deadline) {
			t.Fatal("no connection after one was closed")
		}
	}
}
