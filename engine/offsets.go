package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/connect"
)

// alterTimeout bounds what a connector does when its offsets change.
const alterTimeout = 30 * time.Second

// ConnectorOffset is how far a connector got in one partition. A sink's partition
// is {"kafka_topic":…, "kafka_partition":…} and its offset {"kafka_offset":…}; a
// source's are its own (KIP-875).
type ConnectorOffset struct {
	Partition json.RawMessage `json:"partition"`
	Offset    json.RawMessage `json:"offset"` // null resets the partition
}

// Offsets returns how far a connector got, in the order of its partitions.
func (w *Worker) Offsets(ctx context.Context, name string) ([]ConnectorOffset, error) {
	c, err := w.connector(ctx, name)
	if err != nil {
		return nil, err
	}
	if w.plugins.kind(c.config) == typeSink {
		return w.sinkOffsets(ctx, name, c.config)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	cluster, err := w.stores.sourceCluster(ctx, name, c.config)
	if err != nil {
		return nil, offsetsError(name, "retrieve", err)
	}
	defer cluster.close()
	offsets, err := w.sourceOffsets(ctx, cluster, name, c.config)
	if err != nil {
		return nil, offsetsError(name, "retrieve", err)
	}
	defer offsets.close()
	all, err := offsets.all(ctx)
	if err != nil {
		return nil, offsetsError(name, "retrieve", err)
	}
	return all, nil
}

// sourceOffsets opens the offsets of a source; the caller closes them.
func (w *Worker) sourceOffsets(ctx context.Context, c *kafkaCluster, name string, config map[string]string) (*sourceOffsets, error) {
	topic := strings.TrimSpace(w.plugins.providers.resolve(config).settings[ownOffsetsOption])
	transactional := false
	if c.other && topic == "" && w.plugins.exactlyOnce {
		d, err := w.plugins.define(ctx, config)
		if err != nil {
			return nil, err
		}
		transactional = d.transactional(&w.cfg)
	}
	return w.stores.sourceOffsets(ctx, c, c.admin, name, topic, transactional)
}

func offsetsError(name, what string, err error) error {
	return &Error{KindInternal, fmt.Sprintf("Failed to %s offsets for connector %s: %v", what, name, err)}
}

// sinkGroup returns the consumer group of a sink.
func (p *plugins) sinkGroup(name string, config map[string]string) string {
	if g := strings.TrimSpace(p.providers.resolve(config).settings["consumer.override.group.id"]); g != "" {
		return g
	}
	if g := p.clients.Consumer["group.id"]; g != "" {
		return g
	}
	return "connect-" + name
}

func (w *Worker) sinkOffsets(ctx context.Context, name string, config map[string]string) ([]ConnectorOffset, error) {
	cluster, err := w.stores.sinkCluster(ctx, name, config)
	if err != nil {
		return nil, offsetsError(name, "retrieve consumer group", err)
	}
	defer cluster.close()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	committed, err := cluster.admin.FetchOffsets(ctx, w.plugins.sinkGroup(name, config))
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, offsetsError(name, "retrieve consumer group", err)
	}
	offsets := []ConnectorOffset{}
	for _, o := range committed.Sorted() {
		if o.Err == nil && o.At >= 0 {
			offsets = append(offsets, sinkOffset(o.Topic, o.Partition, o.At))
		}
	}
	return offsets, nil
}

func sinkOffset(topic string, partition int32, offset int64) ConnectorOffset {
	return ConnectorOffset{
		Partition: sinkPartitionJSON(topic, partition),
		Offset:    fmt.Appendf(nil, `{"kafka_offset":%d}`, offset)}
}

func sinkPartitionJSON(topic string, partition int32) []byte {
	return fmt.Appendf(nil, `{"kafka_partition":%d,"kafka_topic":%s}`, partition, jsonString(topic))
}

// of returns the offsets of a source.
func (s *offsetStore) of(connector string) []ConnectorOffset {
	prefix := string(appendOffsetKey(nil, connector, nil))
	prefix = prefix[:len(prefix)-1] // without the bracket
	s.mu.Lock()
	defer s.mu.Unlock()
	offsets := []ConnectorOffset{}
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		partition, ok := strings.CutPrefix(key, prefix)
		partition = strings.TrimSuffix(partition, "]")
		if value := s.values[key]; ok && json.Valid([]byte(partition)) && json.Valid(value) {
			offsets = append(offsets, ConnectorOffset{json.RawMessage(partition), bytes.Clone(value)})
		}
	}
	return offsets
}

