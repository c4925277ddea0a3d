package engine

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/clientconfig"
)

// workerOptions are a worker's properties as they are read.
type workerOptions struct {
	cfg                                    Config
	replication                            [4]int16
	offsetPartitions, statusPartitions     int
	pluginPath                             string
	client                                 clientconfig.Settings
	own                                    clientSettings
	providers, restExtensions              []string
	topicCreation                          bool
	topicTracking, topicReset, autoRestart bool
	signatures                             []string
}

// ParseProperties reads a worker's properties, under Kafka Connect's names, and
// returns every error that they have. Plugins, ClientOpts and Logger are left to
// the caller.
func ParseProperties(properties map[string]string) (Config, error) {
	var o workerOptions
	configs, providers, err := propertyProviders(properties)
	r := providers.resolve(properties)
	for _, name := range sortedKeys(r.errs) {
		err = errors.Join(err, fmt.Errorf("%s: %s", name, r.errs[name]))
	}
	o.cfg.ConfigProviders = configs
	var d connect.Def
	o.define(&d)
	err = errors.Join(err, connect.Err(d.Parse(r.settings)))
	if err != nil {
		return Config{}, errors.New(strings.NewReplacer(r.hide()...).Replace(err.Error())) // I6
	}
	return o.config(r.settings)
}

// propertyProviders reads config.providers and what belongs to it.
func propertyProviders(properties map[string]string) ([]ProviderConfig, providers, error) {
	var configs []ProviderConfig
	for _, name := range strings.Split(properties["config.providers"], ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		prefix := "config.providers." + name + "."
		c := ProviderConfig{Name: name, Class: strings.TrimSpace(properties[prefix+"class"]), Params: make(map[string]string)}
		for key, value := range properties {
			if param, ok := strings.CutPrefix(key, prefix+"param."); ok {
				c.Params[param] = value
			}
		}
		configs = append(configs, c)
	}
	all, err := newProviders(configs)
	return configs, all, err
}

// UnknownProperties returns the properties that nothing reads.
func UnknownProperties(properties map[string]string) []connect.UnknownOption {
	var o workerOptions
	var d connect.Def
	o.define(&d)
	defineClients(&d)
	return d.Unknown(properties)
}

func (o *workerOptions) define(d *connect.Def) {
	c := &o.cfg
	d.Add(
		connect.Option{Name: "bootstrap.servers", Var: &c.BootstrapServers, Doc: "Brokers of an external cluster."},
		connect.Option{Name: "group.id", Var: &c.GroupID, Default: "sluice", Doc: "Name of the group of workers."},
		connect.Option{Name: "key.converter", Var: &c.KeyConverter.Class, Class: true, NoDefault: true, OneOf: converterClasses(false), Doc: "Converter of keys."},
		connect.Option{Name: "value.converter", Var: &c.ValueConverter.Class, Class: true, NoDefault: true, OneOf: converterClasses(false), Doc: "Converter of values."},
		connect.Option{Name: "header.converter", Var: &c.HeaderConverter.Class, Class: true, NoDefault: true, OneOf: converterClasses(true), Doc: "Converter of headers."},
		connect.Option{Name: "task.shutdown.graceful.timeout.ms", Var: &c.TaskShutdownTimeout, Default: "5000", Check: positive(&c.TaskShutdownTimeout), Doc: "How long a task may take to stop."},
		connect.Option{Name: "offset.flush.interval.ms", Var: &c.OffsetFlushInterval, Default: "60000", Check: positive(&c.OffsetFlushInterval), Doc: "How often a sink's offsets are committed."},
		connect.Option{Name: "offset.flush.timeout.ms", Var: &c.OffsetFlushTimeout, Default: "5000", Check: positive(&c.OffsetFlushTimeout), Doc: "How long one commit of offsets may take."},
		connect.Option{Name: "listeners", Var: &c.Listeners, Default: "http://:8083", Doc: "Listeners of the REST API."},
		connect.Option{Name: "rest.advertised.host.name", Var: &c.AdvertisedHost, NoDefault: true, Doc: "Host at which other workers reach this one, and of worker_id."},
		connect.Option{Name: "rest.advertised.port", Var: &c.AdvertisedPort, NoDefault: true, Check: portNumber(&c.AdvertisedPort), Doc: "Port at which other workers reach this one, and of worker_id."},
		connect.Option{Name: "rest.advertised.listener", Var: &c.AdvertisedListener, NoDefault: true, OneOf: []string{"http", "https"}, Doc: "Protocol by which other workers reach this one."},
	)
	d.Add(
		connect.Option{Name: "topic.tracking.enable", Var: &o.topicTracking, Default: "true", Doc: "Whether the topics that connectors use are noted."},
		connect.Option{Name: "topic.tracking.allow.reset", Var: &o.topicReset, Default: "true", Doc: "Whether users may empty the list of a connector's topics."},
		connect.Option{Name: "auto.restart.enable", Var: &o.autoRestart, Default: "true", Doc: "Whether what has failed is restarted by itself."},
	)
	d.Add(
		connect.Option{Name: overridePolicyProperty, Var: &c.OverridePolicy, Default: "All", Check: o.checkOverridePolicy,
			Doc: "Which settings of Kafka clients connectors may override: All, None, Principal, or Allowlist."},
		connect.Option{Name: overridePolicyAllowlist, Var: &c.OverrideAllowlist, Doc: "Settings, without producer.override. and the like, that Allowlist allows."},
		connect.Option{Name: "topic.creation.enable", Var: &o.topicCreation, Default: "true", Doc: "Whether topics of sources are created as their topic.creation.* options say."},
	)
	o.defineTopics(d)
	o.defineGroup(d)
	o.defineOwn(d)
	o.defineRefused(d)
	d.Ignore("key.converter.*", "value.converter.*", "header.converter.*", "plugin.path", "plugin.discovery", "metrics.*", "metric.reporters",
		"inter.worker.key.size",
		"internal.*", "config.providers.*", "offset.storage.file.filename")
}

