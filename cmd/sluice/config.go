package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"strings"

	"github.com/sluice-data/sluice/internal/javaprops"
	"github.com/sluice-data/sluice/internal/loglevel"
	"github.com/sluice-data/sluice/log/broker"
)

// The addresses that are listened on when none are given: loopback, and the
// ports that users know from Kafka, Kafka Connect and the Schema Registry.
const (
	defaultREST     = "127.0.0.1:8083"
	defaultKafka    = "127.0.0.1:9092"
	defaultRegistry = "127.0.0.1:8081"
	defaultDataDir  = "./sluice-data"
)

// Config configures a Main.
type Config struct {
	// DataDir holds the log and addresses.json.
	DataDir string
	// REST, Kafka and Registry are the addresses to listen on, as host:port. Port
	// 0 picks a free one. Kafka is used with the embedded log only.
	REST, Kafka, Registry string
	// BootstrapServers is a Kafka cluster to work on. Empty: the embedded log.
	BootstrapServers []string
	// Properties are the worker's other properties, under Kafka Connect's names.
	Properties map[string]string
	// broker is how Kafka clients reach the embedded log. Without listeners there is one, Kafka, for everybody.
	broker   brokerConfig
	rest     restConfig
	registry registryConfig
	// Connectors are created or updated once the worker is ready.
	Connectors []connectorFile
}

// serverFlags are the flags of `sluice server` as they were given.
type serverFlags struct {
	config    string
	dataDir   string
	rest      string
	kafka     string
	registry  string
	url       string // of a registry elsewhere
	bootstrap string
	logs      logFlags
}

const serverUsage = `sluice server [flags] [connector file ...]

Runs the log, the worker and its REST API. A connector file is what POST
/connectors takes, a flat JSON object with a name, or properties; its connector is
created, or updated when it exists.

Worker properties have Kafka Connect's names. They come from --config, then the
environment (CONNECT_OFFSET_FLUSH_INTERVAL_MS is offset.flush.interval.ms), then
the flags, the later ones winning.`

func (f *serverFlags) define(p *program) *flag.FlagSet {
	fs := p.flags("server", serverUsage)
	fs.StringVar(&f.config, "config", "", "worker properties `file`")
	fs.StringVar(&f.dataDir, "data-dir", defaultDataDir, "`directory` of the log; made when missing")
	fs.StringVar(&f.rest, "rest", defaultREST, "`address` of the REST API; port 0 picks a free one")
	fs.StringVar(&f.kafka, "kafka", defaultKafka, "`address` of the embedded log's Kafka listener, in plaintext; the property listeners has more")
	fs.StringVar(&f.registry, "registry", defaultRegistry, "`address` of the schema registry; port 0 picks a free one")
	fs.StringVar(&f.url, "registry-url", "", "`URL` of a schema registry to use instead of the one of this process")
	fs.StringVar(&f.bootstrap, "bootstrap-servers", "", "`host:port,...` of a Kafka cluster to use instead of the embedded log")
	f.logs.define(fs)
	return fs
}

// load puts flags, environment and files together. given holds the names of the
// flags that are on the command line.
func (f *serverFlags) load(given map[string]bool, environ, files []string) (Config, error) {
	props := map[string]string{}
	if f.config != "" {
		text, err := readConfigFile(f.config)
		if err == nil {
			props, err = javaprops.Parse(text)
		}
		if err != nil {
			return Config{}, fmt.Errorf("--config: %w", err)
		}
	}
	maps.Copy(props, environProperties(environ))
	c := Config{DataDir: f.dataDir, REST: f.rest, Kafka: f.kafka, Registry: f.registry, Properties: props}
	kafka, err := c.takeListeners(given["rest"])
	if err != nil {
		return Config{}, err
	}
	if err := c.takeREST(); err != nil {
		return Config{}, err
	}
	if given["registry-url"] {
		props[registryPrefix+"url"] = f.url
	}
	if err := c.takeRegistry(given["registry"]); err != nil {
		return Config{}, err
	}
	if given["kafka"] {
		kafka = nil
	}
	servers := props["bootstrap.servers"]
	if given["bootstrap-servers"] {
		servers = f.bootstrap
	}
	delete(props, "bootstrap.servers")
	c.BootstrapServers = splitList(servers)
	if !c.external() {
		if c.broker, err = takeBroker(props, kafka); err != nil {
			return Config{}, err
		}
	}
	for _, path := range files {
		file, err := readConnectorFile(path)
		if err != nil {
			return Config{}, err
		}
		c.Connectors = append(c.Connectors, file)
	}
	return c, c.Validate()
}

