package clients

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluice-data/sluice/log/logtest"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// quickHeartbeats makes members of the consumer protocol learn of changes soon.
func quickHeartbeats(c *logtest.Config) { c.Groups.ConsumerHeartbeatInterval = 300 * time.Millisecond }

// The consumer protocol (KIP-848): the server assigns, with both of its
// assignors, and members come and go.
func TestConsumerProtocol(t *testing.T) {
	s := startServer(t, quickHeartbeats)
	for _, j := range []judge{librdkafkaJudge(), kgoJudge()} {
		t.Run(j.name, func(t *testing.T) {
			for _, assignor := range []string{"uniform", "range"} {
				if j.name == "franz-go" && assignor == "range" {
					continue // it asks for what its own balancer is called, here sticky
				}
				shareAndLeave(t, s, j, memberRequest{addr: s.addr, assignor: assignor, protocol: "consumer"})
			}
		})
	}
}

// Members of both clients share a group of the consumer protocol, also the
// partitions that are added while they run.
func TestConsumerProtocolMixed(t *testing.T) {
	s := startServer(t, quickHeartbeats)
	s.createTopic(t, "next", 4)
	box := newInbox()
	q := memberRequest{addr: s.addr, group: "next", topic: "next", protocol: "consumer", got: box.add}
	a, b := rdJoin(t, q), kgoJoin(t, q)
	wantShared(t, 4, a, b)
	if err := saramaAdmin(t, s.addr).CreatePartitions("next", 7, nil, false); err != nil {
		t.Fatal(err)
	}
	wantShared(t, 7, a, b)
	sent := spread("v", 70, 7)
	kgoProduce(t, produceRequest{addr: s.addr, topic: "next"}, sent...)
	box.want(t, sent)
	described, err := rdAdmin(t, s.addr).DescribeConsumerGroups(limit(t), []string{"next"})
	if err != nil {
		t.Fatal(err)
	}
	if d := described.ConsumerGroupDescriptions[0]; d.Type != kafka.ConsumerGroupTypeConsumer || d.State != kafka.ConsumerGroupStateStable || len(d.Members) != 2 {
		t.Errorf("librdkafka describes %+v", d)
	}
}

// A regular expression finds topics that are made later; the server evaluates it.
func TestConsumerProtocolRegex(t *testing.T) {
	s := startServer(t, quickHeartbeats)
	s.createTopic(t, "logs-1", 1)
	s.createTopic(t, "other", 1)
	conf := rdGroup(memberRequest{group: "regex", protocol: "consumer"})
	c := rdConsumer(t, s.addr, conf)
	defer c.Close()
	if err := c.SubscribeTopics([]string{"^logs-.*"}, nil); err != nil {
		t.Fatal(err)
	}
	wantTopics := func(want ...string) {
		t.Helper()
		eventually(t, func() error {
			c.Poll(50)
			has, err := c.Assignment()
			var got []string
			for _, p := range has {
				got = append(got, *p.Topic)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				return fmt.Errorf("assigned %v, %v, want %v", got, err, want)
			}
			return nil
		})
	}
	wantTopics("logs-1")
	s.createTopic(t, "logs-2", 1)
	wantTopics("logs-1", "logs-2")
}

// A group moves from the classic protocol to the consumer protocol and back while
// it runs: every partition always finds an owner and no offset is lost.
func TestProtocolMigration(t *testing.T) {
	s := startServer(t, quickHeartbeats)
	const partitions = 4
	s.createTopic(t, "move", partitions)
	box := newInbox()
	classic := memberRequest{addr: s.addr, group: "move", topic: "move", got: box.add}
	consumer := classic
	consumer.protocol = "consumer"
	var sent []record
	step := func(members ...member) {
		t.Helper()
		wantShared(t, partitions, members...)
		more := spread(fmt.Sprint("v", len(sent), "-"), 20, partitions)
		kgoProduce(t, produceRequest{addr: s.addr, topic: "move"}, more...)
		sent = append(sent, more...)
		box.want(t, sent)
	}
	a := kgoJoin(t, classic)
	step(a)
	b := rdJoin(t, consumer)
	step(a, b)
	a.leave(t)
	step(b)
	c := rdJoin(t, classic)
	step(b, c)
	b.leave(t)
	step(c)
}
