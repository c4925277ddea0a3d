package broker

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// config is one configuration entry as the admin APIs report it.
type config struct {
	key      log.ConfigKey
	value    string
	source   kmsg.ConfigSource
	readOnly bool
}

// topicConfigs is every topic config with the value that overrides give it.
func topicConfigs(overrides map[string]string) []config {
	var configs []config
	for _, k := range log.TopicConfigKeys() {
		c := config{key: k, value: k.Default, source: kmsg.ConfigSourceDefaultConfig}
		if v, ok := overrides[k.Name]; ok {
			c.value, c.source = v, kmsg.ConfigSourceDynamicTopicConfig
		}
		configs = append(configs, c)
	}
	return configs
}

// brokerConfigs is what this broker reports about itself, read only. Tools look
// for some of them: delete.topic.enable and the protocol version decide what
// Kafka UIs offer.
func (b *Broker) brokerConfigs() []config {
	str := func(name, value, doc string) config {
		return brokerConfig(name, value, log.TypeString, doc)
	}
	num := func(name string, value int64, doc string) config {
		return brokerConfig(name, strconv.FormatInt(value, 10), log.TypeLong, doc)
	}
	flag := func(name string, value bool, doc string) config {
		return brokerConfig(name, strconv.FormatBool(value), log.TypeBoolean, doc)
	}
	return []config{
		str("advertised.listeners", b.describeListeners(func(l *listener) string { return l.Name + "://" + l.AdvertisedAddr }), "Addresses that clients are told to dial."),
		flag("auto.create.topics.enable", !b.cfg.DisableAutoCreate, "Whether asking for the metadata of an unknown topic creates it."),
		num("broker.id", int64(b.cfg.NodeID), "Id of this broker."),
		num("connections.max.idle.ms", b.cfg.IdleTimeout.Milliseconds(), "Time without a request after which a connection is closed."),
		num("default.replication.factor", 1, "Replicas of a topic that does not say: one node has one."),
		flag("delete.topic.enable", true, "Whether topics can be deleted."),
		num("fetch.max.bytes", int64(b.cfg.MaxFetchBytes), "Most bytes of records in one fetch response."),
		str("inter.broker.protocol.version", "3.9", "Kafka release whose admin features are offered."),
		str("listener.security.protocol.map", b.describeListeners(func(l *listener) string { return l.Name + ":" + l.protocol() }), "What is spoken at each listener."),
		num("max.connections", int64(b.cfg.MaxConnections), "Most connections at a time."),
		num("node.id", int64(b.cfg.NodeID), "Id of this broker."),
		num("num.partitions", int64(b.cfg.NumPartitions), "Partitions of a topic that does not say."),
		num("offsets.topic.num.partitions", 50, "Partitions of __consumer_offsets."),
		num("queued.max.request.bytes", b.cfg.MaxInFlightBytes, "Most bytes of requests being handled."),
		num("socket.request.max.bytes", int64(b.cfg.MaxFrameBytes), "Most bytes of one request."),
	}
}

func brokerConfig(name, value string, typ log.ConfigType, doc string) config {
	return config{
		key:      log.ConfigKey{Name: name, Type: typ, Default: value, Doc: doc},
		value:    value,
		source:   kmsg.ConfigSourceStaticBrokerConfig,
		readOnly: true,
	}
}
