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
	{"MQTT QoS 1 → log, window 20", "≥ 0.9 × a bare client with manual acks", mqttWindow(20)},
	{"MQTT QoS 1 → log, window 1000", "≥ 0.9 × a bare client with manual acks", mqttWindow(1000)},
	{"MQTT QoS 1 → log → S3 JSON", "≥ 80,000 records/s", mqttToS3},
	{"log → S3 JSON lines", "≥ 150 MB/s per core of record data", logToS3},
	{"start to ready, empty data dir", "≤ 0.3 s", startEmpty},
	{"start to ready, 10 GiB after kill -9", "≤ 5 s", startFull},
	{"resident memory, two connectors under load", "≤ 150 MB", memoryUnderLoad},
}

// bench is what the rows share.
type bench struct {
	binary  string
	dir     string // for data, removed at the end
	seconds time.Duration
}

func main() {
	binary := flag.String("sluice", "bin/sluice", "the binary to measure")
	pattern := flag.String("run", "", "regular expression of the rows to run")
	seconds := flag.Duration("seconds", 5*time.Second, "how long each steady load lasts")
	dir := flag.String("dir", "", "folder on the disk to measure (a temporary one is made in it)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary, *pattern, *dir, *seconds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary, pattern, dir string, seconds time.Duration) error {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("parse -run: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, "sluice-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for data: %w", err)
	}
	defer os.RemoveAll(tmp)
	b := &bench{binary: binary, dir: tmp, seconds: seconds}
	fmt.Printf("%d cores, %s, %s\n\n", runtime.NumCPU(), runtime.Version(), time.Now().Format(time.DateOnly))
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
