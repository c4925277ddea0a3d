package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/clientconfig"
)

// The prefixes of properties that are for one kind of client.
const (
	producerPrefix = "producer."
	consumerPrefix = "consumer."
	adminPrefix    = "admin."
)

var clientPrefixes = []string{producerPrefix, consumerPrefix, adminPrefix}

// clients reads how the clients of each kind reach the cluster, and the worker's
// defaults of what connectors can override.
func (o *workerOptions) clients(c *Config, properties map[string]string) error {
	var errs []error
	opts := func(prefix string) []kgo.Opt {
		s, err := clientconfig.Prefixed(properties, prefix)
		if s == nil {
			errs = append(errs, err)
			return c.WorkerOpts
		}
		own, err := s.Opts()
		if err != nil {
			errs = append(errs, fmt.Errorf("properties of %s*: %w", prefix, err))
		}
		return own
	}
	var err error
	if c.WorkerOpts, err = o.client.Opts(); err != nil {
		return err
	}
	c.ProducerOpts, c.ConsumerOpts = opts(producerPrefix), opts(consumerPrefix)
	for _, name := range clientconfig.Names() {
		if own, ok := properties[adminPrefix+name]; ok && own != properties[name] {
			errs = append(errs, fmt.Errorf("%s%s: topics and groups are looked after by the worker's own client; give %s instead", adminPrefix, name, name))
		}
	}
	c.ClientDefaults, err = clientDefaults(properties)
	return errors.Join(append(errs, err)...)
}

// clientDefaultNames are the properties that are defaults of connectors' overrides.
func clientDefaultNames() []string {
	var names []string
	for _, option := range overrides(&connectorOptions{}).Options() {
		names = append(names, strings.Replace(option.Name, ".override.", ".", 1))
	}
	return names
}

// overrides has the options by which connectors change their clients.
func overrides(o *connectorOptions) *connect.Def {
	var source, sink, d connect.Def
	o.defineSource(&source)
	o.defineSink(&sink)
	for _, option := range slices.Concat(source.Options(), sink.Options()) {
		// A group is a connector's own.
		if strings.Contains(option.Name, ".override.") && option.Name != "consumer.override.group.id" {
			d.Add(option)
		}
	}
	return &d
}

// clientDefaults reads producer.linger.ms and its like as what connectors' options
// producer.override.linger.ms are by default.
func clientDefaults(properties map[string]string) (map[string]string, error) {
	defaults := map[string]string{}
	d := overrides(&connectorOptions{})
	for _, option := range d.Options() {
		if value, ok := properties[strings.Replace(option.Name, ".override.", ".", 1)]; ok {
			defaults[option.Name] = value
		}
	}
	if err := connect.Err(d.Parse(defaults)); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), ".override.", "."))
	}
	return defaults, nil
}
