package log

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// catalog is topics.json: which topics there are. The CRC-32C is over the bytes of topics and deleted.
type catalog struct {
	Version int             `json:"version"`
	CRC     string          `json:"crc32c"`
	Body    json.RawMessage `json:"catalog"`
}

// catalogBody is the part of the catalogue that the CRC covers.
type catalogBody struct {
	Topics []catalogTopic `json:"topics"`
	// Deleted topics, until their directories are gone. A directory whose topic is in neither list is left alone.
	Deleted []string `json:"deleted,omitempty"`
	// Broker are the dynamic broker configs.
	Broker BrokerOverrides `json:"broker,omitzero"`
}

// catalogTopic is one topic.
type catalogTopic struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"`
	Partitions int               `json:"partitions"`
	Config     map[string]string `json:"config,omitempty"`
}

// encodeCatalog writes topics.json.
func encodeCatalog(body catalogBody) ([]byte, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(catalog{Version: 0, CRC: catalogCRC(b), Body: b})
	return append(out, '\n'), err
}

func catalogCRC(b []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// decodeCatalog reads topics.json and checks everything in it.
func decodeCatalog(b []byte) (catalogBody, error) {
	var c catalog
	var body catalogBody
	if err := json.Unmarshal(b, &c); err != nil {
		return body, err
	}
	if c.Version != 0 {
		return body, fmt.Errorf("version %d is not known", c.Version)
	}
	if got := catalogCRC(c.Body); got != c.CRC {
		return body, fmt.Errorf("CRC is %s, want %s", got, c.CRC)
	}
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return body, err
	}
	for _, t := range body.Topics {
		if err := CheckTopicName(t.Name); err != nil {
			return body, err
		}
		if t.Partitions < 1 {
			return body, fmt.Errorf("topic %s has %d partitions", t.Name, t.Partitions)
		}
	}
	return body, nil
}

