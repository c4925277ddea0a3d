package engine

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/loglevel"
	"github.com/sluice-data/sluice/internal/metrics"
)

// Version is the version of Kafka Connect whose REST API the worker speaks.
// Clients choose what they use by it.
const Version = "4.1.0"

// Commit stands where Kafka tells the commit it was built from.
const Commit = "sluice"

// Config configures a Worker. The zero value of a field means its default.
type Config struct {
	// BootstrapServers are the addresses of the cluster. They may be empty when
	// ClientOpts leads to it.
	BootstrapServers []string
	// ClientOpts are given to every Kafka client of the worker and its tasks,
	// after BootstrapServers: seeds, a dialer.
	ClientOpts []kgo.Opt
	// WorkerOpts, ProducerOpts, ConsumerOpts and AdminOpts are given, after ClientOpts,
	// to the worker's own clients and to those that write, read and look after topics
	// for connectors.
	WorkerOpts, ProducerOpts, ConsumerOpts, AdminOpts []kgo.Opt
	// GroupID is the worker's group.id; "sluice" by default.
	GroupID string
	// WorkerID is shown as worker_id: the advertised host:port of the REST API.
	WorkerID string
	// Listeners are the REST listeners that the properties name. The engine does
	// not listen; they are for whoever serves the REST API.
	Listeners []string

	ConfigTopic InternalTopic // connect-configs, 1 partition always
	OffsetTopic InternalTopic // connect-offsets, 25 partitions
	StatusTopic InternalTopic // connect-status, 5 partitions
	// SinkStateTopic is made with the first two-phase sink: connect-sink-state, 1
	// partition, since every commit of such a sink ends a transaction in all that
	// it wrote to.
	SinkStateTopic InternalTopic

	KeyConverter    ConverterConfig
	ValueConverter  ConverterConfig
	HeaderConverter ConverterConfig
	// RegistryURL is the schema registry of converters that name none.
	RegistryURL string

	// AdvertisedHost, AdvertisedPort and AdvertisedListener are rest.advertised.*:
	// what WorkerID and Group.URL should be made of, for whoever serves the REST API.
	// Zero values mean that its listener says it.
	AdvertisedHost     string
	AdvertisedPort     int
	AdvertisedListener string // http or https

	// Group is how the worker shares its group.id; by default it is alone.
	Group GroupConfig

	// Plugins are the connectors that can be run.
	Plugins []connect.Spec

	// Clients are settings of the Kafka clients of tasks.
	Clients ClientSettings
	// OverridePolicy says which of them a connector may have of its own, with
	// Kafka's names: All by default, None, Principal, or Allowlist with the settings
	// in OverrideAllowlist.
	OverridePolicy    string
	OverrideAllowlist []string

	// TopicCreationDisabled leaves the creation of source connectors' topics to the
	// cluster, whatever their configs say (topic.creation.enable=false).
	TopicCreationDisabled bool

	// ConfigProviders resolve references in connector configs.
	ConfigProviders []ProviderConfig
	// ReloadInterval is how often the values of references are compared with those
	// that a connector runs with; 10 s by default (config.action.reload).
	ReloadInterval time.Duration

	// ExactlyOnceSource is exactly.once.source.support: Disabled by default.
	ExactlyOnceSource string
	// ExactlyOnceSink is exactly.once.sink.support: Enabled by default. It is about
	// sinks that are a connect.TwoPhase.
	ExactlyOnceSink string

	// OffsetFlushInterval is how often the consumer offsets of a sink are
	// committed that is not a connect.Flusher; 60 s by default.
	OffsetFlushInterval time.Duration
	// OffsetFlushTimeout bounds one commit of offsets; 5 s by default.
	OffsetFlushTimeout time.Duration
	// TaskShutdownTimeout is how long a task may take to stop before it is
	// abandoned; 5 s by default.
	TaskShutdownTimeout time.Duration

	// TopicTrackingDisabled keeps the topics that connectors use from being noted
	// (topic.tracking.enable=false); TopicResetDisabled keeps users from emptying
	// the list (topic.tracking.allow.reset=false).
	TopicTrackingDisabled, TopicResetDisabled bool

	// AutoRestartDisabled leaves failed connectors and tasks as they are, unless
	// their config says otherwise (auto.restart.enable=false).
	AutoRestartDisabled bool

	// Metrics gets the metrics of connectors and tasks; nil: nobody asks for them.
	Metrics *metrics.Registry

	// Levels are the levels that Logger logs at, by logger; they are what the
	// REST API shows and changes. nil: those of Logger's handler, if it has some.
	Levels *loglevel.Levels
	// Logger takes the log; nil discards it.
	Logger *slog.Logger
}

