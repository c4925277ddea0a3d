package broker

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sluice-data/sluice/internal/vfs"
)

// virtual is a broker in a bubble with a producer.
type virtual struct {
	*server
	p        *kgo.Client
	produced int
}

func startVirtual(t *testing.T) *virtual {
	s := startServer(t, "/data", vfs.NewMem(), nil)
	s.createTopic("t", 6, nil)
	return &virtual{server: s, p: s.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))}
}

// produce sends 60 records, ten to each partition of a topic with six.
func (v *virtual) produce(topic string) {
	v.t.Helper()
	for range 60 {
		r := &kgo.Record{Topic: topic, Value: fmt.Append(nil, v.produced)}
		if err := v.p.ProduceSync(v.t.Context(), r).FirstErr(); err != nil {
			v.t.Fatal(err)
		}
		v.produced++
	}
}

// wait lets virtual time pass.
func (v *virtual) wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (v *virtual) ask(q kmsg.Request) kmsg.Response {
	v.t.Helper()
	cl := v.client()
	defer cl.Close()
	resp, err := cl.Request(context.Background(), q)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp
}

func (v *virtual) consumerGroup(id string) kmsg.ConsumerGroupDescribeResponseGroup {
	v.t.Helper()
	q := kmsg.NewPtrConsumerGroupDescribeRequest()
	q.Groups = []string{id}
	return v.ask(q).(*kmsg.ConsumerGroupDescribeResponse).Groups[0]
}

// wantConsumers wants a group of the consumer protocol that is stable and whose
// members have that many partitions together.
func (v *virtual) wantConsumers(when string, members, partitions int) {
	v.t.Helper()
	g := v.consumerGroup("g")
	n := 0
	for _, m := range g.Members {
		for _, tp := range m.Assignment.TopicPartitions {
			n += len(tp.Partitions)
		}
	}
	if g.ErrorCode != 0 || g.State != "Stable" || len(g.Members) != members || n != partitions {
		v.t.Errorf("%s: error %d, %s, %d members, %d partitions, want %d members, %d partitions", when, g.ErrorCode, g.State, len(g.Members), n, members, partitions)
	}
}

func nextGeneration(opts ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}, opts...)
}

// Members of the consumer protocol come and go, one crashes, the broker restarts:
// every record is consumed, and commits stay.
func TestConsumerGroupInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := startVirtual(t)
		var got tally
		v.produce("t")
		a := v.join(&got, nextGeneration()...)
		b := v.join(&got, nextGeneration()...)
		v.wait(20 * time.Second)
		v.wantConsumers("with two members", 2, 6)
		v.restart()
		v.produce("t")
		v.wait(20 * time.Second)
		v.wantConsumers("after a restart", 2, 6)
		b.leave()
		v.wait(20 * time.Second)
		v.wantConsumers("after one left", 1, 6)
		c := v.join(&got, nextGeneration(kgo.InstanceID("static"))...)
		v.wait(20 * time.Second)
		v.wantConsumers("with a static one", 2, 6)
		c.leave()
		v.produce("t")
		v.wait(30 * time.Second)
		if n := len(v.consumerGroup("g").Members); n != 2 {
			t.Errorf("a static member that closed is gone before its session: %d members", n)
		}
		v.wait(20 * time.Second)
		v.wantConsumers("after its session", 1, 6)
		if got.size() != v.produced {
			t.Errorf("consumed %d records of %d", got.size(), v.produced)
		}
		a.leave()
		v.wait(time.Second)
		if g := v.consumerGroup("g"); g.State != "Empty" {
			t.Errorf("after all left: %s", g.State)
		}
		for i := range int32(6) {
			if got, want := committedOffset(t, v.server, "g", "t", i), int64(v.produced/6); got != want {
				t.Errorf("committed offset of partition %d is %d, want %d", i, got, want)
			}
		}
	})
}

// A member that subscribes by a regular expression gets topics that appear later.
func TestConsumerGroupRegex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := startVirtual(t)
		var got tally
		v.produce("t")
		m := v.join(&got, nextGeneration(kgo.ConsumeTopics("^later", "^t$"), kgo.ConsumeRegex())...)
		defer m.leave()
		v.wait(20 * time.Second)
		v.createTopic("later-1", 6, nil)
		v.createTopic("not-later", 6, nil)
		v.produce("later-1")
		v.wait(30 * time.Second)
		v.wantConsumers("with another topic", 1, 12)
		if got.size() != v.produced {
			t.Errorf("consumed %d records of %d", got.size(), v.produced)
		}
	})
}

