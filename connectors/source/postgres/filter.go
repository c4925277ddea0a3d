package postgres

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/javaregex"
)

// maxPatterns is how many regular expressions an option may have (I5).
const maxPatterns = 10000

// tableName is the name of a table in the database.
type tableName struct{ schema, name string }

// String returns schema.table, which is what patterns are matched with.
func (n tableName) String() string { return n.schema + "." + n.name }

// pattern is a regular expression of Java's for a whole name, in any case.
type pattern struct {
	text string
	re   *javaregex.Pattern
}

func compilePattern(text string) (pattern, error) {
	re, err := javaregex.Compile("(?i)" + text)
	if err != nil {
		return pattern{}, fmt.Errorf("the regular expression %q: %w", text, err)
	}
	return pattern{text, re}, nil
}

func (p pattern) matches(name string) (bool, error) {
	ok, err := p.re.Matches(name)
	if err != nil {
		return false, fmt.Errorf("match %q with %q: %w", p.text, name, err)
	}
	return ok, nil
}

// patterns is a list of them in the order of the option; nil: the option is not
// given.
type patterns []pattern

// index returns the place of the first pattern that matches, or -1.
func (p patterns) index(name string) (int, error) {
	for i := range p {
		if ok, err := p[i].matches(name); ok || err != nil {
			return i, err
		}
	}
	return -1, nil
}

func (p patterns) match(name string) (bool, error) {
	i, err := p.index(name)
	return i >= 0, err
}

// check is the check of an option with a list of patterns. A LIST is cut at every
// comma, which is undone first: a backslash keeps one in its pattern.
func (p *patterns) check(list *[]string) func() error {
	return func() (err error) {
		*p, err = compilePatterns(strings.Join(*list, ","))
		return err
	}
}

func compilePatterns(text string) (patterns, error) {
	var p patterns
	for _, part := range splitPatterns(text) {
		one, err := compilePattern(part)
		if err != nil {
			return nil, err
		}
		if p = append(p, one); len(p) > maxPatterns {
			return nil, fmt.Errorf("more than %d regular expressions", maxPatterns)
		}
	}
	return p, nil
}

// splitPatterns cuts a list of regular expressions at its commas. One after a
// backslash belongs to its expression, without the backslash.
func splitPatterns(text string) []string {
	var parts []string
	start := 0
	for i := 0; i <= len(text); i++ {
		switch {
		case i < len(text) && text[i] == '\\':
			i++
			continue
		case i < len(text) && text[i] != ',':
			continue
		}
		end := min(i, len(text))
		if part := strings.TrimSpace(text[start:end]); part != "" {
			parts = append(parts, strings.ReplaceAll(part, `\,`, ","))
		}
		start = i + 1
	}
	if start < len(text) { // the text ends with a backslash
		parts = append(parts, strings.TrimSpace(text[start:]))
	}
	return parts
}

// passes tells whether the filter lets a name through.
func (f *filter) passes(name string) (bool, error) {
	if f.include != nil {
		return f.include.match(name)
	}
	excluded, err := f.exclude.match(name)
	return !excluded, err
}

// builtinSchemas are the server's own.
var builtinSchemas = []string{"pg_catalog", "information_schema"}

// builtinTable tells whether a table is the server's own or an extension's.
func builtinTable(n tableName) bool {
	return slices.Contains(builtinSchemas, strings.ToLower(n.schema)) ||
		strings.HasPrefix(n.schema, "pg_temp") || strings.ToLower(n.name) == "spatial_ref_sys"
}

// captures tells whether changes of a table become records. Signal tables are
// always read; whether their rows become records is up to the filters as well, as
// Debezium writes them too.
func (c *config) captures(n tableName) (bool, error) {
	if c.signals.isSignalTable(n) {
		return true, nil
	}
	if c.filters.builtin && builtinTable(n) {
		return false, nil
	}
	if ok, err := c.filters.schemas.passes(n.schema); !ok || err != nil {
		return false, err
	}
	return c.filters.tables.passes(n.String())
}

// guard applies guardrail.collections.max to the number of captured tables.
func (c *config) guard(tables int, log *slog.Logger) error {
	if most := c.filters.maxTables; most > 0 && tables > most {
		if c.filters.maxTablesFail {
			return &connect.ConfigError{Option: optGuardrail, Reason: fmt.Sprintf("%d tables are captured, more than %d: narrow %s, or raise this option", tables, most, optTableInclude)}
		}
		log.Warn("more tables are captured than "+optGuardrail+" allows", "tables", tables, "limit", most)
	}
	return nil
}

// warnUnmatched logs what in table.include.list matches no table, which is often a
// name without its schema. A table may be made later, so it is no error.
func (c *config) warnUnmatched(tables []tableInfo, log *slog.Logger) error {
	if len(tables) == 0 {
		log.Warn("no table is captured: see " + optSchemaInclude + ", " + optTableInclude + " and their counterparts")
		return nil
	}
	for _, p := range c.filters.tables.include {
		matched := false
		for i := 0; i < len(tables) && !matched; i++ {
			var err error
			if matched, err = p.matches(tables[i].name.String()); err != nil {
				return err
			}
		}
		if !matched {
			log.Warn("an element of "+optTableInclude+" matches no table: it is a regular expression for schema.table", "element", p.text)
		}
	}
	return nil
}

// capturesColumn tells whether a column becomes a field of the record's value.
func (c *config) capturesColumn(n tableName, column string) (bool, error) {
	return c.filters.columns.passes(n.String() + "." + column)
}

// capturesMessage tells whether a logical decoding message becomes a record.
func (c *config) capturesMessage(prefix string) (bool, error) {
	return c.filters.messages.passes(prefix)
}
