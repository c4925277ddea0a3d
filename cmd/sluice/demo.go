package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluice-data/sluice/examples/configs"
	"github.com/sluice-data/sluice/internal/demo"
)

const (
	demoDevices  = 10
	demoInterval = time.Second // between the readings of a device
	demoRotate   = "3000"      // ms until an object is complete
	demoBucket   = "iot-data"
	demoTopic    = "iot-sensors"
)

const demoUsage = `sluice demo [flags]

Runs everything in this process: an MQTT broker, ten simulated devices, the log,
the worker with two connectors, and an S3 server on a directory. Ctrl-C ends it and
leaves nothing behind.`

// demo is the command `sluice demo`.
func (p *program) demo(args []string) error {
	start := time.Now()
	var keep string
	logs := logFlags{level: slog.LevelWarn}
	fs := p.flags("demo", demoUsage)
	fs.StringVar(&keep, "keep", "", "`directory` that gets configs and data and stays when the demo ends")
	logs.define(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return usageError{fmt.Errorf("demo takes no arguments, got %q", fs.Arg(0))}
	}
	logger, err := logs.logger(p.stderr)
	if err != nil {
		return err
	}
	ctx, stop := p.signals()
	defer stop()
	d := &demonstration{out: p.stdout, logger: logger, start: start, keep: keep, dir: keep}
	return d.run(ctx)
}

// demonstration is one run of the demo.
type demonstration struct {
	out      io.Writer
	printing sync.Mutex // guards out while parts run
	logger   *slog.Logger
	start    time.Time
	keep     string // empty: dir is temporary
	dir      string
	store    *demo.Store
	broker   *demo.Broker
	mqtt     net.Addr
	s3       net.Addr
	parts    parts
}

func (d *demonstration) run(ctx context.Context) (err error) {
	if err := d.makeDir(); err != nil {
		return err
	}
	if d.keep == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	}
	if d.store, err = demo.OpenStore(filepath.Join(d.dir, "s3")); err != nil {
		return err
	}
	if err := d.store.CreateBucket(demoBucket); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.parts.stop()) }()
	if err := d.startServers(); err != nil {
		return err
	}
	addresses, err := d.startMain(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	d.introduce(addresses)
	d.parts.start(d.devices)
	w := &watcher{demonstration: d, seen: map[string]bool{}}
	d.parts.start(func(ctx context.Context) error { return w.records(ctx, addresses.Kafka) })
	d.parts.start(w.objects)
	if err := d.parts.wait(ctx); err != nil {
		return err
	}
	d.farewell()
	return nil
}

func (d *demonstration) makeDir() error {
	if d.keep != "" {
		if err := os.MkdirAll(d.keep, 0o755); err != nil {
			return fmt.Errorf("--keep %s: the directory cannot be made (%w); choose another", d.keep, err)
		}
		return nil
	}
	dir, err := os.MkdirTemp("", "sluice-demo-")
	if err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	d.dir = dir
	return nil
}

// startServers starts the MQTT broker and the S3 server.
func (d *demonstration) startServers() error {
	mqtt, err := listenNear("127.0.0.1:1883")
	if err != nil {
		return err
	}
	d.mqtt = mqtt.Addr()
	d.broker = demo.NewBroker(d.logger)
	d.parts.start(func(ctx context.Context) error { return d.broker.Serve(ctx, mqtt) })
	s3, err := listenNear("127.0.0.1:9000")
	if err != nil {
		return err
	}
	d.s3 = s3.Addr()
	d.parts.start(func(ctx context.Context) error {
		server := serveHTTP(s3, d.store.Handler(), d.logger)
		select {
		case <-ctx.Done():
		case <-server.done:
		}
		server.shutdown()
		return server.err
	})
	return nil
}

// startMain starts the server with the two connectors and waits until it is
// ready.
func (d *demonstration) startMain(ctx context.Context) (Addresses, error) {
	cfg := Config{DataDir: filepath.Join(d.dir, "data"), REST: near(defaultREST), Kafka: near(defaultKafka), Registry: near(defaultRegistry)}
	var err error
	if cfg.Connectors, err = d.connectors(); err != nil {
		return Addresses{}, err
	}
	m := NewMain(cfg, d.logger)
	d.parts.start(m.Run)
	select {
	case a := <-m.Ready():
		return a, nil
	case err := <-d.parts.ended:
		return Addresses{}, err
	case <-ctx.Done():
		return Addresses{}, nil
	}
}

// devices publishes readings once the source has subscribed.
func (d *demonstration) devices(ctx context.Context) error {
	select {
	case <-d.broker.Subscribed():
	case <-ctx.Done():
		return nil
	}
	return demo.Devices{Broker: d.mqtt.String(), Topic: "sensor/temperature", Count: demoDevices, Interval: demoInterval}.Run(ctx)
}

// near is the address, or a free port when it is taken.
func near(addr string) string {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	ln.Close()
	return addr
}

func listenNear(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", near(addr))
	if err != nil {
		return nil, fmt.Errorf("listen on a loopback port: %w", err)
	}
	return ln, nil
}

// changes are the settings in which the demo's connectors differ from
// examples/configs.
func (d *demonstration) changes() (source, sink [][2]string) {
	return [][2]string{{"mqtt.server.uri", "tcp://" + d.mqtt.String()}},
		[][2]string{
			{"store.url", "http://" + d.s3.String()},
			{"s3.region", "us-east-1"},
			{"aws.access.key.id", "demo"},
			{"aws.secret.access.key", "demo"},
			{"rotate.max.age.ms", demoRotate},
		}
}

// connectors returns the example connectors with the changes. They are written
// into the directory when it is kept.
func (d *demonstration) connectors() ([]connectorFile, error) {
	sourceChanges, sinkChanges := d.changes()
	source, err := d.connector("mqtt-source.json", configs.MQTTSource, sourceChanges)
	if err != nil {
		return nil, err
	}
	sink, err := d.connector("s3-sink.json", configs.S3Sink, sinkChanges)
	return []connectorFile{source, sink}, err
}

func (d *demonstration) connector(name string, text []byte, changes [][2]string) (connectorFile, error) {
	c, err := parseConnectorJSON(string(text))
	if err != nil {
		return c, fmt.Errorf("example %s: %w", name, err)
	}
	for _, change := range changes {
		c.Config[change[0]] = change[1]
	}
	c.Path = filepath.Join(d.dir, name)
	if d.keep == "" {
		return c, nil
	}
	kept, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = os.WriteFile(c.Path, append(kept, '\n'), 0o644)
	}
	if err != nil {
		return c, fmt.Errorf("keep connector config: %w", err)
	}
	return c, nil
}
