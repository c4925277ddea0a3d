package engine

import (
	"errors"
	"fmt"
	"maps"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/clientconfig"
)

// clientKinds are the kinds of clients whose properties have a prefix.
var clientKinds = []clientKind{producerClient, consumerClient, adminClient}

func (k clientKind) propertyPrefix() string { return string(k) + "." }

// clients reads how the clients of each kind reach the cluster, and what else the
// worker's properties say of them.
func (o *workerOptions) clients(c *Config, properties map[string]string) error {
	own, err := o.client.Opts()
	if err != nil {
		return err
	}
	c.WorkerOpts = append(own, o.own.opts()...)
	var errs []error
	for _, kind := range clientKinds {
		opts := own
		s, err := clientconfig.Prefixed(properties, kind.propertyPrefix())
		if s != nil {
			opts, err = s.Opts()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("properties of %s*: %w", kind.propertyPrefix(), err))
		}
		*c.optsOf(kind) = opts
		settings, err := kind.settings(properties)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(c.BootstrapServers) > 0 { // otherwise they are those of the embedded log's listeners
			given, _ := clientconfig.Given(properties, kind.propertyPrefix())
			maps.Copy(settings, given)
		}
		*c.Clients.at(kind) = settings
	}
	return errors.Join(errs...)
}

// optsOf is the field with the options of a kind.
func (c *Config) optsOf(kind clientKind) *[]kgo.Opt {
	switch kind {
	case producerClient:
		return &c.ProducerOpts
	case consumerClient:
		return &c.ConsumerOpts
	}
	return &c.AdminOpts
}

// settings returns what the worker's properties say of a kind's clients, once it is
// right.
func (k clientKind) settings(properties map[string]string) (map[string]string, error) {
	s := clientSettings{kind: k}
	var d connect.Def
	given := map[string]string{}
	for _, option := range s.options() {
		if value, ok := properties[k.propertyPrefix()+option.Name]; ok {
			given[option.Name] = value
		}
		d.Add(option)
	}
	if err := connect.Err(d.Parse(given)); err != nil {
		return nil, fmt.Errorf("properties of %s*: %w", k.propertyPrefix(), err)
	}
	return given, nil
}

// defineOwn declares the properties of the worker's own clients.
func (o *workerOptions) defineOwn(d *connect.Def) {
	o.own.kind = workerClient
	d.Add(o.own.options()...)
	o.client.Define(d, "")
}

// defineClients declares the properties of connectors' clients, for their names.
func defineClients(d *connect.Def) {
	for _, kind := range clientKinds {
		var security clientconfig.Settings
		security.Define(d, kind.propertyPrefix())
		s := clientSettings{kind: kind}
		for _, option := range s.options() {
			option.Name = kind.propertyPrefix() + option.Name
			d.Add(option)
		}
	}
}
