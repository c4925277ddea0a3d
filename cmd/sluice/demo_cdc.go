package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/examples/configs"
	"github.com/sluice-data/sluice/internal/demo"
	"github.com/sluice-data/sluice/internal/pgserver"
)

// What --format takes.
const (
	formatParquet = "parquet"
	formatJSON    = "json"
)

const (
	cdcBucket   = "shop-lake"
	cdcInterval = 50 * time.Millisecond // between two orders
	cdcReport   = 5 * time.Second       // between two lines of figures
)

// cdcDemo has a shop on a PostgreSQL server.
type cdcDemo struct {
	*demonstration
	format string
	orders int

	shop     demo.Shop
	passFile string
	objects  atomic.Int64
	rows     atomic.Int64 // of the objects
	bytes    atomic.Int64
}

func (c *cdcDemo) bucket() string { return cdcBucket }

// open starts PostgreSQL and makes the shop's database.
func (c *cdcDemo) open(ctx context.Context) error {
	server, err := pgserver.Open(pgserver.Options{Password: rand.Text()})
	if err != nil {
		return err
	}
	c.parts.start(func(ctx context.Context) error {
		defer server.Close()
		select {
		case <-ctx.Done():
			return nil
		case <-server.Done():
			return errors.New("PostgreSQL has ended:\n" + server.Log())
		}
	})
	c.shop = demo.Shop{Server: server, User: "sluice", Name: "shop", Password: rand.Text(), Orders: c.orders, Interval: cdcInterval, Say: c.say}
	if err := c.shop.Create(ctx); err != nil {
		return err
	}
	c.passFile = filepath.Join(c.dir, "pgpass")
	line := fmt.Sprintf("127.0.0.1:%d:%s:%s:%s\n", server.Port, c.shop.Name, c.shop.User, c.shop.Password)
	if err := os.WriteFile(c.passFile, []byte(line), 0o600); err != nil {
		return fmt.Errorf("write the password for psql: %w", err)
	}
	return nil
}

func (c *cdcDemo) connectors() []example {
	sink := c.storeChanges()
	if c.format == formatJSON {
		sink = append(sink, [2]string{"format.class", "io.confluent.connect.s3.format.json.JsonFormat"}, [2]string{"json.decimal.format", "NUMERIC"})
	}
	source := [][2]string{{"database.hostname", "127.0.0.1"}, {"database.port", strconv.Itoa(c.shop.Server.Port)}, {"database.password", c.shop.Password}}
	if c.registry != defaultRegistry {
		for _, converter := range []string{"key.converter", "value.converter"} {
			url := [2]string{converter + ".schema.registry.url", "http://" + c.registry}
			source, sink = append(source, url), append(sink, url)
		}
	}
	return []example{{"postgres-avro.json", configs.PostgresAvro, source}, {"postgres-s3-parquet.json", configs.PostgresS3Parquet, sink}}
}

func (c *cdcDemo) introduce(a Addresses) {
	postgres := fmt.Sprintf("127.0.0.1:%d", c.shop.Server.Port)
	fmt.Fprintf(c.out, `Sluice demo: a shop on PostgreSQL %d -> change events in Avro -> log -> %s on S3.

  PostgreSQL   %-27s try: PGPASSFILE=%s psql -h 127.0.0.1 -p %d -U %s %s
  Kafka        %-27s topics shop.public.<table>; try: kcat -b %s -t shop.public.orders -C -s value=avro -r http://%s
  Registry     http://%-20s try: curl http://%s/subjects
  REST API     http://%-20s try: curl 'http://%s/connectors?expand=status', http://%s/metrics
  S3           http://%-20s bucket %s, as files in %s
`, c.shop.Server.Version, c.format, postgres, c.passFile, c.shop.Server.Port, c.shop.User, c.shop.Name,
		a.Kafka, a.Kafka, a.Registry, a.Registry, a.Registry, a.REST, a.REST, a.REST, c.s3, cdcBucket, filepath.Join(c.dir, "s3", "buckets", cdcBucket))
	c.printChanges()
}

func (c *cdcDemo) kept() string {
	return fmt.Sprintf(`Kept in %s: the connectors, the log in data, the objects in s3.
The PostgreSQL server and the S3 server end with the demo: put the addresses of your own into the two files, then go on with`, c.dir)
}

func (c *cdcDemo) run(a Addresses) {
	c.parts.start(c.shop.Run)
	c.parts.start((&changeWatcher{demonstration: c.demonstration, addresses: a}).run)
	shown := map[string]bool{}
	w := &objectWatcher{demonstration: c.demonstration, found: func(o demo.Object, rows int64) {
		c.objects.Add(1)
		c.rows.Add(rows)
		c.bytes.Add(o.Bytes)
		if table := filepath.Base(filepath.Dir(filepath.Dir(o.Key))); !shown[table] { // the first of each table
			shown[table] = true
			c.say("object %s  %d rows, %d bytes", o.Key, rows, o.Bytes)
		}
	}}
	c.parts.start(w.run)
	c.parts.start(func(ctx context.Context) error { return c.report(ctx, a) })
}

// report prints figures now and then. Those of the connector are its metrics.
func (c *cdcDemo) report(ctx context.Context, a Addresses) error {
	tick := time.NewTicker(cdcReport)
	defer tick.Stop()
	for last := 0.0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		m, err := scrape(ctx, "http://"+a.REST+"/metrics")
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		events := m["kafka_connect_source_task_source_record_write_total"]
		c.say("%.0f change events, %.0f/s; lag %.1f s and %s, WAL kept %s; %d objects with %d rows, %s", events, (events-last)/cdcReport.Seconds(),
			m["sluice_postgres_lag_seconds"], size(m["sluice_postgres_lag_bytes"]), size(m["sluice_postgres_retained_wal_bytes"]),
			c.objects.Load(), c.rows.Load(), size(float64(c.bytes.Load())))
		last = events
	}
}

func size(bytes float64) string {
	switch {
	case bytes < 10e3:
		return fmt.Sprintf("%.0f B", bytes)
	case bytes < 10e6:
		return fmt.Sprintf("%.0f kB", bytes/1e3)
	}
	return fmt.Sprintf("%.0f MB", bytes/1e6)
}
