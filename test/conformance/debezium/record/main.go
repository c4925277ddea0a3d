// Command record plays the scenarios against Debezium in a worker of Kafka Connect
// and keeps what came out under testdata/golden.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
	"github.com/sluice-data/sluice/test/conformance/debezium"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run() error {
	url := flag.String("url", "", "`URL` of the worker")
	kafka := flag.String("kafka", "", "`address` of its broker")
	version := flag.String("version", "", "`version` of Debezium")
	out := flag.String("out", filepath.Join("testdata", "golden"), "`folder` for what comes out")
	flag.Parse()
	server, err := pgtest.Open(pgtest.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	pg := &debezium.Postgres{Host: "127.0.0.1", Port: server.Port, Version: server.Version, ConnString: server.ConnString}
	schemas, err := startRegistry()
	if err != nil {
		return err
	}
	worker := &debezium.Worker{REST: *url, Kafka: *kafka, Quiet: time.Second, Avro: schemas.converter(), Schema: schemas.schema}
	ctx := context.Background()
	var failed []error
	if err := worker.Ready(ctx); err != nil {
		return err
	}
	for i := range debezium.Scenarios {
		s := &debezium.Scenarios[i]
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), s.Name) {
			continue
		}
		if err := record(ctx, s, worker, pg, *version, *out); err != nil {
			failed = append(failed, err)
			fmt.Fprintln(os.Stderr, "record:", err)
		}
	}
	return errors.Join(failed...)
}

func record(ctx context.Context, s *debezium.Scenario, w *debezium.Worker, pg *debezium.Postgres, version, out string) error {
	records, err := s.Run(ctx, w, pg, "testdata")
	if err != nil {
		return err
	}
	topics, err := debezium.Canonical(records)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %d records on %d topics\n", s.Name, len(records), len(topics))
	head := fmt.Sprintf("What Debezium %s makes of the scenario %s on PostgreSQL %d, recorded by record.sh.", version, s.Name, pg.Version)
	return debezium.WriteGolden(out, s.Name, head, topics)
}
