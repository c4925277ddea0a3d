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

	"github.com/sluice-data/sluice/internal/demo"
)

const demoUsage = `sluice demo [mqtt|cdc] [flags]

Runs everything on this machine, and nothing is left behind when Ctrl-C ends it.

  mqtt  an MQTT broker, ten simulated devices, the log, the worker with two
        connectors and an S3 server on a directory, all in this process (default)
  cdc   a shop on a PostgreSQL server, whose changes become Avro records in the
        log and Parquet files on the S3 server. The PostgreSQL server is one that
        is installed here (14 to 18), on a temporary folder and a free port`

// demo is the command `sluice demo`.
func (p *program) demo(args []string) error {
	d := &demonstration{out: p.stdout, start: time.Now()}
	shop := cdcDemo{demonstration: d}
	logs := logFlags{level: slog.LevelWarn}
	fs := p.flags("demo", demoUsage)
	fs.StringVar(&d.keep, "keep", "", "`directory` that gets configs and data and stays when the demo ends")
	fs.StringVar(&shop.format, "format", formatParquet, "of the objects of the demo cdc: parquet or json")
	fs.IntVar(&shop.orders, "orders", 0, "of the shop of the demo cdc before it falls silent; 0: no end")
	logs.define(fs)
	names, err := parseAround(fs, args)
	if err != nil {
		return err
	}
	if d.world, err = chooseWorld(names, d, &shop); err != nil {
		return err
	}
	if d.logger, err = logs.logger(p.stderr); err != nil {
		return err
	}
	d.dir = d.keep
	ctx, stop := p.signals()
	defer stop()
	return d.run(ctx)
}

func chooseWorld(names []string, d *demonstration, shop *cdcDemo) (world, error) {
	if len(names) == 0 {
		names = []string{"mqtt"}
	}
	switch {
	case len(names) > 1:
		return nil, usageError{fmt.Errorf("demo takes one argument, got %q", names)}
	case shop.format != formatParquet && shop.format != formatJSON:
		return nil, usageError{fmt.Errorf("--format is %s or %s, not %q", formatParquet, formatJSON, shop.format)}
	case names[0] == "mqtt":
		return &mqttDemo{demonstration: d}, nil
	case names[0] == "cdc":
		return shop, nil
	}
	return nil, usageError{fmt.Errorf("there is no demo %q, only mqtt and cdc", names[0])}
}

// world is what a demo runs around the server.
type world interface {
	// bucket is the S3 bucket of the objects.
	bucket() string
	// open starts what the source reads.
	open(ctx context.Context) error
	// connectors are the examples that run, with what is different here.
	connectors() []example
	// introduce says what runs and where.
	introduce(a Addresses)
	// run starts what happens once the server is ready.
	run(a Addresses)
	// kept says what a demo that is kept leaves.
	kept() string
}

// example is a file of examples/configs and the settings in which it differs in a
// demo.
type example struct {
	file    string
	text    []byte
	changes [][2]string
}

// demonstration is one run of a demo.
type demonstration struct {
	world    world
	out      io.Writer
	printing sync.Mutex // guards out while parts run
	logger   *slog.Logger
	start    time.Time
	keep     string // empty: dir is temporary
	dir      string
	store    *demo.Store
	s3       net.Addr
	registry string // its address, which connectors need before it is there
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
	if err := d.store.CreateBucket(d.world.bucket()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.parts.stop()) }()
	if err := d.startStore(); err != nil {
		return err
	}
	if d.registry, err = freeNear(defaultRegistry); err != nil {
		return err
	}
	if err := d.world.open(ctx); err != nil {
		return err
	}
	addresses, err := d.startMain(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	d.world.introduce(addresses)
	d.world.run(addresses)
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

// startStore starts the S3 server.
func (d *demonstration) startStore() error {
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

// startMain starts the server with the connectors and waits until it is ready.
func (d *demonstration) startMain(ctx context.Context) (Addresses, error) {
	cfg := Config{DataDir: filepath.Join(d.dir, "data"), REST: near(defaultREST), Kafka: near(defaultKafka), Registry: d.registry}
	for _, e := range d.world.connectors() {
		c, err := d.connector(e)
		if err != nil {
			return Addresses{}, err
		}
		cfg.Connectors = append(cfg.Connectors, c)
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

// freeNear is near with the port chosen.
func freeNear(addr string) (string, error) {
	ln, err := listenNear(addr)
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// storeChanges are the settings of a sink that writes to the demo's S3 server.
func (d *demonstration) storeChanges() [][2]string {
	return [][2]string{
		{"store.url", "http://" + d.s3.String()},
		{"s3.region", "us-east-1"},
		{"aws.access.key.id", "demo"},
		{"aws.secret.access.key", "demo"},
		{"rotate.max.age.ms", demoRotate},
	}
}

// connector is an example with its changes. It is written into the directory when
// that is kept.
func (d *demonstration) connector(e example) (connectorFile, error) {
	c, err := parseConnectorJSON(string(e.text))
	if err != nil {
		return c, fmt.Errorf("example %s: %w", e.file, err)
	}
	for _, change := range e.changes {
		c.Config[change[0]] = change[1]
	}
	c.Path = filepath.Join(d.dir, e.file)
	if d.keep == "" {
		return c, nil
	}
	kept, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = os.WriteFile(c.Path, append(kept, '\n'), 0o600) // passwords are in it
	}
	if err != nil {
		return c, fmt.Errorf("keep connector config: %w", err)
	}
	return c, nil
}
