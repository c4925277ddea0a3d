// Command record runs the scripts of package differential on a server, by rights
// an Apache Kafka that nothing else uses, and writes its answers beside them.
//
//	go run ./test/conformance/differential/record HOST:PORT [SCRIPT ...]
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluice-data/sluice/test/conformance/differential"
)

const testdata = "test/conformance/differential/testdata"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: record HOST:PORT [SCRIPT ...]")
		os.Exit(2)
	}
	if err := record(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// record writes the answers of the server at addr to the named scripts, or all.
func record(addr string, names []string) error {
	scripts, err := differential.ReadScripts(testdata)
	if err != nil {
		return err
	}
	for _, s := range scripts {
		if len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		answers, err := differential.Run(addr, s)
		if err != nil {
			return err
		}
		file := filepath.Join(testdata, s.Name+".kafka")
		if err := os.WriteFile(file, []byte(differential.Format(answers)), 0o644); err != nil {
			return fmt.Errorf("write answers: %w", err)
		}
	}
	return nil
}