// Clients of one protocol replace those of the other, there and back, while
// records come.
func TestGroupMigratesInVirtualTime(t *testing.T) {
	for _, balancer := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()} {
		t.Run(balancer.ProtocolName(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testGroupMigrates(t, balancer) })
		})
	}
}

func testGroupMigrates(t *testing.T, balancer kgo.GroupBalancer) {
	v := startVirtual(t)
	var got tally
	classic := []kgo.Opt{kgo.Balancers(balancer), kgo.HeartbeatInterval(time.Second)}
	v.produce("t")
	a, b := v.join(&got, classic...), v.join(&got, classic...)
	v.wait(20 * time.Second)
	c := v.join(&got, nextGeneration()...)
	v.wait(30 * time.Second)
	v.wantConsumers("two classic and one consumer", 3, 6)
	a.leave()
	v.produce("t")
	d := v.join(&got, nextGeneration()...)
	v.wait(30 * time.Second)
	v.wantConsumers("one classic and two consumers", 3, 6)
	b.leave()
	v.wait(30 * time.Second)
	v.wantConsumers("only consumers", 2, 6)
	e := v.join(&got, classic...)
	c.leave()
	v.wait(30 * time.Second)
	v.wantConsumers("and back", 2, 6)
	v.produce("t")
	d.leave()
	v.wait(30 * time.Second)
	if g := describeGroup(t, v.server, "g"); g.State != "Stable" || len(g.Members) != 1 || assigned(g) != 6 {
		t.Errorf("classic again: %s, %d members, %d partitions", g.State, len(g.Members), assigned(g))
	}
	v.produce("t")
	v.wait(5 * time.Second)
	e.leave()
	v.wait(time.Second)
	if got.size() != v.produced {
		t.Errorf("consumed %d records of %d", got.size(), v.produced)
	}
	for i := range int32(6) {
		if got, want := committedOffset(t, v.server, "g", "t", i), int64(v.produced/6); got != want {
			t.Errorf("committed offset of partition %d is %d, want %d", i, got, want)
		}
	}
}

// How groups of both protocols, and those that are not there, are listed and
// described.
func TestDescribeAndListGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := startVirtual(t)
		var got tally
		old := v.join(&got, kgo.Balancers(kgo.RangeBalancer()))
		defer old.leave()
		next := v.join(&got, nextGeneration(kgo.ConsumerGroup("next"))...)
		defer next.leave()
		commit(t, v.server, "simple", "t", 0, 1)
		v.wait(20 * time.Second)
		list := func(states, types []string) (ids []string) {
			q := kmsg.NewPtrListGroupsRequest()
			q.StatesFilter, q.TypesFilter = states, types
			for _, g := range v.ask(q).(*kmsg.ListGroupsResponse).Groups {
				ids = append(ids, fmt.Sprintf("%s %s %s %s", g.Group, g.ProtocolType, g.GroupState, g.GroupType))
			}
			return ids
		}
		for _, tt := range []struct {
			states, types []string
			want          []string
		}{
			{nil, nil, []string{"g consumer Stable classic", "next consumer Stable consumer", "simple  Empty classic"}},
			{[]string{"stable"}, nil, []string{"g consumer Stable classic", "next consumer Stable consumer"}},
			{nil, []string{"Consumer"}, []string{"next consumer Stable consumer"}},
			{[]string{"Empty"}, []string{"consumer"}, nil},
		} {
			if got := list(tt.states, tt.types); !slices.Equal(got, tt.want) {
				t.Errorf("states %v, types %v: %q, want %q", tt.states, tt.types, got, tt.want)
			}
		}
		for _, id := range []string{"none", "next"} { // no classic group has that name
			for version, want := range map[int16]int16{5: 0, 6: kerr.GroupIDNotFound.Code} {
				q := kmsg.NewPtrDescribeGroupsRequest()
				q.Groups = []string{id}
				cl := v.client(kgo.MaxVersions(atMost(15, version)))
				resp, err := q.RequestWith(t.Context(), cl)
				if err != nil {
					t.Fatal(err)
				}
				if g := resp.Groups[0]; g.State != "Dead" || g.ErrorCode != want {
					t.Errorf("%s described in v%d: %+v", id, version, g)
				}
			}
		}
		for _, id := range []string{"none", "g"} {
			if g := v.consumerGroup(id); g.ErrorCode != kerr.GroupIDNotFound.Code || g.ErrorMessage == nil {
				t.Errorf("%s described as a consumer group: %+v", id, g)
			}
		}
	})
}

