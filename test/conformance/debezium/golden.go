package debezium

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// goldenFile is where the answers of a scenario are kept.
func goldenFile(dir, scenario string) string { return filepath.Join(dir, scenario+".txt.gz") }

// WriteGolden keeps what Debezium made of a scenario.
func WriteGolden(dir, scenario, head string, topics []Topic) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = io.WriteString(z, "# "+head+"\n"+Format(topics))
	if err := errors.Join(err, z.Close()); err != nil {
		return fmt.Errorf("compress %s: %w", scenario, err)
	}
	return os.WriteFile(goldenFile(dir, scenario), b.Bytes(), 0o644)
}

// ReadGolden returns what WriteGolden has kept.
func ReadGolden(dir, scenario string) ([]Topic, error) {
	f, err := os.Open(goldenFile(dir, scenario))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return Parse(string(text))
}

// Format writes topics as text:
//
//	== TOPIC
//	schema 0 JSON
//
//	key ...
//	value ...
//	header ...
func Format(topics []Topic) string {
	var b strings.Builder
	for _, t := range topics {
		fmt.Fprintf(&b, "== %s\n", t.Name)
		for i, s := range t.Schemas {
			fmt.Fprintf(&b, "schema %d %s\n", i, s)
		}
		for _, e := range t.Records {
			fmt.Fprintf(&b, "\n%s\n", strings.Join(e, "\n"))
		}
	}
	return b.String()
}

// Parse reads what Format wrote.
func Parse(text string) ([]Topic, error) {
	var topics []Topic
	var fresh bool // the next line begins a record
	for n, line := range strings.Split(text, "\n") {
		name, isTopic := strings.CutPrefix(line, "== ")
		switch {
		case isTopic:
			topics = append(topics, Topic{Name: name})
		case line == "":
			fresh = true
		case strings.HasPrefix(line, "#") && len(topics) == 0:
		case len(topics) == 0:
			return nil, fmt.Errorf("line %d is before any topic", n+1)
		case strings.HasPrefix(line, "schema "):
			t := &topics[len(topics)-1]
			_, s, _ := strings.Cut(strings.TrimPrefix(line, "schema "), " ")
			t.Schemas = append(t.Schemas, s)
		default:
			t := &topics[len(topics)-1]
			if fresh {
				t.Records, fresh = append(t.Records, nil), false
			}
			if len(t.Records) == 0 {
				return nil, fmt.Errorf("line %d is before any record", n+1)
			}
			last := &t.Records[len(t.Records)-1]
			*last = append(*last, line)
		}
	}
	return topics, nil
}
