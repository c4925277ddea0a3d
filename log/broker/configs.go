package broker

import (
	"math"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// config is one configuration entry as the admin APIs report it.
type config struct {
	key      log.ConfigKey
	values   []configValue // where its value can come from, the one in force first; at least one
	readOnly bool
}

// configValue is a value and where it comes from.
type configValue struct {
	name, value string
	source      kmsg.ConfigSource
}

// topicConfigs is every topic config with the value that overrides, the dynamic broker configs and Kafka's defaults give it.
func (b *Broker) topicConfigs(overrides map[string]string) []config {
	dynamic := b.cfg.Log.BrokerOverrides()
	var configs []config
	for _, k := range log.TopicConfigKeys() {
		c := config{key: k}
		if v, ok := overrides[k.Name]; ok {
			c.values = append(c.values, configValue{k.Name, v, kmsg.ConfigSourceDynamicTopicConfig})
		}
		c.values = append(c.values, dynamicValues(dynamic, k.BrokerName())...)
		c.values = append(c.values, configValue{k.BrokerName(), k.Default, kmsg.ConfigSourceDefaultConfig})
		configs = append(configs, c)
	}
	return configs
}

func dynamicValues(o log.BrokerOverrides, name string) []configValue {
	var values []configValue
	if v, ok := o.Node[name]; ok {
		values = append(values, configValue{name, v, kmsg.ConfigSourceDynamicBrokerConfig})
	}
	if v, ok := o.Cluster[name]; ok {
		values = append(values, configValue{name, v, kmsg.ConfigSourceDynamicDefaultBrokerConfig})
	}
	return values
}

// The broker configs that can be changed while it runs, beside the defaults of topic configs.
const (
	maxConnectionsConfig = "max.connections"
	numPartitionsConfig  = "num.partitions"
)

// dynamicKeys lists the broker configs that can be changed while it runs.
func (b *Broker) dynamicKeys() []log.ConfigKey {
	keys := []log.ConfigKey{
		log.NumberKey(maxConnectionsConfig, log.TypeInt, int64(b.cfg.MaxConnections), 1, math.MaxInt32, "Most connections at a time."),
		log.NumberKey(numPartitionsConfig, log.TypeInt, int64(b.cfg.NumPartitions), 1, math.MaxInt32, "Partitions of a topic that does not say."),
	}
	for _, k := range log.TopicConfigKeys() {
		keys = append(keys, k.Broker())
	}
	return keys
}

// dynamic is the dynamic broker configs that the broker itself follows.
type dynamic struct{ maxConnections, numPartitions int }

// loadDynamic puts dynamic broker configs into force. The log follows those about topics by itself.
func (b *Broker) loadDynamic(o log.BrokerOverrides) {
	number := func(name string, static int) int {
		if v, ok := o.Value(name); ok {
			if n, err := strconv.Atoi(v); err == nil { // it was checked when it was set
				return n
			}
		}
		return static
	}
	b.dynamic.Store(&dynamic{
		maxConnections: number(maxConnectionsConfig, b.cfg.MaxConnections),
		numPartitions:  number(numPartitionsConfig, b.cfg.NumPartitions),
	})
}

// brokerConfigs is what this broker reports about itself.
func (b *Broker) brokerConfigs() []config {
	configs := b.staticConfigs()
	o := b.cfg.Log.BrokerOverrides()
	for _, k := range b.dynamicKeys() {
		source := kmsg.ConfigSourceDefaultConfig
		if k.Name == maxConnectionsConfig || k.Name == numPartitionsConfig {
			source = kmsg.ConfigSourceStaticBrokerConfig
		}
		values := append(dynamicValues(o, k.Name), configValue{k.Name, k.Default, source})
		configs = append(configs, config{key: k, values: values})
	}
	return configs
}

// clusterConfigs are the dynamic defaults of all brokers: those that were set, as from Kafka.
func (b *Broker) clusterConfigs() []config {
	set := b.cfg.Log.BrokerOverrides().Cluster
	var configs []config
	for _, k := range b.dynamicKeys() {
		if v, ok := set[k.Name]; ok {
			configs = append(configs, config{key: k, values: []configValue{{k.Name, v, kmsg.ConfigSourceDynamicDefaultBrokerConfig}}})
		}
	}
	return configs
}

// staticConfigs are read only. Tools look for some of them: delete.topic.enable and the protocol version decide what
// Kafka UIs offer.
func (b *Broker) staticConfigs() []config {
	str := func(name, value, doc string) config { return staticConfig(name, value, log.TypeString, doc) }
	num := func(name string, value int64, doc string) config {
		return staticConfig(name, strconv.FormatInt(value, 10), log.TypeLong, doc)
	}
	flag := func(name string, value bool, doc string) config {
		return staticConfig(name, strconv.FormatBool(value), log.TypeBoolean, doc)
	}
	return append([]config{
		str("advertised.listeners", b.describeListeners(func(l *listener) string { return l.Name + "://" + l.AdvertisedAddr }), "Addresses that clients are told to dial."),
		flag("auto.create.topics.enable", !b.cfg.DisableAutoCreate, "Whether asking for the metadata of an unknown topic creates it."),
		num("broker.id", int64(b.cfg.NodeID), "Id of this broker."),
		num("connections.max.idle.ms", b.cfg.IdleTimeout.Milliseconds(), "Time without a request after which a connection is closed."),
		num("default.replication.factor", 1, "Replicas of a topic that does not say: one node has one."),
		flag("delete.topic.enable", true, "Whether topics can be deleted."),
		num("fetch.max.bytes", int64(b.cfg.MaxFetchBytes), "Most bytes of records in one fetch response."),
		str("inter.broker.protocol.version", releaseName, "Kafka release whose admin features are offered."),
		str("listener.security.protocol.map", b.describeListeners(func(l *listener) string { return l.Name + ":" + l.protocol() }), "What is spoken at each listener."),
		str("log.dirs", b.cfg.Dir, "Directory of the log."),
		num("node.id", int64(b.cfg.NodeID), "Id of this broker."),
		num("queued.max.request.bytes", b.cfg.MaxInFlightBytes, "Most bytes of requests being handled."),
		num("socket.request.max.bytes", int64(b.cfg.MaxFrameBytes), "Most bytes of one request."),
	}, b.groupConfigs()...)
}

func staticConfig(name, value string, typ log.ConfigType, doc string) config {
	return config{
		key:      log.ConfigKey{Name: name, Type: typ, Default: value, Doc: doc},
		values:   []configValue{{name, value, kmsg.ConfigSourceStaticBrokerConfig}},
		readOnly: true,
	}
}