// atMost is the newest versions, but for one key.
func atMost(key, version int16) *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(key, version)
	return v
}

// The topic with the offsets is read as monitors read it, such as Burrow: keys of
// versions 0 and 1 are offsets and 2 a classic group; all others are left alone.
func TestOffsetsTopicIsReadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := startVirtual(t)
		var got tally
		v.produce("t")
		a := v.join(&got, kgo.Balancers(kgo.RangeBalancer()))
		b := v.join(&got, nextGeneration(kgo.ConsumerGroup("next"))...)
		v.wait(20 * time.Second)
		a.leave()
		b.leave()
		v.produce("t")
		offsets, groups := map[string]int64{}, map[string]int16{}
		reader := v.client(kgo.ConsumeTopics("__consumer_offsets"))
		v.wait(time.Second)
		reader.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { decodeAsMonitor(t, r, offsets, groups) })
		for _, group := range []string{"g", "next"} {
			var lag int64
			for p := range 6 {
				lag += int64(v.produced/6) - offsets[fmt.Sprint(group, " t ", p)]
			}
			if lag != 60 {
				t.Errorf("lag of %s is %d, want what was produced last, 60", group, lag)
			}
		}
		if len(groups) != 1 || groups["g"] != 3 {
			t.Errorf("classic groups by value version: %v, want g with 3", groups)
		}
	})
}

func decodeAsMonitor(t *testing.T, r *kgo.Record, offsets map[string]int64, groups map[string]int16) {
	t.Helper()
	version := binary.BigEndian.Uint16(r.Key)
	text := func(b []byte) (string, []byte) {
		n := binary.BigEndian.Uint16(b)
		return string(b[2 : 2+n]), b[2+n:]
	}
	group, rest := text(r.Key[2:])
	switch {
	case version > 2 || r.Value == nil:
	case version == 2:
		groups[group] = int16(binary.BigEndian.Uint16(r.Value))
	default:
		topic, rest := text(rest)
		if v := binary.BigEndian.Uint16(r.Value); v != 0 && v != 1 && v != 3 && v != 4 {
			t.Errorf("offset value of version %d", v)
		}
		offsets[fmt.Sprint(group, " ", topic, " ", binary.BigEndian.Uint32(rest))] = int64(binary.BigEndian.Uint64(r.Value[2:]))
	}
}

func TestFeatures(t *testing.T) {
	for version, supported := range map[int16]bool{2: false, 3: false, 4: true} {
		resp := kmsg.NewPtrApiVersionsResponse()
		addFeatures(resp, version)
		finalized := slices.ContainsFunc(resp.FinalizedFeatures, func(f kmsg.ApiVersionsResponseFinalizedFeature) bool {
			return f.Name == "group.version" && f.MaxVersionLevel == 1
		})
		named := slices.ContainsFunc(resp.SupportedFeatures, func(f kmsg.ApiVersionsResponseSupportedFeature) bool {
			return f.Name == "group.version" && f.MinVersion == 0 && f.MaxVersion == 1
		})
		if finalized != (version >= 3) || named != supported {
			t.Errorf("v%d: finalized %v, supported %v", version, resp.FinalizedFeatures, resp.SupportedFeatures)
		}
	}
}

