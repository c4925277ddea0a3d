package mqtt

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// A broker that drops messages, because a session that nobody reads is full, tells
// neither publisher nor subscriber. Some have a counter of all that they drop,
// whoever it was for, as a topic. The first task subscribes to it with QoS 0 and
// keeps the last value in its offset, so that a start shows what was dropped while
// the connector was away. What the counter says becomes no record.

// watchDrops subscribes to the broker's counter, beside what the config asks for. A
// broker that refuses, or ends the connection for it, is asked once in each start:
// messages are worth more than their number.
func (s *Source) watchDrops(ctx context.Context, c client, present bool) error {
	topic := s.session.dropsToAdd(present)
	if topic == "" {
		return nil
	}
	codes, err := c.subscribe(ctx, []string{topic}, subscribeOptions{})
	if err == nil && codes[topic] < subscribeRefused || errors.Is(err, context.Canceled) {
		return err
	}
	s.log.Info("mqtt broker does not let its counter of dropped messages be read; drops of the broker will not be noticed",
		optDropsTopic, topic, logError, err)
	s.session.withoutDrops()
	return err
}

// counter takes a value of the broker's counter, and tells whether m is one and no
// more than that.
func (r *receiver) counter(m *message) bool {
	s := r.source
	if m.topic != s.dropsTopic || s.dropsTopic == "" {
		return false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(m.payload)), 10, 64)
	if err == nil && n >= 0 {
		r.put(&message{kind: brokerDrops, count: n, qos: 2}) // 2: it does not give way
	}
	return !s.dropsCovered
}

// brokerDropped notes a value of the broker's counter. It starts from zero when the
// broker does.
func (s *Source) brokerDropped(b *connect.Batch, m *message) {
	before := s.session.brokerDrops
	if before == m.count {
		return
	}
	s.session.brokerDrops, s.session.moved = m.count, true
	if before < 0 {
		return // the first value ever: what was before is nobody's
	}
	more := m.count - before
	if more < 0 {
		more = m.count
	}
	if more == 0 {
		return
	}
	s.numbers.brokerDrops.Add(more)
	s.brokerDropLog.add(int(more))
	s.records.appendDrops(b, m, more)
}