// loadCatalog makes the topics without looking at their directories.
func (l *Log) loadCatalog() error {
	name := join(l.cfg.Dir, catalogFile)
	b, err := readFile(l.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	body, err := decodeCatalog(b)
	if err != nil {
		return fmt.Errorf("read %s: %w; restore the file", name, err)
	}
	defaults, err := l.defaultsWith(body.Broker)
	if err != nil {
		return fmt.Errorf("read %s: broker configs: %w", name, err)
	}
	l.broker.Store(&body.Broker)
	l.defaults.Store(&defaults)
	for _, ct := range body.Topics {
		id, err := parseTopicID(ct.ID)
		if err != nil {
			return fmt.Errorf("read %s: topic %s: %w", name, ct.Name, err)
		}
		t, err := l.newTopic(ct.Name, id, ct.Partitions, ct.Config)
		if err != nil {
			return fmt.Errorf("read %s: topic %s: %w", name, ct.Name, err)
		}
		l.topics[t.name], l.byID[t.id] = t, t
	}
	for _, s := range body.Deleted {
		id, err := parseTopicID(s)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		l.deleted = append(l.deleted, id)
	}
	return nil
}

// newTopic makes a topic in memory.
func (l *Log) newTopic(name string, id topicID, partitions int, overrides map[string]string) (*Topic, error) {
	t := &Topic{log: l, name: name, id: id}
	c, err := l.defaults.Load().with(overrides)
	if err != nil {
		return nil, err
	}
	overrides = maps.Clone(overrides)
	t.config.Store(&c)
	t.overrides.Store(&overrides)
	ps := make([]*Partition, partitions)
	for i := range ps {
		ps[i] = newPartition(t, int32(i))
	}
	t.partitions.Store(&ps)
	return t, nil
}

// writeCatalog makes the catalogue durable as it would be with the change: edit gets the topics by name. changes is held.
func (l *Log) writeCatalog(edit func(topics map[string]catalogTopic)) error {
	return l.writeCatalogWith(*l.broker.Load(), edit)
}

func (l *Log) writeCatalogWith(broker BrokerOverrides, edit func(topics map[string]catalogTopic)) error {
	topics := map[string]catalogTopic{}
	for _, t := range l.Topics() {
		topics[t.name] = catalogTopic{t.name, t.id.String(), t.Partitions(), t.Overrides()}
	}
	edit(topics)
	body := catalogBody{Topics: []catalogTopic{}, Broker: broker}
	for _, name := range sortedKeys(topics) {
		body.Topics = append(body.Topics, topics[name])
	}
	for _, id := range l.deleted {
		body.Deleted = append(body.Deleted, id.String())
	}
	b, err := encodeCatalog(body)
	if err != nil {
		return fmt.Errorf("write catalogue: %w", err)
	}
	if l.closing.Load() {
		return ErrClosed
	}
	if err := l.Err(); err != nil {
		return err
	}
	return l.ioError(writeFile(l.fs, join(l.cfg.Dir, catalogFile), b))
}

// CreateTopic makes a topic, durably. overrides are topic configs as text, see [TopicConfigKeys]. The directories of its
// partitions appear with their first records. Errors: ErrTopicExists, ErrInvalidTopic, ErrInvalidPartitions, *ConfigError,
// ErrFull, ErrFailed, ErrClosed.
func (l *Log) CreateTopic(name string, partitions int, overrides map[string]string) (*Topic, error) {
	l.changes.Lock()
	defer l.changes.Unlock()
	if err := l.CheckTopic(name, partitions, overrides); err != nil {
		return nil, err
	}
	t, err := l.newTopic(name, newTopicID(), partitions, overrides)
	if err != nil {
		return nil, err
	}
	if err := l.dropStale(); err != nil {
		return nil, l.ioError(err)
	}
	err = l.writeCatalog(func(topics map[string]catalogTopic) {
		topics[name] = catalogTopic{name, t.id.String(), partitions, overrides}
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topics[name], l.byID[t.id] = t, t
	return t, nil
}

// dropStale rewrites the checkpoint files when they may have lines of deleted topics. changes is held.
func (l *Log) dropStale() error {
	if !l.stale || l.closing.Load() {
		return nil
	}
	if err := errors.Join(l.writeRecoveryPoints(), l.writeLogStarts(), l.writeCleaned(), l.writeHoles()); err != nil {
		return err
	}
	l.stale = false
	return nil
}

// CheckTopic returns the error that CreateTopic would, without creating anything.
func (l *Log) CheckTopic(name string, partitions int, overrides map[string]string) error {
	if err := CheckTopicName(name); err != nil {
		return err
	}
	for _, t := range l.Topics() {
		if t.name == name {
			return fmt.Errorf("%w: %s", ErrTopicExists, name)
		}
		if collisionName(t.name) == collisionName(name) {
			return fmt.Errorf("%w %q: it collides with %q", ErrInvalidTopic, name, t.name)
		}
	}
	if partitions < 1 || partitions > l.cfg.MaxPartitions {
		return fmt.Errorf("%w: %d, want 1 to %d", ErrInvalidPartitions, partitions, l.cfg.MaxPartitions)
	}
	_, err := l.defaults.Load().with(overrides)
	return err
}

// CreatePartitions raises the number of partitions, durably. It cannot be lowered: ErrInvalidPartitions.
func (l *Log) CreatePartitions(name string, total int) error {
	l.changes.Lock()
	defer l.changes.Unlock()
	t, ok := l.Topic(name)
	if !ok {
		return fmt.Errorf("%w: %s", ErrTopicNotFound, name)
	}
	old := *t.partitions.Load()
	if total <= len(old) || total > l.cfg.MaxPartitions {
		return fmt.Errorf("%w: topic %s has %d, want more and at most %d", ErrInvalidPartitions, name, len(old), l.cfg.MaxPartitions)
	}
	if err := l.dropStale(); err != nil {
		return l.ioError(err)
	}
	err := l.writeCatalog(func(topics map[string]catalogTopic) {
		ct := topics[name]
		ct.Partitions = total
		topics[name] = ct
	})
	if err != nil {
		return err
	}
	ps := slices.Clone(old)
	for i := len(old); i < total; i++ {
		ps = append(ps, newPartition(t, int32(i)))
	}
	t.partitions.Store(&ps)
	return nil
}

// AlterTopic replaces all overrides of a topic, durably. Errors: ErrTopicNotFound, *ConfigError.
func (l *Log) AlterTopic(name string, overrides map[string]string) error {
	l.changes.Lock()
	defer l.changes.Unlock()
	t, ok := l.Topic(name)
	if !ok {
		return fmt.Errorf("%w: %s", ErrTopicNotFound, name)
	}
	c, err := l.defaults.Load().with(overrides)
	if err != nil {
		return err
	}
	overrides = maps.Clone(overrides)
	err = l.writeCatalog(func(topics map[string]catalogTopic) {
		ct := topics[name]
		ct.Config = overrides
		topics[name] = ct
	})
	if err != nil {
		return err
	}
	t.overrides.Store(&overrides)
	t.config.Store(&c)
	return nil
}

// DeleteTopic deletes a topic and its files. It is durable on return, even when the files could not be deleted yet.
func (l *Log) DeleteTopic(name string) error {
	l.changes.Lock()
	defer l.changes.Unlock()
	t, ok := l.Topic(name)
	if !ok {
		return fmt.Errorf("%w: %s", ErrTopicNotFound, name)
	}
	l.deleted = append(l.deleted, t.id)
	if err := l.writeCatalog(func(topics map[string]catalogTopic) { delete(topics, name) }); err != nil {
		l.deleted = l.deleted[:len(l.deleted)-1]
		return err
	}
	l.stale = true
	l.mu.Lock()
	delete(l.topics, name)
	delete(l.byID, t.id)
	l.mu.Unlock()
	gone := true
	for _, p := range *t.partitions.Load() {
		if err := p.remove(); err != nil {
			gone = false
			l.cfg.Logger.Warn("delete partition: tried again at the next start", keyTopic, name, keyPartition, p.index, "err", err)
		}
	}
	if err := l.ioError(syncDir(l.fs, l.cfg.Dir)); err != nil {
		return err
	}
	if gone {
		l.deleted = slices.DeleteFunc(l.deleted, func(id topicID) bool { return id == t.id })
	}
	return nil
}

// remove closes the partition and deletes its directory. A directory that is only partly deleted has another name, so
// that a new topic cannot take it for its own.
func (p *Partition) remove() error {
	_ = p.shut(ErrPartitionDeleted)
	p.cleaning.Lock() // the cleaner stops soon: the partition has an error
	defer p.cleaning.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.letGo()
	p.state.Lock()
	segments := p.segments
	p.segments = nil
	p.state.Unlock()
	for _, s := range segments {
		for _, h := range s.handles() {
			p.log.files.drop(h)
		}
	}
	old := p.dir + "." + hex.EncodeToString(p.topic.id[:]) + deletedSuffix
	err := p.log.fs.Rename(p.dir, old)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.log.fs.RemoveAll(old)
}

// Topic returns a topic by name.
func (l *Log) Topic(name string) (*Topic, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	t, ok := l.topics[name]
	return t, ok
}

// TopicByID returns a topic by its UUID.
func (l *Log) TopicByID(id [16]byte) (*Topic, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	t, ok := l.byID[id]
	return t, ok
}

// Topics lists the topics, sorted by name.
func (l *Log) Topics() []*Topic {
	l.mu.RLock()
	defer l.mu.RUnlock()
	topics := make([]*Topic, 0, len(l.topics))
	for _, t := range l.topics {
		topics = append(topics, t)
	}
	slices.SortFunc(topics, func(a, b *Topic) int { return strings.Compare(a.name, b.name) })
	return topics
}

// cleanDir finishes deletions that a crash cut short and moves directories aside that belong to no topic but have the name of
// one's partition.
func (l *Log) cleanDir() error {
	infos, err := l.fs.ReadDir(l.cfg.Dir)
	if err != nil {
		return err
	}
	for _, info := range infos {
		name := join(l.cfg.Dir, info.Name)
		switch {
		case !info.Dir && strings.HasSuffix(info.Name, tempSuffix):
			err = l.fs.Remove(name)
		case info.Dir && strings.HasSuffix(info.Name, deletedSuffix) && l.partitionOf(info.Name) == nil:
			err = l.fs.RemoveAll(name)
		case info.Dir:
			err = l.cleanPartitionDir(name, info.Name)
		}
		if err != nil {
			return fmt.Errorf("clean data directory: %w", err)
		}
	}
	if err := syncDir(l.fs, l.cfg.Dir); err != nil {
		return err
	}
	l.deleted = nil // their directories are gone, durably
	return nil
}

// cleanPartitionDir deletes the directory of a deleted topic and moves a stray one out of the way.
func (l *Log) cleanPartitionDir(name, base string) error {
	b, err := readFile(l.fs, join(name, partitionFile))
	if err != nil {
		return nil // recovery says what it makes of that
	}
	id, err := decodePartitionMetadata(b)
	if err != nil {
		return nil
	}
	if slices.Contains(l.deleted, id) {
		return l.fs.RemoveAll(name)
	}
	if p := l.partitionOf(base); p != nil && p.topic.id != id {
		aside := name + "." + hex.EncodeToString(id[:]) + straySuffix
		l.cfg.Logger.Warn("directory belongs to an unknown topic id, moved aside", "dir", name, "to", aside)
		return l.fs.Rename(name, aside)
	}
	return nil
}

// partitionOf returns the partition with this directory name, or nil.
func (l *Log) partitionOf(base string) *Partition {
	i := strings.LastIndexByte(base, '-')
	if i < 0 {
		return nil
	}
	t := l.topics[base[:i]]
	if t == nil {
		return nil
	}
	for _, p := range *t.partitions.Load() {
		if (partitionKey{t.name, p.index}).dirName() == base {
			return p
		}
	}
	return nil
}
