package postgres

import (
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// Names of the options that messages refer to.
const (
	optSchemaInclude  = "schema.include.list"
	optSchemaExclude  = "schema.exclude.list"
	optTableInclude   = "table.include.list"
	optTableExclude   = "table.exclude.list"
	optColumnInclude  = "column.include.list"
	optColumnExclude  = "column.exclude.list"
	optMessageInclude = "message.prefix.include.list"
	optMessageExclude = "message.prefix.exclude.list"
	optGuardrail      = "guardrail.collections.max"
)

// filterOptions say what is captured.
type filterOptions struct {
	schemas, tables, columns, messages filter
	// builtin leaves the server's own tables out.
	builtin bool
	// maxTables is how many captured tables there may be; 0: no limit.
	maxTables     int
	maxTablesFail bool // or a warning

	limitAction string
}

// filter is a pair of options that exclude each other.
type filter struct {
	include, exclude         patterns
	includeText, excludeText []string
}

func (o *filterOptions) define(d *connect.Def) {
	const (
		anchored = "Regular expressions (Java's, for the whole name, in any case), separated by commas: "
		table    = "schema.table"
		column   = "schema.table.column"
	)
	d.Add(group(groupFilters,
		o.schemas.option(optSchemaInclude, anchored+"schemas to capture. All by default, but the server's own.", "Include Schemas", "schema.whitelist"),
		o.schemas.option(optSchemaExclude, anchored+"schemas to leave out.", "Exclude Schemas", "schema.blacklist"),
		o.tables.option(optTableInclude, anchored+"tables to capture, as "+table+". All by default.", "Include Tables", "table.whitelist"),
		o.tables.option(optTableExclude, anchored+"tables to leave out, as "+table+".", "Exclude Tables", "table.blacklist"),
		o.columns.option(optColumnInclude, anchored+"columns to capture, as "+column+". Those of the key stay in the key.", "Include Columns", "column.whitelist"),
		o.columns.option(optColumnExclude, anchored+"columns to leave out, as "+column+". Those of the key stay in the key.", "Exclude Columns", "column.blacklist"),
		o.messages.option(optMessageInclude, anchored+"prefixes of logical decoding messages (pg_logical_emit_message) to capture. All by default.", "Include Message Prefixes"),
		o.messages.option(optMessageExclude, anchored+"prefixes of logical decoding messages to leave out.", "Exclude Message Prefixes"),
		connect.Option{Name: "table.ignore.builtin", Var: &o.builtin, Default: "true",
			Doc:        "Whether the server's own tables are left out: those of pg_catalog and information_schema, temporary ones and spatial_ref_sys.",
			Importance: connect.Low, Display: "Ignore Built-in Tables"},
		connect.Option{Name: optGuardrail, Var: &o.maxTables, Default: "0", Check: atLeast(&o.maxTables, 0),
			Doc:        "How many tables may be captured; 0 is no limit.",
			Importance: connect.Medium, Display: "Table Limit"},
		connect.Option{Name: "guardrail.collections.limit.action", Var: &o.limitAction, Default: "warn", IgnoreCase: true,
			OneOf: []string{"warn", "fail"}, Check: func() error { o.maxTablesFail = o.limitAction == "fail"; return nil },
			Doc:        "What happens when there are more.",
			Importance: connect.Medium, Display: "Table Limit Action"},
	)...)
}

// option declares one side of the filter: the one that the name says.
func (f *filter) option(name, doc, display string, aliases ...string) connect.Option {
	p, text := &f.include, &f.includeText
	if strings.Contains(name, ".exclude.") {
		p, text = &f.exclude, &f.excludeText
	}
	importance := connect.Medium
	if name == optSchemaInclude || name == optTableInclude {
		importance = connect.High
	}
	return connect.Option{Name: name, Var: text, Check: p.check(text), Aliases: aliases,
		Doc: doc, Importance: importance, Display: display}
}

// validate refuses filters with both sides.
func (o *filterOptions) validate() (errs []*connect.ConfigError) {
	for _, f := range []struct {
		filter           *filter
		include, exclude string
	}{
		{&o.schemas, optSchemaInclude, optSchemaExclude},
		{&o.tables, optTableInclude, optTableExclude},
		{&o.columns, optColumnInclude, optColumnExclude},
		{&o.messages, optMessageInclude, optMessageExclude},
	} {
		if f.filter.include != nil && f.filter.exclude != nil {
			errs = append(errs, &connect.ConfigError{Option: f.exclude,
				Reason: fmt.Sprintf("it cannot be used together with %s: keep one of them", f.include)})
		}
	}
	return errs
}
