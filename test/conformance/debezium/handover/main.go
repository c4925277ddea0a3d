// Command handover hands a connector of Debezium's over to Sluice and back, with its
// offset, after each round of changes, and wants each change once in the topics. It
// keeps Debezium's offsets under testdata/golden.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
	"github.com/sluice-data/sluice/test/conformance/debezium"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "handover:", err)
		os.Exit(1)
	}
}

func run() error {
	java := flag.String("java", "", "`URL` of the worker of Kafka Connect")
	addresses := flag.String("addresses", "", "addresses.json `file` of Sluice")
	baseline := flag.Bool("baseline", false, "stop and start Debezium alone, and keep nothing")
	flag.Parse()
	text, err := os.ReadFile(*addresses)
	if err != nil {
		return err
	}
	var a struct{ REST, Kafka string }
	if err := json.Unmarshal(text, &a); err != nil {
		return err
	}
	server, err := pgtest.Open(pgtest.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	pg := &debezium.Postgres{Host: "127.0.0.1", Port: server.Port, Version: server.Version, ConnString: server.ConnString}
	theirs := &debezium.Worker{REST: *java, Kafka: a.Kafka, Quiet: time.Second}
	ours := &debezium.Worker{REST: "http://" + a.REST, Kafka: a.Kafka, Quiet: 500 * time.Millisecond}
	if *baseline {
		ours = theirs
	}
	ctx := context.Background()
	if err := theirs.Ready(ctx); err != nil {
		return err
	}
	got, err := debezium.PlayHandover(ctx, theirs, ours, pg, "testdata")
	if err != nil {
		return err
	}
	if err := check(got); err != nil || *baseline {
		return err
	}
	return keep(got)
}

// check wants each event once, and none of a row whose insert is missing.
func check(h *debezium.Handover) error {
	seen, there := map[debezium.HandoverEvent]bool{}, map[int]bool{}
	for _, e := range h.Events {
		if seen[e] && e.LSN != 0 { // tombstones have none
			return fmt.Errorf("%s came twice", e.Text)
		}
		seen[e] = true
		if err := rowOf(e, there); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "%d stops, %d events, each once\n", len(h.Stops), len(h.Events))
	return nil
}

// rowOf notes what an event does to a row.
func rowOf(e debezium.HandoverEvent, there map[int]bool) error {
	op, rows, _ := strings.Cut(e.Text, " ")
	if op == "tombstone" {
		return nil
	}
	var before, after struct{ ID *int }
	d := json.NewDecoder(strings.NewReader(rows))
	if err := errors.Join(d.Decode(&before), d.Decode(&after)); err != nil {
		return fmt.Errorf("read %s: %w", e.Text, err)
	}
	switch {
	case op == "c" || op == "r":
		there[*after.ID] = true
	case op == "d" && !there[*before.ID], op == "u" && !there[*after.ID]:
		return fmt.Errorf("%s: the insert of the row is missing", e.Text)
	}
	return nil
}

func keep(h *debezium.Handover) error {
	out, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return os.WriteFile("testdata/golden/handover.json", append(out, '\n'), 0o644)
}