// AlterOffsets changes where a stopped connector goes on, partition by partition,
// and returns a text for the user.
func (w *Worker) AlterOffsets(ctx context.Context, name string, offsets []ConnectorOffset) (string, error) {
	if len(offsets) == 0 {
		return "", badRequest("Partitions / offsets need to be provided for an alter offsets request")
	}
	return w.modifyOffsets(ctx, name, offsets)
}

// ResetOffsets makes a stopped connector begin anew, and returns a text for the
// user.
func (w *Worker) ResetOffsets(ctx context.Context, name string) (string, error) {
	return w.modifyOffsets(ctx, name, nil)
}

// modifyOffsets alters offsets, or resets all with nil. The connector is asked
// while nothing waits for it; then the change is made, unless the connector has
// been resumed or changed meanwhile.
func (w *Worker) modifyOffsets(ctx context.Context, name string, offsets []ConnectorOffset) (string, error) {
	c, err := w.stoppedConnector(ctx, name)
	if err != nil {
		return "", err
	}
	m, err := w.newModification(ctx, name, c, offsets)
	if err != nil {
		return "", err
	}
	if !w.awaitTasks(ctx, name) {
		return "", m.zombies()
	}
	external, err := m.askConnector(ctx)
	if err != nil {
		return "", offsetsError(name, "modify", err)
	}
	err = w.asLeader(ctx, func() error {
		now, err := w.stoppedConnector(ctx, name)
		switch {
		case err != nil:
			return err
		case now.revision != c.revision:
			return &Error{KindConflict, "The connector " + name + " was changed meanwhile; send the request again"}
		}
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		return m.write(ctx)
	})
	if err != nil {
		return "", err
	}
	return m.text(external), nil
}

// stoppedConnector returns a connector whose offsets may be changed.
func (w *Worker) stoppedConnector(ctx context.Context, name string) (connectorState, error) {
	c, err := w.connector(ctx, name)
	if err == nil && (c.target != TargetStopped || len(c.tasks) > 0) {
		err = badRequest("Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified "+
			"connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
	}
	return c, err
}

// awaitTasks waits for the tasks of a stopped connector to end, as long as they
// have time to, and returns whether they have.
func (w *Worker) awaitTasks(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.TaskShutdownTimeout+2*abandonGrace)
	defer cancel()
	idle := make(chan struct{})
	w.reconciler.post(func(r *reconciler) { r.whenIdle(name, idle) })
	select {
	case <-idle:
		return w.awaitOthers(ctx, name)
	case <-w.over:
	case <-ctx.Done():
	}
	return false
}