func (o *workerOptions) defineTopics(d *connect.Def) {
	c := &o.cfg
	for i, t := range []struct {
		name   string
		target *InternalTopic
		def    string
	}{{"config", &c.ConfigTopic, "connect-configs"}, {"offset", &c.OffsetTopic, "connect-offsets"}, {"status", &c.StatusTopic, "connect-status"},
		{"sink.state", &c.SinkStateTopic, "connect-sink-state"}} {
		d.Add(connect.Option{Name: t.name + ".storage.topic", Var: &t.target.Name, Default: t.def, Check: topicName(&t.target.Name), Doc: "Topic of the " + t.name + "s."},
			connect.Option{Name: t.name + ".storage.replication.factor", Var: &o.replication[i], Default: "-1", Check: replication(&o.replication[i]), Doc: "Replicas when the topic is created; -1: the cluster's default."})
	}
	d.Ignore(storageSettings()...) // takeSettings reads them
	d.Add(connect.Option{Name: "offset.storage.partitions", Var: &o.offsetPartitions, Default: "25", Check: atLeast(&o.offsetPartitions, 1), Doc: "Partitions when the topic is created."},
		connect.Option{Name: "status.storage.partitions", Var: &o.statusPartitions, Default: "5", Check: atLeast(&o.statusPartitions, 1), Doc: "Partitions when the topic is created."})
}

// defineRefused declares what must not be ignored silently.
func (o *workerOptions) defineRefused(d *connect.Def) {
	d.Add(
		connect.Option{Name: "exactly.once.source.support", Var: &o.cfg.ExactlyOnceSource, NoDefault: true, OneOf: []string{ExactlyOnceDisabled, ExactlyOncePreparing, ExactlyOnceEnabled},
			Doc: "Whether sources write records and offsets in transactions (KIP-618): enabled by default on the embedded log, disabled on an external cluster."},
		connect.Option{Name: "exactly.once.sink.support", Var: &o.cfg.ExactlyOnceSink, Default: ExactlyOnceEnabled, OneOf: []string{ExactlyOnceDisabled, ExactlyOnceEnabled},
			Doc: "Whether sinks that can (S3) commit their output and their consumer offsets in transactions (KIP-447). It needs the right to write to the transactional ids <group.id>-<connector>-<task>-sink."},
		connect.Option{Name: "config.providers", Var: &o.providers, Doc: "Names of providers for ${name:path:key} in configs; config.providers.<name>.class and .param.* belong to each."},
		connect.Option{Name: "rest.extension.classes", Var: &o.restExtensions, Check: notAvailable(func() bool { return len(o.restExtensions) > 0 }, "REST extensions"), Doc: "Not available in this version."},
	)
}

func portNumber(v *int) func() error {
	return func() error {
		if *v < 1 || *v > 1<<16-1 {
			return errors.New("Value must be between 1 and 65535")
		}
		return nil
	}
}

func topicName(v *string) func() error {
	return func() error {
		if !validTopic(*v) {
			return errTopicName
		}
		return nil
	}
}

func replication(v *int16) func() error {
	return func() error {
		if *v == 0 || *v < -1 {
			return errors.New("Value must be -1 or at least 1")
		}
		return nil
	}
}

func (o *workerOptions) config(properties map[string]string) (Config, error) {
	c := o.cfg
	c.TopicCreationDisabled = !o.topicCreation
	c.TopicTrackingDisabled, c.TopicResetDisabled, c.AutoRestartDisabled = !o.topicTracking, !o.topicReset, !o.autoRestart
	for i, t := range []*InternalTopic{&c.ConfigTopic, &c.OffsetTopic, &c.StatusTopic, &c.SinkStateTopic} {
		t.ReplicationFactor = o.replication[i]
		t.Settings = takeSettings(properties, storageTopics[i])
	}
	c.ConfigTopic.Partitions, c.OffsetTopic.Partitions, c.StatusTopic.Partitions = 1, int32(o.offsetPartitions), int32(o.statusPartitions)
	c.SinkStateTopic.Partitions = 1
	c.KeyConverter.Settings, c.ValueConverter.Settings, c.HeaderConverter.Settings = properties, properties, properties
	if c.Group.MaxDelay == 0 {
		c.Group.MaxDelay = -1 // the zero value means the default
	}
	id, err := o.workerID()
	c.WorkerID = id
	return c, errors.Join(err, o.clients(&c, properties))
}

// workerID is the advertised host:port: what is set, else the first listener.
func (o *workerOptions) workerID() (string, error) {
	host, port := o.cfg.AdvertisedHost, o.cfg.AdvertisedPort
	if len(o.cfg.Listeners) > 0 {
		u, err := url.Parse(o.cfg.Listeners[0])
		if err != nil || u.Scheme != "http" {
			return "", fmt.Errorf("Invalid value %s for configuration listeners: give http://HOST:PORT; https is not available in this version", connect.WithoutUserInfo(o.cfg.Listeners[0]))
		}
		if host == "" {
			host = u.Hostname()
		}
		if port == 0 && u.Port() != "" {
			_, _ = fmt.Sscan(u.Port(), &port)
		}
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	if port == 0 {
		port = 8083
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", host, port), nil
}
