package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// Names of options and of the fields of source partitions and offsets.
const (
	optFile       = "file"
	fieldFilename = "filename"
	fieldPosition = "position"
)

// Spec describes the file source.
var Spec = connect.Spec{
	Class:   "sluice.FileStreamSourceConnector",
	Aliases: []string{"org.apache.kafka.connect.file.FileStreamSourceConnector"},
	Version: "0.1.0",
	Doc: "Writes each line of a file as a STRING to a topic and goes on with what is appended. A file that is not there is " +
		"waited for, one that is renamed and replaced is read to its end before the new one, one that is truncated is read " +
		"from its start. Positions are those of Kafka's connector. Exactly once as long as the file is only appended to.",
	New: func() connect.Config { return new(Config) },
}

// Config is the configuration of a file source.
type Config struct {
	file         string
	topic        string
	batchSize    int
	maxLineBytes int
}

// Define binds the options: Kafka's three and line.max.bytes.
func (c *Config) Define(d *connect.Def) {
	d.Add(
		connect.Option{Name: optFile, Var: &c.file, NoDefault: true,
			Doc:   "File to read. Standard input when there is none, of which no position is kept.",
			Group: "File", Importance: connect.High, Display: "File"},
		connect.Option{Name: "topic", Var: &c.topic, Required: true,
			Doc:   "Topic of the log that the lines go to.",
			Group: "File", Importance: connect.High, Display: "Topic"},
		connect.Option{Name: "batch.size", Var: &c.batchSize, Default: "2000", Check: atLeastOne(&c.batchSize),
			Doc:   "Most lines that are read at once.",
			Group: "File", Importance: connect.Low, Display: "Batch Size"},
		connect.Option{Name: "line.max.bytes", Var: &c.maxLineBytes, Default: "8388608", Check: atLeastOne(&c.maxLineBytes),
			Doc:   "How many bytes are held in search of a line's end. More fail the task, with an error that says where the line begins.",
			Group: "File", Importance: connect.Low, Display: "Longest Line"},
	)
}

func atLeastOne(n *int) func() error {
	return func() error {
		if *n < 1 {
			return errors.New("it must be at least 1")
		}
		return nil
	}
}

// Source returns a new source.
func (c *Config) Source() connect.Source { return &Source{config: *c} }

// Split returns the one task that makes sense for a file.
func (c *Config) Split(int) []map[string]string { return []map[string]string{{}} }

// ExactlyOnce tells that a file can be read exactly once, standard input cannot.
func (c *Config) ExactlyOnce() bool { return c.file != "" }

// AlterOffsets checks positions that are to be set, with the texts of Kafka's
// connector. A mark without an offset passes whatever its partition is, so that
// rubbish can be removed.
func (c *Config) AlterOffsets(_ context.Context, marks []connect.Mark) (bool, error) {
	if c.file == "" {
		return false, fmt.Errorf("Offsets cannot be modified if the '%s' configuration is unspecified. "+
			"This is because stdin is used for input and offsets are not tracked.", optFile)
	}
	for _, m := range marks {
		if m.Offset == nil {
			continue
		}
		if _, err := parsePosition(m.Offset); err != nil {
			return false, err
		}
		var partition map[string]json.RawMessage
		if err := json.Unmarshal(m.Partition, &partition); err != nil || partition == nil {
			return false, errors.New("Partition objects cannot be null")
		}
		if _, ok := partition[fieldFilename]; !ok {
			return false, fmt.Errorf("Partition objects should contain the key '%s'", fieldFilename)
		}
	}
	return true, nil
}

// parsePosition reads a source offset.
func parsePosition(offset json.RawMessage) (int64, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(offset, &fields); err != nil {
		return 0, fmt.Errorf("read the offset %.80s: %w", offset, err)
	}
	text, ok := fields[fieldPosition]
	if !ok {
		return 0, fmt.Errorf("Offset objects should either be null or contain the key '%s'", fieldPosition)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("The value for the '%s' key in the offset is expected to be a Long value", fieldPosition)
	}
	if n < 0 {
		return 0, fmt.Errorf("The value for the '%s' key in the offset should be a non-negative value", fieldPosition)
	}
	return n, nil
}

// partitionOf returns the source partition of a file.
func partitionOf(file string) (json.RawMessage, error) {
	p, err := json.Marshal(map[string]string{fieldFilename: file})
	if err != nil {
		return nil, fmt.Errorf("make the source partition of %s: %w", file, err)
	}
	return p, nil
}