// awaitOthers waits for the tasks on other workers: each removes the status of its
// own when that has ended.
func (w *Worker) awaitOthers(ctx context.Context, name string) bool {
	if w.cfg.Group.alone() {
		return true
	}
	if w.stores.follower.sync(ctx, w.cfg.StatusTopic.Name) != nil {
		return false
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for w.stores.statuses.runs(name, w.cfg.WorkerID) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// whenIdle closes a channel once no task of a connector runs here. One that was
// abandoned does not count: nothing of it can reach the log any more.
func (r *reconciler) whenIdle(name string, idle chan struct{}) {
	if c := r.connectors[name]; c != nil && len(c.tasks) > 0 {
		c.idle = append(c.idle, idle)
		return
	}
	close(idle)
}

func (c *connector) tellIdle() {
	if len(c.tasks) > 0 {
		return
	}
	for _, idle := range c.idle {
		close(idle)
	}
	c.idle = nil
}

// modification is a change of a connector's offsets.
type modification struct {
	worker *Worker
	name   string
	state  connectorState
	reset  bool // all of them
	// twoPhase: the sink has states that go with its offsets.
	twoPhase bool
	tasksMax int
	// marks are a source's; partitions a sink's, with offset -1 for a reset.
	marks      []connect.Mark
	partitions []connect.PartitionOffset
}

func (w *Worker) newModification(ctx context.Context, name string, c connectorState, offsets []ConnectorOffset) (*modification, error) {
	m := &modification{worker: w, name: name, state: c, reset: offsets == nil}
	sink := w.plugins.kind(c.config) == typeSink
	var known []ConnectorOffset
	var err error
	if m.reset || !sink {
		if known, err = w.Offsets(ctx, name); err != nil {
			return nil, err
		}
	}
	if m.reset {
		for _, o := range known {
			offsets = append(offsets, ConnectorOffset{Partition: o.Partition})
		}
	}
	if sink {
		m.partitions, err = parseSinkOffsets(offsets)
	} else {
		m.marks, err = matchOffsets(known, offsets)
	}
	return m, err
}

// askConnector lets the connector follow or refuse the change. It returns whether
// offsets that the connector keeps elsewhere were changed too.
func (m *modification) askConnector(ctx context.Context) (external bool, err error) {
	d, err := m.worker.plugins.define(ctx, m.state.config)
	if err != nil || d.err() != nil {
		return false, firstError(err, d.err())
	}
	m.tasksMax = d.options.tasksMax
	ctx, cancel := context.WithTimeout(ctx, alterTimeout)
	defer cancel()
	err = m.worker.plugins.call(ctx, d.spec, alterTimeout, func() (err error) {
		if c, ok := d.config.(connect.SinkConfig); ok {
			_, m.twoPhase = c.Sink().(connect.TwoPhase)
		}
		switch c := d.config.(type) {
		case connect.SourceOffsetAlterer:
			external, err = c.AlterOffsets(ctx, m.marks)
		case connect.SinkOffsetAlterer:
			external, err = c.AlterOffsets(ctx, m.partitions)
		}
		return err
	})
	if err != nil {
		return false, d.hideSecrets(err)
	}
	return external, nil
}

func (m *modification) write(ctx context.Context) error {
	if m.partitions != nil || m.worker.plugins.kind(m.state.config) == typeSink {
		c, err := m.worker.stores.sinkCluster(ctx, m.name, m.state.config)
		if err != nil {
			return offsetsError(m.name, m.verb()+" consumer group", err)
		}
		defer c.close()
		if m.twoPhase {
			return m.writeTwoPhase(ctx, c)
		}
		return m.writeSink(ctx, c)
	}
	if len(m.marks) == 0 {
		return nil
	}
	return m.writeSource(ctx)
}

// writeSource first ends what tasks that were abandoned may have open, so that none
// of it is committed over the change (KIP-618).
func (m *modification) writeSource(ctx context.Context) error {
	stores := m.worker.stores
	if err := stores.fenceTasks(ctx, m.name, m.state); err != nil {
		return offsetsError(m.name, "fence the tasks before changing the", err)
	}
	c, err := stores.sourceCluster(ctx, m.name, m.state.config)
	if err != nil {
		return stored(err)
	}
	defer c.close()
	offsets, err := m.worker.sourceOffsets(ctx, c, m.name, m.state.config)
	if err != nil {
		return stored(err)
	}
	defer offsets.close()
	return stored(offsets.write(ctx, stores, m.marks))
}

// writeSink changes the offsets of the consumer group, which must have no members.
func (m *modification) writeSink(ctx context.Context, c *kafkaCluster) error {
	admin, group := c.admin, m.worker.plugins.sinkGroup(m.name, m.state.config)
	if m.reset {
		_, err := admin.DeleteGroup(ctx, group)
		return m.groupError(err)
	}
	set, drop := make(kadm.Offsets), make(kadm.TopicsSet)
	for _, p := range m.partitions {
		if p.Offset < 0 {
			drop.Add(p.Topic, p.Partition)
		} else {
			set.AddOffset(p.Topic, p.Partition, p.Offset, -1)
		}
	}
	if len(set) > 0 {
		answers, err := admin.CommitOffsets(ctx, group, set)
		if err = firstError(err, answers.Error()); err != nil {
			return m.groupError(err)
		}
	}
	if len(drop) == 0 {
		return nil
	}
	answers, err := admin.DeleteOffsets(ctx, group, drop)
	return m.groupError(firstError(err, answers.Error()))
}

// groupError explains an error of the consumer group. A group that is not there
// has no offsets to remove.
func (m *modification) groupError(err error) error {
	switch {
	case err == nil, errors.Is(err, kerr.GroupIDNotFound):
		return nil
	case errors.Is(err, kerr.NonEmptyGroup), errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.GroupSubscribedToTopic):
		return m.zombies()
	}
	return offsetsError(m.name, m.verb()+" consumer group", err)
}

func (m *modification) verb() string {
	if m.reset {
		return "reset"
	}
	return "alter"
}

func (m *modification) zombies() error {
	return &Error{KindInternal, fmt.Sprintf("Failed to %s consumer group offsets for connector %s either because its tasks haven't stopped completely yet "+
		"or the connector was resumed before the request to %s its offsets could be successfully completed. If the connector is in a stopped state, this operation "+
		"can be safely retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks.",
		m.verb(), m.name, m.verb())}
}

func (m *modification) text(external bool) string {
	done := "altered"
	if m.reset {
		done = "reset"
	}
	if external {
		return fmt.Sprintf("The offsets for this connector have been %s successfully", done)
	}
	return fmt.Sprintf("The Connect framework-managed offsets for this connector have been %s successfully. However, if this connector manages offsets "+
		"externally, they will need to be manually %s in the system that the connector uses.", done, done)
}

// matchOffsets makes marks of offsets. The bytes of a partition are its identity, so
// one that is stored already in another order of fields or with other spaces is
// taken as it is stored.
func matchOffsets(stored, offsets []ConnectorOffset) ([]connect.Mark, error) {
	marks := make([]connect.Mark, len(offsets))
	for i, o := range offsets {
		partition, err := jsonObject(o.Partition)
		if err != nil || partition == nil {
			return nil, badRequest("The partition for a source connector offset must be a JSON object and cannot be null or missing")
		}
		offset, err := jsonObject(o.Offset)
		if err != nil {
			return nil, badRequest("The offset for a source connector must be a JSON object, or null to reset its partition")
		}
		marks[i] = connect.Mark{Partition: compactJSON(o.Partition)}
		if offset != nil {
			marks[i].Offset = compactJSON(o.Offset)
		}
		for _, known := range stored {
			if p, err := jsonObject(known.Partition); err == nil && reflect.DeepEqual(p, partition) {
				marks[i].Partition = known.Partition
			}
		}
	}
	return marks, nil
}

// jsonObject parses a JSON object; nil for null or nothing.
func jsonObject(text json.RawMessage) (map[string]any, error) {
	if text == nil {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var m map[string]any
	err := dec.Decode(&m)
	return m, err
}

// compactJSON returns valid JSON without spaces.
func compactJSON(text json.RawMessage) json.RawMessage {
	var buf bytes.Buffer
	if json.Compact(&buf, text) != nil {
		return text
	}
	return buf.Bytes()
}

func parseSinkOffsets(offsets []ConnectorOffset) ([]connect.PartitionOffset, error) {
	parsed := make([]connect.PartitionOffset, len(offsets))
	for i, o := range offsets {
		p, err := parseSinkPartition(o.Partition)
		if err != nil {
			return nil, err
		}
		parsed[i] = connect.PartitionOffset{TopicPartition: p, Offset: -1}
		offset, err := jsonObject(o.Offset)
		if err != nil || offset != nil && offset["kafka_offset"] == nil {
			return nil, badRequest("The offset for a sink connector should either be null or contain the key 'kafka_offset'")
		}
		if offset == nil {
			continue
		}
		text := fmt.Sprint(offset["kafka_offset"])
		if parsed[i].Offset, err = strconv.ParseInt(text, 10, 64); err != nil || parsed[i].Offset < 0 {
			return nil, badRequest("Failed to parse the following Kafka offset value in the provided offsets: '%s'. Offset values for sink connectors need to be integers.", text)
		}
	}
	return parsed, nil
}

func parseSinkPartition(text json.RawMessage) (connect.TopicPartition, error) {
	var tp connect.TopicPartition
	partition, err := jsonObject(text)
	if err != nil || partition == nil {
		return tp, badRequest("The partition for a sink connector offset cannot be null or missing")
	}
	topic, hasTopic := partition["kafka_topic"]
	number, hasNumber := partition["kafka_partition"]
	switch {
	case !hasTopic || !hasNumber:
		return tp, badRequest("The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
	case topic == nil:
		return tp, badRequest("Kafka topic names must be valid strings and may not be null")
	case number == nil:
		return tp, badRequest("Kafka partitions must be valid numbers and may not be null")
	}
	n, err := strconv.ParseInt(fmt.Sprint(number), 10, 32)
	if err != nil || n < 0 {
		return tp, badRequest("Failed to parse the following Kafka partition value in the provided offsets: '%v'. Partition values for sink connectors need to be integers.", number)
	}
	return connect.TopicPartition{Topic: fmt.Sprint(topic), Partition: int32(n)}, nil
}
