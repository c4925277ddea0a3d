package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/log/security"
	"github.com/sluice-data/sluice/schemaregistry"
	registryrest "github.com/sluice-data/sluice/schemaregistry/rest"
)

// registryPrefix stands before the schema registry's properties, which have Confluent's names behind it.
const registryPrefix = "registry."

const (
	registryListeners  = registryPrefix + "listeners"
	registryTLSPrefix  = registryListeners + ".https."
	registryAccessFile = registryPrefix + "access.file"
)

// registryConfig is how schemas are served.
type registryConfig struct {
	tls        *security.TLSOptions // nil: plain HTTP
	accessFile string               // empty: everybody may do everything
	url        string               // of a registry elsewhere; empty: the one of this process
	settings   schemaregistry.Settings
	options    registryrest.Options
}

// takeRegistry moves the schema registry's properties out of the worker's. flag tells that the address was given on the command line.
func (c *Config) takeRegistry(flag bool) error {
	if err := c.takeRegistryListener(flag); err != nil {
		return err
	}
	own := make(map[string]string)
	for key, value := range c.Properties {
		if name, ok := strings.CutPrefix(key, registryPrefix); ok {
			own[name] = value
		}
	}
	maps.DeleteFunc(c.Properties, func(key, _ string) bool { return strings.HasPrefix(key, registryPrefix) })
	var d connect.Def
	level, mutable, shape, factor := "", true, 8, 0
	r := &c.registry
	d.Add(
		connect.Option{Name: "url", Var: &r.url, Doc: "A schema registry to use instead of the one of this process."},
		connect.Option{Name: "access.file", Var: &r.accessFile, Doc: "A file with the users of the registry and their roles; without one everybody may do everything."},
		connect.Option{Name: "kafkastore.topic", Var: &r.settings.Topic, Doc: "The topic with the schemas, _schemas when it is not set."},
		connect.Option{Name: "kafkastore.topic.replication.factor", Var: &factor, Default: "0", Doc: "Its replicas when it is created; 0 leaves it to the cluster."},
		connect.Option{Name: "schema.compatibility.level", Var: &level, Doc: "The compatibility where none is configured, backward when it is not set."},
		connect.Option{Name: "mode.mutability", Var: &mutable, Default: "true", Doc: "Whether modes can be changed."},
		connect.Option{Name: "response.version", Var: &shape, Default: "8", Doc: "Answers in the shapes of Confluent's release 7 or 8."},
		connect.Option{Name: "incompatible.error.code", Var: &r.options.IncompatibleCode, Default: "0", Doc: "409, which is also what 0 means, or 40901 as Confluent's registry from 8.2 on."},
	)
	if err := connect.Err(d.Parse(own)); err != nil {
		return fmt.Errorf("%s*: %w", registryPrefix, err)
	}
	if level != "" {
		var err error
		if r.settings.Level, err = schemaregistry.ParseCompatibility(level); err != nil {
			return fmt.Errorf("%sschema.compatibility.level: %w", registryPrefix, err)
		}
	}
	r.settings.ReplicationFactor, r.settings.FixedModes, r.options.Legacy = int16(factor), !mutable, shape < 8
	return r.check()
}

// takeRegistryListener moves the address of the registry and its TLS out of the worker's properties. The flag wins over the property, as
// those of the other listeners do.
func (c *Config) takeRegistryListener(flag bool) error {
	urls := splitList(c.Properties[registryListeners])
	delete(c.Properties, registryListeners)
	https := false
	if len(urls) > 0 && !flag {
		u, err := parseHTTPListener(registryListeners, urls)
		if err != nil {
			return err
		}
		c.Registry, https = u.Host, u.Scheme == "https"
	}
	var err error
	c.registry.tls, err = c.takeTLS(registryListeners, registryTLSPrefix, https)
	return err
}

func (r *registryConfig) scheme() string {
	if r.tls != nil {
		return "https"
	}
	return "http"
}

func (r *registryConfig) check() error {
	if r.options.IncompatibleCode != 0 && r.options.IncompatibleCode != 409 && r.options.IncompatibleCode != 40901 {
		return errors.New(registryPrefix + "incompatible.error.code: must be 409 or 40901")
	}
	if r.url == "" {
		return nil
	}
	if u, err := url.Parse(r.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--registry-url %s: want http://HOST:PORT or https://HOST:PORT", connect.WithoutUserInfo(r.url))
	}
	return nil
}

// registryServer serves the schemas of the worker's log until it is stopped.
type registryServer struct {
	http *httpServer
	stop context.CancelFunc
	done chan struct{} // closed when the registry has ended
	err  error         // why; read it after done
}

// startRegistry returns nil when the registry is elsewhere.
func (m *Main) startRegistry(worker engine.Config, ln net.Listener) (*registryServer, error) {
	if ln == nil {
		return nil, nil
	}
	address := ln.Addr().String()
	ln, err := withTLS(ln, m.cfg.registry.tls, registryTLSPrefix, m.logger)
	if err != nil {
		return nil, err
	}
	s := m.cfg.registry.settings
	s.ClientOpts = append([]kgo.Opt{kgo.SeedBrokers(worker.BootstrapServers...)}, worker.ClientOpts...)
	s.Providers = schemaregistry.Providers()
	s.Logger = m.logger
	reg := schemaregistry.New(s)
	o := m.cfg.registry.options
	o.Version, o.Metrics = engine.Version, m.metrics
	h := registryrest.New(reg, o)
	if file := m.cfg.registry.accessFile; file != "" {
		if h, err = registryrest.Guard(h, file, m.logger); err != nil {
			return nil, fmt.Errorf("%s: %w", registryAccessFile, err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &registryServer{http: serveHTTP(ln, h, m.logger), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if err := reg.Run(ctx); err != nil {
			r.err = fmt.Errorf("schema registry: %w", err)
		}
	}()
	m.logger.Info("schemas are served", slog.String("address", address), slog.String("topic", s.Topic))
	return r, nil
}

// shutdown lets requests in progress end, then the registry.
func (r *registryServer) shutdown() {
	if r == nil {
		return
	}
	r.http.shutdown()
	r.stop()
	<-r.done
}

// ended is closed when the registry has ended by itself; nil when there is none.
func (r *registryServer) ended() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.done
}
