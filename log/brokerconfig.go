package log

import (
	"maps"
	"strconv"
)

// BrokerOverrides are the dynamic broker configs (KIP-226) by name. Those of the node win over those of the cluster.
type BrokerOverrides struct {
	Cluster map[string]string `json:"cluster,omitempty"`
	Node    map[string]string `json:"node,omitempty"`
}

// Value is the value in force of a name, if there is one.
func (o BrokerOverrides) Value(name string) (string, bool) {
	v, ok := o.Node[name]
	if !ok {
		v, ok = o.Cluster[name]
	}
	return v, ok
}

func (o BrokerOverrides) clone() BrokerOverrides {
	return BrokerOverrides{maps.Clone(o.Cluster), maps.Clone(o.Node)}
}

// BrokerName is the broker config that gives this topic config its default. Of Kafka's names for one thing in several units
// it is the finest (log.retention.ms, not log.retention.hours).
func (k *ConfigKey) BrokerName() string {
	if name, ok := brokerNames[k.Name]; ok {
		return name
	}
	return "log." + k.Name
}

// brokerNames are the broker configs whose name is not log. and that of the topic config.
var brokerNames = map[string]string{
	"compression.type":               "compression.type",
	"delete.retention.ms":            "log.cleaner.delete.retention.ms",
	"file.delete.delay.ms":           "log.segment.delete.delay.ms",
	"flush.messages":                 "log.flush.interval.messages",
	"flush.ms":                       "log.flush.interval.ms",
	"max.compaction.lag.ms":          "log.cleaner.max.compaction.lag.ms",
	"max.message.bytes":              "message.max.bytes",
	"min.cleanable.dirty.ratio":      "log.cleaner.min.cleanable.ratio",
	"min.compaction.lag.ms":          "log.cleaner.min.compaction.lag.ms",
	"min.insync.replicas":            "min.insync.replicas",
	"segment.index.bytes":            "log.index.size.max.bytes",
	"segment.jitter.ms":              "log.roll.jitter.ms",
	"segment.ms":                     "log.roll.ms",
	"unclean.leader.election.enable": "unclean.leader.election.enable",
}

// Broker is the key of the broker config that gives this topic config its default.
func (k *ConfigKey) Broker() ConfigKey {
	b := *k
	b.Name, b.Doc = k.BrokerName(), "Default of the topic config "+k.Name+". "+k.Doc
	return b
}

// Check returns a *ConfigError when the value is not accepted.
func (k *ConfigKey) Check(value string) error { return k.check(value) }

// BrokerOverrides returns a copy of the dynamic broker configs.
func (l *Log) BrokerOverrides() BrokerOverrides { return l.broker.Load().clone() }

// AlterBroker replaces the dynamic broker configs, durably. Those that give topic configs their defaults count for every topic
// at once; the others are only kept, for the broker. Errors: *ConfigError, ErrFull, ErrFailed, ErrClosed.
func (l *Log) AlterBroker(o BrokerOverrides) error {
	l.changes.Lock()
	defer l.changes.Unlock()
	defaults, err := l.defaultsWith(o)
	if err != nil {
		return err
	}
	o = o.clone()
	if err := l.writeCatalogWith(o, func(map[string]catalogTopic) {}); err != nil {
		return err
	}
	l.broker.Store(&o)
	l.defaults.Store(&defaults)
	for _, t := range l.Topics() {
		c, err := defaults.with(*t.overrides.Load())
		if err != nil {
			return err // cannot be: the overrides were accepted before
		}
		t.config.Store(&c)
	}
	return nil
}

// CheckBroker returns the error that AlterBroker would because of a value.
func (l *Log) CheckBroker(o BrokerOverrides) error {
	_, err := l.defaultsWith(o)
	return err
}

// defaultsWith is the configuration of a topic without overrides under dynamic broker configs.
func (l *Log) defaultsWith(o BrokerOverrides) (TopicConfig, error) {
	overrides := map[string]string{}
	for _, k := range TopicConfigKeys() {
		if v, ok := o.Value(k.BrokerName()); ok {
			overrides[k.Name] = v
		}
	}
	return l.cfg.Topic.with(overrides)
}

// NumberKey is the key of a broker config that is a whole number from low to high.
func NumberKey(name string, typ ConfigType, def, low, high int64, doc string) ConfigKey {
	return ConfigKey{Name: name, Type: typ, Default: strconv.FormatInt(def, 10), Doc: doc, min: low, max: high}
}
