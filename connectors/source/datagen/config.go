package datagen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/internal/count"
	"github.com/sluice-data/sluice/connectors/internal/pace"
)

// Names of the fields of source partitions and offsets, Confluent's.
const (
	fieldTask      = "task.id"
	fieldIteration = "current.iteration"
)

const optKeyField = "schema.keyfield"

// maxPayloadBytes bounds payload.bytes (I5).
const maxPayloadBytes = 8 << 20

// Spec describes the generator.
var Spec = connect.Spec{
	Class:   "sluice.DatagenConnector",
	Aliases: []string{"io.confluent.kafka.connect.datagen.DatagenConnector"},
	Version: "0.1.0",
	Doc: "Invents rows for tests and demonstrations. The same seed gives the same rows, each once: the offset is the number of the " +
		"next row. Every task makes rows of its own. After the last row of iterations the connector stays RUNNING and makes no more.",
	New: func() connect.Config { return new(Config) },
}

// Config is the configuration of a generator.
type Config struct {
	topic       string
	quickstart  string
	keyField    string
	maxInterval time.Duration
	perSecond   int64
	iterations  int64
	seed        int64
	payload     int
	schemaFile  string
	schemaText  string
}

// Define binds the options: Confluent's, rows.per.second and payload.bytes.
func (c *Config) Define(d *connect.Def) {
	d.Add(c.rowOptions()...)
	d.Add(c.rateOptions()...)
}

func (c *Config) rowOptions() []connect.Option {
	return []connect.Option{
		{Name: "kafka.topic", Var: &c.topic, Required: true,
			Doc:   "Topic of the log that the rows go to.",
			Group: "Rows", Importance: connect.High, Width: connect.WidthMedium, Display: "Topic"},
		{Name: "quickstart", Var: &c.quickstart, Required: true, OneOf: quickstartNames(),
			Doc:   "Which rows to make.",
			Group: "Rows", Importance: connect.High, Width: connect.WidthMedium, Display: "Quickstart"},
		{Name: optKeyField, Var: &c.keyField, Default: "",
			Doc:   "Field whose value is the key as well; by default the one that identifies a row.",
			Group: "Rows", Importance: connect.High, Width: connect.WidthMedium, Display: "Key Field"},
		{Name: "random.seed", Var: &c.seed, Default: "0",
			Doc:   "Another number gives other rows.",
			Group: "Rows", Importance: connect.Low, Width: connect.WidthShort, Display: "Random Seed"},
		{Name: "payload.bytes", Var: &c.payload, Default: "0", Check: between(&c.payload, 0, maxPayloadBytes),
			Doc:   "Length of a further field, payload, of random letters; 0 leaves it out.",
			Group: "Rows", Importance: connect.Low, Width: connect.WidthShort, Display: "Payload"},
		{Name: "schema.filename", Var: &c.schemaFile, Default: "", Check: notAvailable(&c.schemaFile),
			Doc:   "Not available: use quickstart.",
			Group: "Rows", Importance: connect.Low, Width: connect.WidthLong, Display: "Schema File"},
		{Name: "schema.string", Var: &c.schemaText, Default: "", Check: notAvailable(&c.schemaText),
			Doc:   "Not available: use quickstart.",
			Group: "Rows", Importance: connect.Low, Width: connect.WidthLong, Display: "Schema"},
	}
}

func (c *Config) rateOptions() []connect.Option {
	return []connect.Option{
		{Name: "max.interval", Var: &c.maxInterval, Default: "500",
			Doc:   "Longest wait between two rows in milliseconds; each wait is a random part of it. 0 is as fast as possible.",
			Group: "Rate", Importance: connect.High, Width: connect.WidthShort, Display: "Longest Interval"},
		{Name: "rows.per.second", Var: &c.perSecond, Default: "0",
			Doc:   "Rows that a task makes in a second, in place of max.interval; 0 leaves it to that.",
			Group: "Rate", Importance: connect.Medium, Width: connect.WidthShort, Display: "Rows per Second"},
		{Name: "iterations", Var: &c.iterations, Default: "-1",
			Doc:   "How many rows a task makes in all; less than 1 for no end.",
			Group: "Rate", Importance: connect.High, Width: connect.WidthShort, Display: "Iterations"},
	}
}

func between(n *int, low, high int) func() error {
	return func() error {
		if *n < low || *n > high {
			return fmt.Errorf("it must be between %d and %d", low, high)
		}
		return nil
	}
}

func notAvailable(text *string) func() error {
	return func() error {
		if *text != "" {
			return errors.New("schemas of the Avro random generator are not read; use quickstart")
		}
		return nil
	}
}

// Validate checks that the key is a field.
func (c *Config) Validate() []*connect.ConfigError {
	t := newTable(c.quickstart, c.payload, c.keyField)
	if t.key < 0 {
		return []*connect.ConfigError{{Option: optKeyField, Reason: fmt.Sprintf("%s has no field %q; leave it out or use one of %s",
			c.quickstart, c.keyField, t.fieldNames())}}
	}
	return nil
}

// Source returns a new source.
func (c *Config) Source() connect.Source {
	return &Source{config: *c, table: newTable(c.quickstart, c.payload, c.keyField), pacer: pace.New(c.perSecond)}
}

// Split gives every task the same settings: its number makes its rows.
func (c *Config) Split(maxTasks int) []map[string]string {
	return count.Tasks(maxTasks)
}

// ExactlyOnce tells that the offset says all about the rows after it.
func (c *Config) ExactlyOnce() bool { return true }

// AlterOffsets checks offsets that are to be set.
func (c *Config) AlterOffsets(_ context.Context, marks []connect.Mark) (bool, error) {
	err := count.Fields{Partition: fieldTask, Offset: fieldIteration}.Check(marks)
	return err == nil, err
}
