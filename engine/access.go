package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// accessOptions declare which cluster a connector's client goes to and as whom.
func (s *clientSettings) accessOptions() []connect.Option {
	return append([]connect.Option{
		{Name: "bootstrap.servers", Var: &s.bootstrap, NoDefault: true, Check: s.checkBootstrap, Doc: "Brokers of another cluster than the worker's."},
	}, s.security.Options()...)
}

func (s *clientSettings) checkBootstrap() error {
	for _, address := range s.bootstrap {
		if host, port, ok := strings.Cut(address, ":"); !ok || host == "" || port == "" {
			return fmt.Errorf("%q is not HOST:PORT", address)
		}
	}
	return nil
}

// access is how clients of one kind get to their cluster.
type access struct {
	cfg  *Config
	kind clientKind
	// own: not as the worker's clients of the kind do. Then bootstrap has the brokers
	// of another cluster, if it is one, and security says as whom.
	own       bool
	bootstrap []string
	security  []kgo.Opt
	// settings are those of the client beside that.
	settings []kgo.Opt
}

// access returns how the connector's clients of the kind get to their cluster. An
// error names the option. Stores of keys are read.
func (s *clientSettings) access(cfg *Config) (access, error) {
	a := access{cfg: cfg, kind: s.kind, own: s.own, bootstrap: s.bootstrap, settings: s.opts()}
	if !s.own {
		return a, nil
	}
	if len(s.bootstrap) == 0 && len(cfg.BootstrapServers) == 0 {
		if s.security.Secured() {
			return a, errors.New("security.protocol: the worker reaches the embedded log in memory; give bootstrap.servers too, or remove this setting")
		}
		a.own = false // nothing that PLAINTEXT has a use for
		return a, nil
	}
	var err error
	a.security, err = s.security.Opts()
	return a, err
}

// other tells whether the cluster is named apart from the worker's.
func (a *access) other() bool {
	return len(a.bootstrap) > 0 && !sameBrokers(a.bootstrap, a.cfg.BootstrapServers)
}

func sameBrokers(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// clientOpts are the options of a client that goes there.
func (a *access) clientOpts(clientID string, more ...kgo.Opt) []kgo.Opt {
	if !a.own {
		return a.cfg.clientOpts(a.kind, clientID, more...)
	}
	opts := a.cfg.commonOpts(clientID)
	if len(a.bootstrap) > 0 {
		opts = append(opts, kgo.SeedBrokers(a.bootstrap...)) // not with the dialer of the worker's cluster
	} else {
		opts = append(append(opts, kgo.SeedBrokers(a.cfg.BootstrapServers...)), a.cfg.ClientOpts...)
	}
	return append(append(opts, a.security...), more...)
}

// access is how the task's clients of a kind get to their cluster.
func (t *task) access(kind clientKind) (access, error) {
	a, err := t.def.options.client(kind).access(t.cfg)
	if err != nil {
		err = fmt.Errorf("%s%w", kind.overridePrefix(), err)
	}
	return a, err
}

// access reads from a connector's config how its clients of a kind get to their
// cluster. None of the plugin's code runs.
func (p *plugins) access(cfg *Config, config map[string]string, kind clientKind) (access, error) {
	var s clientSettings
	var d connect.Def
	settings := p.providers.resolve(config).settings
	s.read(kind, &d, settings, p.clients.of(kind))
	err := connect.Err(d.Parse(settings))
	if err != nil {
		return access{}, fmt.Errorf("read the config of the connector's %s: %w", kind, err)
	}
	a, err := s.access(cfg)
	if err != nil {
		err = fmt.Errorf("%s%w", kind.overridePrefix(), err)
	}
	return a, err
}

// kafkaCluster is where a connector's records are, seen by what looks after its state:
// the worker's cluster, or another one.
type kafkaCluster struct {
	access access
	client *kgo.Client
	admin  *kadm.Client
	other  bool // not the worker's
}

// cluster opens the cluster that an access leads to; close ends what that took.
// Whether two addresses are of one cluster is asked of it: a copy of an offset in
// the topic that it was copied from would take it back.
func (s *stores) cluster(ctx context.Context, a access, name string) (c *kafkaCluster, err error) {
	if !a.own {
		return s.home, nil
	}
	client, err := kgo.NewClient(a.clientOpts("connector-worker-"+name,
		slices.Concat(a.settings, []kgo.Opt{kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression())})...)...)
	if err != nil {
		return nil, fmt.Errorf("make the kafka client of the connector's cluster: %w", err)
	}
	c = &kafkaCluster{access: a, client: client, admin: kadm.NewClient(client)}
	defer func() {
		if err != nil {
			client.Close()
		}
	}()
	if !a.other() {
		return c, nil
	}
	c.other, err = s.isOther(ctx, c)
	return c, err
}

func (s *stores) isOther(ctx context.Context, c *kafkaCluster) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	theirs, err := c.admin.BrokerMetadata(ctx)
	if err != nil {
		return false, passingError("ask the cluster at "+strings.Join(c.access.bootstrap, ",")+" who it is", err)
	}
	ours, err := s.admin.BrokerMetadata(ctx)
	if err != nil {
		return false, passingError("ask the worker's cluster who it is", err)
	}
	return theirs.Cluster != ours.Cluster || theirs.Cluster == "", nil
}

// close closes what is not the worker's own.
func (c *kafkaCluster) close() {
	if c != nil && c.access.own {
		c.client.Close()
	}
}

// sourceCluster opens the cluster that a source's tasks write to.
func (s *stores) sourceCluster(ctx context.Context, name string, config map[string]string) (*kafkaCluster, error) {
	a, err := s.plugins.access(s.cfg, config, producerClient)
	if err != nil {
		return nil, err
	}
	return s.cluster(ctx, a, name)
}

// sinkCluster opens the cluster that a sink's tasks read from and commit to. In the
// worker's own cluster the worker looks after that itself, whoever the consumer is.
func (s *stores) sinkCluster(ctx context.Context, name string, config map[string]string) (*kafkaCluster, error) {
	a, err := s.plugins.access(s.cfg, config, consumerClient)
	if err != nil {
		return nil, err
	}
	return s.forSink(ctx, a, name)
}

func (s *stores) forSink(ctx context.Context, a access, name string) (*kafkaCluster, error) {
	if !a.other() {
		return s.home, nil
	}
	return s.cluster(ctx, a, name)
}

// openCluster opens the cluster that the task's clients of a kind go to.
func (t *task) openCluster(kind clientKind) (c *kafkaCluster, err error) {
	a, err := t.access(kind)
	if err != nil {
		return nil, err
	}
	open := t.stores.cluster
	if kind == consumerClient {
		open = t.stores.forSink
	}
	err = t.retryForever(t.stop, "reach the connector's cluster", func() (err error) {
		c, err = open(t.stop, a, t.id.Connector)
		return err
	})
	return c, err
}
