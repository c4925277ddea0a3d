package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/avroname"
)

// Names of the options that messages refer to.
const (
	optSkipped     = "skipped.operations"
	optKeyColumns  = "message.key.columns"
	optTransaction = "provide.transaction.metadata"
)

// recordOptions are about which records there are and what they look like.
type recordOptions struct {
	tombstones bool
	// skipped has the operations (c, u, d, t) that make no records; skippedGiven
	// tells that the user chose them, so that a publication leaves them out as well.
	skipped       operations
	skippedGiven  bool
	skipUnchanged bool
	keyColumns    []keyRule
	transactions  bool // the transaction block and topic
	headers       bool // of extended.headers.enabled
	schemaNames   string
	fieldNames    string
	processing    failureMode

	skippedText            []string
	keyText, factory       string
	structMaker, processed string
}

// operations is a set of operations.
type operations struct{ create, update, delete, truncate bool }

// keyRule is one element of message.key.columns: a column of the tables that match.
type keyRule struct{ column pattern }

func (o *recordOptions) define(d *connect.Def) {
	d.Add(group(groupRecords,
		connect.Option{Name: "tombstones.on.delete", Var: &o.tombstones, Default: "true",
			Doc:        "Whether a delete is followed by a record with its key and no value, so that log compaction can forget the key.",
			Importance: connect.Medium, Display: "Tombstones on Delete"},
		connect.Option{Name: optSkipped, Var: &o.skippedText, Default: "t", Check: o.parseSkipped,
			Doc: "Operations that make no records: c (create), u (update), d (delete), t (truncate), or none. " +
				"Where it is given, a publication that the connector makes does not have them sent.",
			Importance: connect.Low, Display: "Skipped Operations"},
		connect.Option{Name: "skip.messages.without.change", Var: &o.skipUnchanged, Default: "false",
			Doc:        "Whether updates that change no captured column are left out. It takes REPLICA IDENTITY FULL to know.",
			Importance: connect.Medium, Display: "Skip Unchanged"},
		connect.Option{Name: optKeyColumns, Var: &o.keyText, Check: o.parseKeyColumns,
			Doc: "Columns of the key in place of the primary key's: table:column,column;table:column, where table is a regular expression for schema.table. " +
				"A table without a primary key or unique index has no key otherwise.",
			Width: connect.WidthLong, Importance: connect.Medium, Display: "Key Columns"},
		connect.Option{Name: optTransaction, Var: &o.transactions, Default: "false",
			Doc:        "Whether records say which transaction they belong to, and the begin and end of transactions become records of topic.transaction.",
			Importance: connect.Low, Display: "Transaction Metadata"},
		connect.Option{Name: "extended.headers.enabled", Var: &o.headers, Default: "true",
			Doc:        "Whether records have headers __debezium.context.* with the connector's names and the number of the task.",
			Importance: connect.Low, Display: "Extended Headers"},
		connect.Option{Name: "schema.name.adjustment.mode", Var: &o.schemaNames, Default: avroname.None, IgnoreCase: true,
			OneOf:      avroname.Modes,
			Doc:        "Whether names of schemas are changed to valid names of Avro: with avro other characters become an underscore, with avro_unicode _u and the character's number.",
			Importance: connect.Low, Display: "Schema Name Adjustment"},
		connect.Option{Name: "field.name.adjustment.mode", Var: &o.fieldNames, Default: avroname.None, IgnoreCase: true,
			OneOf: avroname.Modes, Aliases: []string{"sanitize.field.names.mode"},
			Doc:        "The same for names of fields.",
			Importance: connect.Low, Display: "Field Name Adjustment"},
		connect.Option{Name: optProcessing, Var: &o.processed, Default: string(failureFail), IgnoreCase: true,
			Aliases: []string{"event.deserialization.failure.handling.mode"},
			OneOf:   []string{string(failureFail), string(failureWarn), string(failureSkip)},
			Check:   func() error { o.processing = failureMode(o.processed); return nil },
			Doc: "What happens to a change that cannot be made into a record: fail stops the task, warn and skip leave it out, " +
				"with a warning or without. It is lost then.",
			Importance: connect.Medium, Display: "Processing Failures"},
		connect.Option{Name: "transaction.metadata.factory", Var: &o.factory, Class: true,
			Default: "io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory", Check: onlyClass(&o.factory, "DefaultTransactionMetadataFactory"),
			Doc:        "Only the default is supported: others are Java code.",
			Importance: connect.Low, Display: "Transaction Metadata Factory"},
		connect.Option{Name: "sourceinfo.struct.maker", Var: &o.structMaker, Class: true,
			Default: "io.debezium.connector.postgresql.PostgresSourceInfoStructMaker", Check: onlyClass(&o.structMaker, "PostgresSourceInfoStructMaker"),
			Doc:        "Only the default is supported: others are Java code.",
			Importance: connect.Low, Display: "Source Info Maker"},
	)...)
}

// onlyClass is the check of an option that accepts the class that it has anyway.
func onlyClass(value *string, name string) func() error {
	return func() error {
		if *value == "" || strings.HasSuffix("."+*value, "."+name) {
			return nil
		}
		return errors.New("it names Java code, which cannot be loaded: leave it out")
	}
}

func (o *recordOptions) parseSkipped() error {
	o.skipped = operations{}
	for _, op := range o.skippedText {
		switch strings.ToLower(op) {
		case "c":
			o.skipped.create = true
		case "u":
			o.skipped.update = true
		case "d":
			o.skipped.delete = true
		case "t":
			o.skipped.truncate = true
		case "none":
			if len(o.skippedText) > 1 {
				return errors.New("none stands alone")
			}
		default:
			return fmt.Errorf("%q is not an operation: give c, u, d and t, or none", op)
		}
	}
	return nil
}

func (o *recordOptions) parseKeyColumns() error {
	o.keyColumns = nil
	for part := range strings.SplitSeq(o.keyText, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		table, columns, ok := strings.Cut(part, ":")
		if table = strings.TrimSpace(table); !ok || table == "" || strings.Contains(columns, ":") {
			return fmt.Errorf("%q is not of the form schema.table:column,column", strings.TrimSpace(part))
		}
		for column := range strings.SplitSeq(columns, ",") {
			if column = strings.TrimSpace(column); column == "" {
				return fmt.Errorf("%q has a column without a name", strings.TrimSpace(part))
			}
			p, err := compilePattern(table + "." + column)
			if err != nil {
				return err
			}
			o.keyColumns = append(o.keyColumns, keyRule{p})
		}
	}
	return nil
}
