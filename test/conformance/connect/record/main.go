// Command record plays the scripts of directories against a Kafka Connect worker
// and writes its answers beside them.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/test/conformance/connect"
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
	files := flag.String("files", "", "`directory` of the files that its connectors read and write")
	version := flag.String("version", "", "`version` of the worker")
	flag.Parse()
	opts := []kgo.Opt{kgo.SeedBrokers(*kafka)}
	if err := connect.Seed(context.Background(), opts...); err != nil {
		return err
	}
	p := &connect.Player{Client: &http.Client{Timeout: 2 * time.Minute}, URL: *url, Files: *files, Kafka: opts}
	if _, err := p.Play("until GET /connectors => []"); err != nil {
		return err
	}
	for _, dir := range flag.Args() {
		if err := record(p, dir, *version); err != nil {
			return err
		}
	}
	return nil
}

// record plays the script of one directory. What came is written even after an
// error.
func record(p *connect.Player, dir, version string) error {
	script, err := os.ReadFile(filepath.Join(dir, "script.txt"))
	if err != nil {
		return err
	}
	answers, err := p.Play(string(script))
	head := fmt.Sprintf("# Answers of Apache Kafka Connect %s, recorded by test/conformance/connect/record.sh.\n\n", version)
	if werr := os.WriteFile(filepath.Join(dir, "kafka.txt"), []byte(head+connect.Text(answers)), 0o644); werr != nil {
		return werr
	}
	return err
}