// InternalTopic is one of the topics that the worker keeps its state in.
type InternalTopic struct {
	Name       string
	Partitions int32
	// ReplicationFactor is for creating the topic; -1, the default, leaves it to
	// the cluster.
	ReplicationFactor int16
	// Settings of the topic, such as min.insync.replicas, for creating it.
	Settings map[string]string
}

// ConverterConfig is a converter's class and its settings under their full
// names, such as key.converter.schemas.enable.
type ConverterConfig struct {
	Class    string // empty: the default of package convert
	Settings map[string]string
}

// The values of Config.ExactlyOnceSource (KIP-618), and but for preparing of
// Config.ExactlyOnceSink. Preparing is for the workers of
// a cluster that are about to be enabled: here it is the same as disabled.
const (
	ExactlyOnceDisabled  = "disabled"
	ExactlyOncePreparing = "preparing"
	ExactlyOnceEnabled   = "enabled"
)

func (c Config) withDefaults() Config {
	setDefault(&c.GroupID, "sluice")
	setDefault(&c.WorkerID, "127.0.0.1:8083")
	c.ConfigTopic.setDefaults("connect-configs", 1)
	c.OffsetTopic.setDefaults("connect-offsets", 25)
	c.StatusTopic.setDefaults("connect-status", 5)
	c.SinkStateTopic.setDefaults("connect-sink-state", 1)
	setDefault(&c.ExactlyOnceSource, ExactlyOnceDisabled)
	setDefault(&c.OverridePolicy, "All")
	setDefault(&c.ExactlyOnceSink, ExactlyOnceEnabled)
	setDefault(&c.ReloadInterval, 10*time.Second)
	setDefault(&c.OffsetFlushInterval, time.Minute)
	setDefault(&c.OffsetFlushTimeout, 5*time.Second)
	setDefault(&c.TaskShutdownTimeout, 5*time.Second)
	c.Group.setDefaults()
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Levels == nil {
		c.Levels = loglevel.Of(c.Logger)
	}
	if c.Levels == nil {
		c.Levels = loglevel.New(slog.LevelInfo)
	}
	return c
}

func (t *InternalTopic) setDefaults(name string, partitions int32) {
	setDefault(&t.Name, name)
	setDefault(&t.Partitions, partitions)
	setDefault(&t.ReplicationFactor, -1)
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// validate returns everything that is wrong with c, which has its defaults.
func (c *Config) validate() error {
	var errs []error
	if c.ConfigTopic.Partitions != 1 {
		errs = append(errs, fmt.Errorf("config topic %s: it must have 1 partition", c.ConfigTopic.Name))
	}
	names := map[string]bool{c.ConfigTopic.Name: true, c.OffsetTopic.Name: true, c.StatusTopic.Name: true, c.SinkStateTopic.Name: true}
	if len(names) != 4 {
		errs = append(errs, errors.New("config, offset, status and sink state topic: their names must differ"))
	}
	if len(c.ClientOpts) == 0 && len(c.BootstrapServers) == 0 {
		errs = append(errs, errors.New("bootstrap.servers: name at least one broker"))
	}
	errs = append(errs, c.Group.validate())
	return errors.Join(errs...)
}
