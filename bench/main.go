package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"time"
)

// row is one measurement. It returns the figure, the limit that it is held
// against and the ratio or whatever the target is about.
type row struct {
	name   string
	target string
	run    func(ctx context.Context, b *bench) (result, error)
}

// result is what a row prints.
type result struct {
	figure string // what was measured
	limit  string // what it is compared with, measured in the same run
	ratio  string
}

var rows = []row{
	{"produce 100 B, acks=all", "≥ 1.0 M records/s", produceSmall},
	{"produce 1 KB, acks=all", "≥ 0.8 × sequential fdatasync rate", produceLarge},
	{"consume 100 B", "≥ 2.5 M records/s", consumeSmall},
	{"consume 1 KB", "(none)", consumeLarge},
	{"one synchronous produce, p50", "≤ 2 × one fdatasync", produceOne},
	{"one produce to each of 64 partitions, p50", "≤ 10 × one fdatasync", produceDirty},
	{"MQTT QoS 1 → log, window 20", "≥ 0.9 × a bare client with manual acks", mqttWindow(3, 1, 20)},
	{"MQTT QoS 1 → log, window 1000", "≥ 0.9 × a bare client with manual acks", mqttWindow(3, 1, 1000)},
	{"MQTT 5 QoS 1 → log, window 20", "≥ 0.9 × a bare client", mqttWindow(5, 1, 20)},
	{"MQTT 5 QoS 1 → log, window 1000", "≥ 0.9 × a bare client", mqttWindow(5, 1, 1000)},
	{"MQTT QoS 2 → log, window 20", "≥ 0.9 × a bare client", mqttWindow(3, 2, 20)},
	{"MQTT QoS 2 → log, window 1000", "≥ 0.9 × a bare client", mqttWindow(3, 2, 1000)},
	{"MQTT 5 QoS 2 → log, window 20", "≥ 0.9 × a bare client", mqttWindow(5, 2, 20)},
	{"MQTT 5 QoS 2 → log, window 1000", "≥ 0.9 × a bare client", mqttWindow(5, 2, 1000)},
	{"MQTT QoS 1 → log → S3 JSON", "≥ 80,000 records/s", mqttToS3},
	{"log → S3 JSON lines", "≥ 150 MB/s per core of record data", logToS3},
	{"log → S3, Avro rows in each format", "≥ 150 MB/s per core as JSON, ≥ 100 as Parquet", rowsToS3},
	{"a cluster's log → S3, Avro rows in each format", "≤ 200 B a record, ≤ 145 MB resident", clusterRowsToS3},
	{"resident memory, 1,000 open JSON files", "≤ 400 MB", openFiles("JsonFormat", "orders", "itemid", 999)},
	{"resident memory, 10,000 open Parquet files", "≤ 400 MB", openFiles("ParquetFormat", "ratings", "route_id", 9999)},
	{"log → S3, 16 tasks against one", "(two cores)", tasks},
	{"log → S3, 1,000 idle partitions", "< 50 MB more, < 1 % of a core", idlePartitionsOfSink},
	{"record → visible object, later than rotation", "≤ 500 ms", visible},
	{"rotation of 100 files, 50 ms a request", "< 2 s", parallel},
	{"start to ready, empty data dir", "≤ 0.3 s", startEmpty},
	{"start to ready, 10 GiB after kill -9", "≤ 5 s", startFull},
	{"resident memory, two connectors under load", "≤ 150 MB", memoryUnderLoad},
	{"20,000 schemas, start after kill -9", "≤ 100 MB resident", registryStart},
	{"20,000 schemas, GET /schemas in pages of 1,000", "≤ 1 s", registryList},
	{"20,000 schemas, GET /schemas/ids/{id}", "≥ 50,000/s on one core of the server", registryByID},
	{"PostgreSQL → log, " + pgWorkloads[0].name, "≥ 0.5 × a bare reader of frames", pgDrain(&pgWorkloads[0])},
	{"PostgreSQL → log, " + pgWorkloads[1].name, "≥ 0.5 × a bare reader of frames", pgDrain(&pgWorkloads[1])},
	{"PostgreSQL → log, " + pgWorkloads[2].name, "≥ 0.5 × a bare reader of frames", pgDrain(&pgWorkloads[2])},
	{"PostgreSQL → log, " + pgWorkloads[3].name, "≥ 0.5 × a bare reader of frames", pgDrain(&pgWorkloads[3])},
	{"PostgreSQL → log, " + pgWorkloads[4].name, "≥ 0.5 × a bare reader of frames", pgDrain(&pgWorkloads[4])},
	{"PostgreSQL → log, 1,000 rows/s in 1-row transactions", "p99 ≤ 50 ms", pgLatency(1000, 1)},
	{"PostgreSQL → log, 10,000 rows/s in 100-row transactions", "p99 ≤ 50 ms", pgLatency(10_000, 100)},
	{"PostgreSQL → log, snapshot of 1 M rows of 12 columns", "≥ 0.6 × COPY (FORMAT binary) to nowhere", pgSnapshot(1_000_000)},
	{"PostgreSQL → log, snapshot of 5 M rows of 12 columns", "≥ 0.6 × COPY (FORMAT binary) to nowhere", pgSnapshot(5_000_000)},
	{"200 idle connectors", "≤ 100 MB resident", idleConnectors},
}

