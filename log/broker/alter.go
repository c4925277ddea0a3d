package broker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// resource is what configs belong to.
type resource struct {
	typ  kmsg.ConfigResourceType
	name string
}

// named refuses a resource that a request names more than once: which change would win is not defined.
func (res resource) named(times int) error {
	if times > 1 {
		return withCode(kerr.InvalidRequest, "config resource %q is named %d times in the request", res.name, times)
	}
	return nil
}

// alterResource changes the overrides of a topic or the dynamic configs of the broker, durably. change gets a copy of
// them and the keys that there are, and returns the new ones.
func (b *Broker) alterResource(r *request, res resource, validateOnly bool, change func(map[string]string, []log.ConfigKey) (map[string]string, error)) error {
	b.alterMu.Lock() // read, change and write of the overrides are one step
	defer b.alterMu.Unlock()
	switch res.typ {
	case kmsg.ConfigResourceTypeTopic:
		t, err := b.topicFor(r, kmsg.ACLOperationAlterConfigs, res.name, [16]byte{}, false)
		if err != nil {
			return err
		}
		overrides, err := change(t.Overrides(), log.TopicConfigKeys())
		if err == nil {
			err = log.CheckTopicConfig(overrides)
		}
		if err != nil || validateOnly {
			return err
		}
		return b.cfg.Log.AlterTopic(res.name, overrides)
	case kmsg.ConfigResourceTypeBroker:
		if !b.allows(r, kmsg.ACLOperationAlterConfigs, kmsg.ACLResourceTypeCluster, clusterName) {
			return kerr.ClusterAuthorizationFailed
		}
		return b.alterBroker(res.name, validateOnly, change)
	}
	return withCode(kerr.InvalidRequest, "configs of resource type %d cannot be altered: use topics or brokers", res.typ)
}

// alterBroker changes the configs of this node, or those of the cluster (name ""), which are its defaults (KIP-226).
func (b *Broker) alterBroker(name string, validateOnly bool, change func(map[string]string, []log.ConfigKey) (map[string]string, error)) error {
	if err := b.checkNode(name); err != nil {
		return err
	}
	o := b.cfg.Log.BrokerOverrides()
	level := &o.Node
	if name == "" {
		level = &o.Cluster
	}
	if *level == nil {
		*level = map[string]string{}
	}
	overrides, err := change(*level, b.dynamicKeys())
	if err != nil {
		return err
	}
	if err := b.checkDynamic(overrides); err != nil {
		return err
	}
	*level = overrides
	if err := b.cfg.Log.CheckBroker(o); err != nil || validateOnly {
		return err
	}
	if err := b.cfg.Log.AlterBroker(o); err != nil {
		return err
	}
	b.loadDynamic(o)
	return nil
}

// checkNode accepts the name of this broker and "", which stands for the cluster.
func (b *Broker) checkNode(name string) error {
	if name != "" && name != strconv.Itoa(int(b.cfg.NodeID)) {
		return withCode(kerr.InvalidRequest, "there is no broker %q; the only one is %d", name, b.cfg.NodeID)
	}
	return nil
}

// checkDynamic refuses names that are unknown or read only, and values that are not accepted.
func (b *Broker) checkDynamic(overrides map[string]string) error {
	keys := b.dynamicKeys()
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if i := slices.IndexFunc(keys, func(k log.ConfigKey) bool { return k.Name == name }); i >= 0 {
			if err := keys[i].Check(overrides[name]); err != nil {
				return err
			}
			continue
		}
		if slices.ContainsFunc(b.staticConfigs(), func(c config) bool { return c.key.Name == name }) {
			return withCode(kerr.InvalidRequest, "broker config %s cannot be changed while the broker runs", name)
		}
		if use, ok := finerConfigs[name]; ok {
			return withCode(kerr.InvalidConfig, "broker config %s is not supported: set %s, in ms", name, use)
		}
		return withCode(kerr.InvalidConfig, "unknown broker config %s", name)
	}
	return nil
}

// finerConfigs are Kafka's names for a time in a coarser unit, and the one that there is instead.
var finerConfigs = map[string]string{
	"log.retention.hours":   "log.retention.ms",
	"log.retention.minutes": "log.retention.ms",
	"log.roll.hours":        "log.roll.ms",
	"log.roll.jitter.hours": "log.roll.jitter.ms",
}
