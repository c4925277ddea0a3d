package postgres

import "strings"

// quoteIdent quotes a name for SQL and for replication commands.
func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteTable quotes a table's full name.
func quoteTable(schema, name string) string { return quoteIdent(schema) + "." + quoteIdent(name) }

// quoteLiteral quotes text for SQL and for replication commands.
func quoteLiteral(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// quotedName is the SQL expression for what quoteTable makes of two columns.
func quotedName(schema, name string) string {
	return `'"' || replace(` + schema + `, '"', '""') || '"."' || replace(` + name + `, '"', '""') || '"'`
}
