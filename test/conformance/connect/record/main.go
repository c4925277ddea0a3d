// Command record plays the script of a directory against a Kafka Connect worker
// and writes its answers beside it.
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
	dir := flag.Arg(0)
	script, err := os.ReadFile(filepath.Join(dir, "script.txt"))
	if err != nil {
		return err
	}
	if err := connect.Seed(context.Background(), kgo.SeedBrokers(*kafka)); err != nil {
		return err
	}
	p := &connect.Player{Client: &http.Client{Timeout: 2 * time.Minute}, URL: *url, Files: *files}
	if _, err := p.Play("until GET /connectors => []"); err != nil {
		return err
	}
	answers, err := p.Play(string(script))
	head := fmt.Sprintf("# Answers of Apache Kafka Connect %s, recorded by test/conformance/connect/record.sh.\n\n", *version)
	if werr := os.WriteFile(filepath.Join(dir, "kafka.txt"), []byte(head+connect.Text(answers)), 0o644); werr != nil {
		return werr
	}
	return err
}
