package engine

import (
	"context"
	"fmt"
	"strconv"
	"sync"
)

// minBatchLimit is the least that the client takes for a limit.
const minBatchLimit = 512

// batchLimits are the largest batches that topics take: max.request.size, or less
// where a topic's max.message.bytes is less. A log refuses a batch as a whole, and
// small records would be refused for standing beside others.
type batchLimits struct {
	most int32

	mu      sync.RWMutex     // guards byTopic
	byTopic map[string]int32 // those below most
}

// of is called by the client when it begins with a partition of a topic.
func (l *batchLimits) of(topic string) int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if limit, ok := l.byTopic[topic]; ok {
		return limit
	}
	return l.most
}

func (l *batchLimits) lower(topic string, limit int64) {
	if limit >= int64(l.most) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byTopic == nil {
		l.byTopic = make(map[string]int32)
	}
	l.byTopic[topic] = int32(max(limit, minBatchLimit))
}

// hint says what a topic's limit is where it is the lower one.
func (l *batchLimits) hint(topic string) string {
	if l == nil || l.of(topic) == l.most {
		return ""
	}
	return fmt.Sprintf(" (%d bytes when the task began)", l.of(topic))
}

// learnLimit asks for a topic's max.message.bytes before the first record for it.
// A cluster that does not tell leaves max.request.size. So does compression: the
// topic's limit is for what it leaves of a batch, which only the log sees.
func (s *sourceTask) learnLimit(topic string) {
	if s.admin == nil || s.def.options.producer.compression != "none" {
		return
	}
	ctx, cancel := context.WithTimeout(s.stop, storeTimeout)
	defer cancel()
	configs, err := s.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil || len(configs) != 1 || configs[0].Err != nil {
		return
	}
	for _, kv := range configs[0].Configs {
		if limit, err := strconv.ParseInt(kv.MaybeValue(), 10, 64); err == nil && kv.Key == "max.message.bytes" {
			s.limits.lower(topic, limit)
		}
	}
}