// bench is what the rows share.
type bench struct {
	binary  string
	dir     string // for data, removed at the end
	seconds time.Duration
	gib     int          // of data in the restart rows
	env     []string     // of the binary, beside this process's
	kafka   *apacheKafka // starts this in place of the binary; nil: the binary
	// debezium is the class path of the worker that drains PostgreSQL in place of the
	// binary; empty: the binary.
	debezium string
	// s3sink is the class path of the worker whose S3 sink is compared.
	s3sink string
}

// options are the command line.
type options struct {
	binary, pattern, dir string
	seconds              time.Duration
	gib                  int
	classpath            string        // file with the class path of Apache Kafka; empty: no comparison
	debezium             string        // file with the class path of Debezium; empty: no comparison
	s3sink               string        // file with the class path of an S3 sink; empty: no comparison
	soak                 time.Duration // 0: no soak
	bare                 string        // address to answer HTTP on instead of measuring
}

func main() {
	var o options
	flag.StringVar(&o.binary, "sluice", "bin/sluice", "the binary to measure")
	flag.StringVar(&o.pattern, "run", "", "regular expression of the rows to run")
	flag.DurationVar(&o.seconds, "seconds", 5*time.Second, "how long each steady load lasts")
	flag.StringVar(&o.dir, "dir", "", "folder on the disk to measure (a temporary one is made in it)")
	flag.IntVar(&o.gib, "gib", 10, "GiB of data in the rows about a restart")
	flag.StringVar(&o.classpath, "kafka", "", "file with the class path of an Apache Kafka to compare with (test/conformance/classpath.sh prints its name)")
	flag.StringVar(&o.debezium, "debezium", "", "file with the class path of Kafka Connect and Debezium, to drain PostgreSQL with them (test/conformance/debezium/classpath.sh prints its name)")
	flag.StringVar(&o.s3sink, "s3sink", "", "file with the class path of Kafka Connect and an S3 sink, to compare ours with on the Apache Kafka of -kafka (test/conformance/s3sink.sh prints the name of that with Camel's)")
	flag.DurationVar(&o.soak, "soak", 0, "in place of rows, load 1,000 partitions for so long and say whether memory stays flat")
	flag.StringVar(&o.bare, "bare-http", "", "only answer HTTP requests on this address: the limit that a row starts for itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.bare != "" {
		return serveBare(ctx, o.bare)
	}
	match, err := regexp.Compile(o.pattern)
	if err != nil {
		return fmt.Errorf("parse -run: %w", err)
	}
	tmp, err := os.MkdirTemp(o.dir, "sluice-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for data: %w", err)
	}
	defer os.RemoveAll(tmp)
	b := &bench{binary: o.binary, dir: tmp, seconds: o.seconds, gib: o.gib}
	if o.debezium != "" {
		if b.debezium, err = readClasspath(o.debezium); err != nil {
			return err
		}
	}
	if o.s3sink != "" {
		if b.s3sink, err = readClasspath(o.s3sink); err != nil {
			return err
		}
	}
	fmt.Printf("%d cores, %s, %s\n\n", runtime.NumCPU(), runtime.Version(), time.Now().Format(time.DateOnly))
	switch {
	case o.soak > 0:
		return soak(ctx, b, o.soak)
	case o.s3sink != "":
		return compareSinks(ctx, b, o.classpath, match)
	case o.classpath != "":
		return compare(ctx, b, o.classpath, match)
	}
	return measure(ctx, b, match)
}

// measure prints the rows.
func measure(ctx context.Context, b *bench, match *regexp.Regexp) error {
	fmt.Println("| What | Figure | Limit in the same run | Ratio | Target |\n|---|---|---|---|---|")
	failed := 0
	for _, r := range rows {
		if !match.MatchString(r.name) {
			continue
		}
		res, err := r.run(ctx, b)
		if err != nil {
			failed++
			fmt.Printf("| %s | error: %v | | | %s |\n", r.name, err, r.target)
			continue
		}
		fmt.Printf("| %s | %s | %s | %s | %s |\n", r.name, res.figure, res.limit, res.ratio, r.target)
	}
	if failed > 0 {
		return fmt.Errorf("%d rows could not be measured", failed)
	}
	return nil
}
