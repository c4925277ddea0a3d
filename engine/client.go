package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/dialpause"
)

// storeTimeout bounds a change of the state: produced and read back.
const storeTimeout = 30 * time.Second

// Keys of log attributes.
const (
	logConnector = "connector"
	logTask      = "task"
	logTopic     = "topic"
	logPartition = "partition"
	logOffset    = "offset"
	logAttempt   = "attempt"
	logError     = "error"
)

// metadataMinAge is how often a client may ask for the cluster's topics.
const metadataMinAge = 250 * time.Millisecond

// clientOpts are the options of every client, those of its kind, then its own.
func (c *Config) clientOpts(kind clientKind, clientID string, more ...kgo.Opt) []kgo.Opt {
	opts := c.commonOpts(clientID)
	if len(c.BootstrapServers) > 0 {
		opts = append(opts, kgo.SeedBrokers(c.BootstrapServers...))
	}
	opts = append(opts, c.ClientOpts...)
	switch kind {
	case workerClient:
		opts = append(opts, c.WorkerOpts...)
	case producerClient:
		opts = append(opts, c.ProducerOpts...)
	case consumerClient:
		opts = append(opts, c.ConsumerOpts...)
	case adminClient:
		opts = append(opts, c.AdminOpts...)
	}
	return append(opts, more...)
}

// commonOpts are the options of every client, whatever its cluster.
func (c *Config) commonOpts(clientID string) []kgo.Opt {
	return []kgo.Opt{kgo.ClientID(clientID), kgo.WithLogger(kgoLogger{c.Logger}), kgo.MetadataMinAge(metadataMinAge), kgo.DisableClientMetrics(),
		dialpause.Opt()}
}

// openAdmin returns the client that a task creates topics with, and what closes
// it: the worker's, or one of the task's own for admin.override settings. Topics are
// created where the task's producer writes to them, unless admin.override names the
// cluster itself.
func (t *task) openAdmin() (admin *kadm.Client, closeAdmin func(), err error) {
	a, err := t.access(adminClient)
	if err != nil {
		return nil, nil, err
	}
	if len(a.bootstrap) == 0 {
		writes, err := t.access(producerClient)
		if err != nil {
			return nil, nil, err
		}
		if len(writes.bootstrap) > 0 {
			writes.settings = a.settings
			if a.own {
				writes.security = a.security
			}
			a = writes
		}
	}
	if !a.own && len(a.settings) == 0 {
		return t.stores.admin, func() {}, nil
	}
	client, err := kgo.NewClient(a.clientOpts(fmt.Sprintf("connector-adminclient-%s-%d", t.id.Connector, t.id.Task), a.settings...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("make the client that creates topics: %w", err)
	}
	return kadm.NewClient(client), client.Close, nil
}

// kgoLogger passes the warnings of a client on at debug level: the engine logs
// what matters to a user itself, once for each change of state.
type kgoLogger struct{ logger *slog.Logger }

func (l kgoLogger) Level() kgo.LogLevel {
	if l.logger.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelWarn
	}
	return kgo.LogLevelNone
}

func (l kgoLogger) Log(_ kgo.LogLevel, msg string, keyvals ...any) {
	l.logger.Debug("kafka client: "+msg, keyvals...)
}

// errPermanent marks what no retry can help.
var errPermanent = errors.New("the internal topic cannot be used")

// prepareTopics creates the internal topics that are missing and refuses those
// that would lose state.
func (c *Config) prepareTopics(ctx context.Context, admin *kadm.Client) error {
	for _, t := range []InternalTopic{c.ConfigTopic, c.OffsetTopic, c.StatusTopic} {
		if err := prepareTopic(ctx, admin, t); err != nil {
			return err
		}
	}
	return c.checkConfigTopic(ctx, admin)
}

func prepareTopic(ctx context.Context, admin *kadm.Client, t InternalTopic) error {
	err := t.create(ctx, admin)
	if err == nil {
		return nil
	}
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", t.Name, err)
	}
	return checkCompacted(ctx, admin, t.Name)
}

// checkCompacted refuses a topic that would forget state after a while. A
// cluster that does not tell a topic's config is trusted.
func checkCompacted(ctx context.Context, admin *kadm.Client, topic string) error {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", topic, err)
	}
	for _, rc := range configs {
		for _, kv := range rc.Configs {
			if kv.Key == "cleanup.policy" && kv.Value != nil && *kv.Value != "compact" {
				return fmt.Errorf("%w: %s has cleanup.policy=%s; set it to compact, or name another topic", errPermanent, topic, *kv.Value)
			}
		}
	}
	return nil
}

func (c *Config) checkConfigTopic(ctx context.Context, admin *kadm.Client) error {
	topics, err := admin.ListTopics(ctx, c.ConfigTopic.Name)
	if err != nil {
		return fmt.Errorf("look up topic %s: %w", c.ConfigTopic.Name, err)
	}
	if n := len(topics[c.ConfigTopic.Name].Partitions); n > 1 {
		return fmt.Errorf("%w: the config topic %s has %d partitions and must have 1", errPermanent, c.ConfigTopic.Name, n)
	}
	return nil
}
