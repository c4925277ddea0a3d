package postgres

import (
	"slices"

	"github.com/sluice-data/sluice/connect"
)

// config is the config of the connector: the options by what they are about. The
// types of the fields have their documentation, the options theirs.
type config struct {
	connection  connectionOptions
	replication replicationOptions
	filters     filterOptions
	snapshot    snapshotOptions
	signals     signalOptions
	topics      topicOptions
	types       typeOptions
	records     recordOptions
	masks       maskOptions
	unused      unusedOptions
}

// Spec describes the connector.
var Spec = connect.Spec{
	Class:   "sluice.PostgresSource",
	Aliases: []string{"io.debezium.connector.postgresql.PostgresConnector"},
	Version: version,
	Doc: "Reads the changes of a PostgreSQL database (14 or later) from its write-ahead log, after a snapshot of what is there already, " +
		"into a topic for each table. It takes the configs of Debezium's PostgreSQL connector and writes its records.",
	New:     func() connect.Config { return new(config) },
	Metrics: metricList(),
}

// version is what source.version says.
const version = "0.1.0"

// Define declares the options: Debezium's names, types and defaults, and a few of
// our own beside them.
func (c *config) Define(d *connect.Def) {
	c.connection.define(d)
	c.replication.define(d)
	c.filters.define(d)
	c.snapshot.define(d)
	c.signals.define(d)
	c.topics.define(d)
	c.types.define(d)
	c.records.define(d)
	c.masks.define(d)
	c.unused.define(d)
}

// DefineFor declares the options whose names say which table or how many
// characters.
func (c *config) DefineFor(d *connect.Def, names []string) {
	c.masks.defineFor(d, names)
	c.snapshot.defineFor(d, names)
	c.signals.defineFor(d, names)
	c.records.skippedGiven = slices.Contains(names, optSkipped)
}

// ExactlyOnce implements connect.ExactlyOnce: a mark's offset names the
// transaction and the row in it.
func (c *config) ExactlyOnce() bool { return true }

// Validate puts together what several options say, once each is right on its own.
func (c *config) Validate() []*connect.ConfigError {
	c.replication.resolveFlushMode()
	c.types.resolve()
	errs := c.filters.validate()
	errs = append(errs, c.snapshot.validate()...)
	errs = append(errs, c.signals.validate(c.topics.prefix)...)
	return append(errs, c.topics.validate()...)
}
