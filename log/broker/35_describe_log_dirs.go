package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeLogDirsHandler is key 35, v1–v5: v2 flexible, v4 volume sizes, v5 cordoned directories.
func describeLogDirsHandler() handler {
	return handler{
		key: kmsg.DescribeLogDirs, min: 1, max: 5, advertised: 1,
		shape: shape{arr(str(), list(fixed(4)))},
		serve: answer((*Broker).describeLogDirs),
	}
}

func (b *Broker) describeLogDirs(_ context.Context, r *request, q *kmsg.DescribeLogDirsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	resp.Dirs = []kmsg.DescribeLogDirsResponseDir{}
	if !b.allowsCluster(r, kmsg.ACLOperationDescribe) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code // v3; before, no directories say as much
		return resp
	}
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = b.cfg.Dir
	var err error
	if dir.TotalBytes, dir.UsableBytes, err = b.cfg.Log.Usage(); err != nil {
		dir.TotalBytes, dir.UsableBytes = -1, -1 // unknown
	}
	dir.Topics = []kmsg.DescribeLogDirsResponseDirTopic{}
	if q.Topics == nil {
		for _, t := range b.cfg.Log.Topics() {
			dir.Topics = append(dir.Topics, b.logDirTopic(t.Name(), allPartitions(t.Partitions())))
		}
	}
	for _, t := range unique(q.Topics, func(t *kmsg.DescribeLogDirsRequestTopic) string { return t.Topic }) {
		dir.Topics = append(dir.Topics, b.logDirTopic(t.Topic, t.Partitions))
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp
}

// logDirTopic reports the partitions that exist and leaves out the others.
func (b *Broker) logDirTopic(name string, partitions []int32) kmsg.DescribeLogDirsResponseDirTopic {
	rt := kmsg.NewDescribeLogDirsResponseDirTopic()
	rt.Topic = name
	rt.Partitions = []kmsg.DescribeLogDirsResponseDirTopicPartition{}
	t, ok := b.cfg.Log.Topic(name)
	if !ok {
		return rt
	}
	for _, i := range unique(partitions, func(i *int32) int32 { return *i }) {
		if p, ok := t.Partition(i); ok {
			rp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			rp.Partition, rp.Size = i, p.Size()
			rt.Partitions = append(rt.Partitions, rp)
		}
	}
	return rt
}

func allPartitions(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
