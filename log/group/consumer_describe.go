package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerDescribe returns a group of the consumer protocol as
// ConsumerGroupDescribe shows it; GROUP_ID_NOT_FOUND when there is none.
func (c *Coordinator) ConsumerDescribe(id string) (kmsg.ConsumerGroupDescribeResponseGroup, error) {
	d := kmsg.NewConsumerGroupDescribeResponseGroup()
	d.Group = id
	d.Members = []kmsg.ConsumerGroupDescribeResponseGroupMember{}
	g, err := c.lock(id, false)
	if err != nil {
		return d, err
	}
	if g == nil {
		return d, withMessage(kerr.GroupIDNotFound, "Group %s not found.", id)
	}
	defer g.mu.Unlock()
	if g.consumer == nil {
		return d, withMessage(kerr.GroupIDNotFound, "Group %s is not a consumer group.", id)
	}
	cg := g.consumer
	d.State, d.Epoch, d.AssignmentEpoch, d.AssignorName = cg.state(), cg.epoch, cg.targetEpoch, cg.assignorName()
	for _, m := range cg.sorted() {
		d.Members = append(d.Members, c.describeMember(cg, m))
	}
	return d, nil
}

func (c *Coordinator) describeMember(g *consumerGroup, m *consumerMember) kmsg.ConsumerGroupDescribeResponseGroupMember {
	d := kmsg.NewConsumerGroupDescribeResponseGroupMember()
	d.MemberID, d.InstanceID, d.RackID = m.id, m.info.instanceID, m.info.rackID
	d.ClientID, d.ClientHost = m.info.clientID, m.info.clientHost
	d.MemberEpoch = m.current.epoch
	d.SubscribedTopics = append([]string{}, m.info.topics...)
	if m.info.regex != "" {
		d.SubscribedTopicRegex = kmsg.StringPtr(m.info.regex)
	}
	d.Assignment = c.describeAssignment(m.current.assigned)
	d.TargetAssignment = c.describeAssignment(g.targets[m.id])
	d.MemberType = 1
	if m.classic() {
		d.MemberType = 0
	}
	return d
}

func (c *Coordinator) describeAssignment(a assignment) kmsg.Assignment {
	d := kmsg.NewAssignment()
	d.TopicPartitions = []kmsg.AssignmentTopicPartition{}
	for _, id := range a.topics() {
		name := c.topicName(id)
		if name == "" {
			continue // deleted: its name is not known any more
		}
		tp := kmsg.NewAssignmentTopicPartition()
		tp.TopicID, tp.Topic, tp.Partitions = id, name, a.partitions(id)
		d.TopicPartitions = append(d.TopicPartitions, tp)
	}
	return d
}