// takeListeners takes the property listeners, which has two meanings: an http one
// is Kafka Connect's and goes to REST, unless the flag was given; the others are
// those of a Kafka broker and returned.
func (c *Config) takeListeners(flagGiven bool) (kafka []string, err error) {
	var http []string
	for _, s := range splitList(c.Properties["listeners"]) {
		if name, _, _ := strings.Cut(strings.ToLower(s), "://"); name == "http" || name == "https" || !strings.Contains(s, "://") {
			http = append(http, s)
		} else {
			kafka = append(kafka, s)
		}
	}
	delete(c.Properties, "listeners")
	if len(http) == 0 || flagGiven {
		return kafka, nil
	}
	u, err := parseHTTPListener("listeners", http)
	if err != nil {
		return nil, fmt.Errorf("%w, or use --rest HOST:PORT", err)
	}
	c.REST, c.rest.https = u.Host, u.Scheme == "https"
	return kafka, nil
}

// parseHTTPListener reads a property that lists one listener.
func parseHTTPListener(property string, list []string) (*url.URL, error) {
	u, err := url.Parse(list[0])
	if len(list) > 1 || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" {
		return nil, fmt.Errorf("%s: this version serves one listener of the form http://HOST:PORT or https://HOST:PORT; give that", property)
	}
	return u, nil
}

func splitList(text string) []string {
	var list []string
	for s := range strings.SplitSeq(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// Validate returns everything that is wrong with the addresses.
func (c *Config) Validate() error {
	var errs []error
	check := func(name, addr string) {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, fmt.Errorf("--%s %s: want host:port, such as 127.0.0.1:0 for a free port", name, addr))
		}
	}
	check("rest", c.REST)
	check("registry", c.Registry)
	if !c.external() {
		check("kafka", c.Kafka)
	}
	for _, server := range c.BootstrapServers {
		check("bootstrap-servers", server)
	}
	for _, prefix := range []string{"", "producer.", "consumer.", "admin."} {
		if v := c.Properties[prefix+"security.protocol"]; v != "" && v != "PLAINTEXT" && !c.external() {
			errs = append(errs, fmt.Errorf("%ssecurity.protocol=%s: the worker reaches the embedded log in memory; give bootstrap.servers too, or remove this", prefix, v))
		}
	}
	if c.DataDir == "" {
		errs = append(errs, errors.New("--data-dir: name a directory"))
	}
	return errors.Join(errs...)
}

// kafkaListeners are where Kafka clients reach the embedded log.
func (c *Config) kafkaListeners() []kafkaListener {
	if len(c.broker.listeners) > 0 {
		return c.broker.listeners
	}
	return []kafkaListener{{addr: c.Kafka, Listener: broker.Listener{Name: "PLAINTEXT"}}}
}

// external reports whether the log is a Kafka cluster elsewhere.
func (c *Config) external() bool { return len(c.BootstrapServers) > 0 }

// logFlags say how to log.
type logFlags struct {
	format string
	level  slog.Level
}

func (f *logFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.format, "log-format", "text", "`format` of the log on standard error: text or json")
	fs.TextVar(&f.level, "log-level", f.level, "lowest `level` logged: debug, info, warn or error")
}

func (f *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: loglevel.All} // each logger has a level of its own
	levels := loglevel.New(f.level)
	switch f.format {
	case "text":
		return slog.New(levels.Handler(slog.NewTextHandler(w, o))), nil
	case "json":
		return slog.New(levels.Handler(slog.NewJSONHandler(w, o))), nil
	}
	return nil, usageError{fmt.Errorf("--log-format %s: use text or json", f.format)}
}