// Administrators remove members of both kinds, offsets and groups.
func TestGroupAdministration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := startVirtual(t)
		adm := kadm.NewClient(v.client())
		var got tally
		m := v.join(&got, kgo.Balancers(kgo.RangeBalancer()), kgo.InstanceID("one"))
		v.wait(10 * time.Second)
		commit(t, v.server, "simple", "t", 1, 1)
		if _, err := adm.DeleteGroup(t.Context(), "g"); err == nil {
			t.Error("deleted a group with a member")
		}
		m.leave()
		left, err := adm.LeaveGroup(t.Context(), kadm.LeaveGroup("g").Reason("maintenance").InstanceIDs("one", "two"))
		if err != nil || left["one"].Err != nil || left["two"].Err != kerr.UnknownMemberID {
			t.Errorf("left %+v, %v", left, err)
		}
		if left, err := adm.LeaveGroup(t.Context(), kadm.LeaveGroup("none").InstanceIDs("one")); err != nil || left["one"].Err != kerr.UnknownMemberID {
			t.Errorf("left a group that is not there: %+v, %v", left, err)
		}
		if r, err := adm.DeleteGroup(t.Context(), "g"); err != nil || r.Err != nil {
			t.Errorf("delete: %+v, %v", r, err)
		}
		var offsets kadm.TopicsSet
		offsets.Add("t", 1)
		if r, err := adm.DeleteOffsets(t.Context(), "simple", offsets); err != nil || r.Error() != nil {
			t.Errorf("delete offsets: %+v, %v", r, err)
		}
		offsets.Add("t", 99)
		offsets.Add("none", 0)
		r, err := adm.DeleteOffsets(t.Context(), "simple", offsets)
		if err != nil || r["t"][99] != kerr.UnknownTopicOrPartition || r["none"][0] != kerr.UnknownTopicOrPartition || r["t"][1] != nil {
			t.Errorf("delete offsets that cannot be: %+v, %v", r, err)
		}
		if got := committedOffset(t, v.server, "simple", "t", 1); got != -1 {
			t.Errorf("offset %d, want none", got)
		}
	})
}

func TestGroupConfigsAreDescribed(t *testing.T) {
	s := newServer(t)
	configs, err := kadm.NewClient(s.client()).DescribeBrokerConfigs(s.ctx(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	for name, want := range map[string]string{
		"group.consumer.session.timeout.ms": "45000", "group.consumer.migration.policy": "bidirectional",
		"group.consumer.assignors": "uniform,range", "offsets.retention.minutes": "10080", "offsets.topic.num.partitions": "5",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// Two members consume, transform and produce in transactions while one of them
// leaves and the broker restarts: each record has exactly one result, and who
// comes new waits for offsets that are pending (KIP-447). Not with the classic
// protocol: there kgo waits for a mutex while it joins, and virtual time stops.
func TestTransactionalConsumersInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { testTransactionalConsumers(t, nextGeneration()) })
}

func testTransactionalConsumers(t *testing.T, opts []kgo.Opt) {
	v := startVirtual(t)
	v.createTopic("out", 6, nil)
	v.produce("t")
	stopA, stopB := v.transform("a", opts), v.transform("b", opts)
	v.wait(20 * time.Second)
	v.produce("t")
	v.restart()
	v.produce("t")
	v.wait(40 * time.Second)
	stopB()
	v.produce("t")
	v.wait(2 * time.Minute)
	stopA()
	got := map[string]int{}
	reader := v.client(kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	for range 20 {
		v.wait(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got[string(r.Value)]++ })
		cancel()
	}
	for i := range v.produced {
		if n := got[fmt.Sprint(i)]; n != 1 {
			t.Errorf("record %d has %d results", i, n)
		}
	}
}

// transform copies t to out until the function that it returns is called.
func (v *virtual) transform(id string, opts []kgo.Opt) (stop func()) {
	v.t.Helper()
	s, err := kgo.NewGroupTransactSession(append([]kgo.Opt{
		kgo.SeedBrokers("sluice:9092"), kgo.Dialer(v.dial), kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.TransactionalID(id), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.RequireStableFetchOffsets(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, opts...)...)
	if err != nil {
		v.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			f := s.PollRecords(ctx, 7)
			if f.NumRecords() == 0 {
				continue
			}
			if err := s.Begin(); err != nil {
				v.t.Errorf("%s: begin: %v", id, err)
				return
			}
			f.EachRecord(func(r *kgo.Record) {
				s.Produce(context.Background(), &kgo.Record{Topic: "out", Value: r.Value}, nil)
			})
			_, err := s.End(context.Background(), kgo.TryCommit)
			for ; err != nil; _, err = s.End(context.Background(), kgo.TryAbort) { // the broker is away
				<-time.After(time.Second)
			}
		}
	}()
	return func() {
		cancel()
		<-done
		s.Close()
	}
}
