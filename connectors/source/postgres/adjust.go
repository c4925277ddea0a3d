package postgres

import "github.com/sluice-data/sluice/internal/avroname"

// schemaName adjusts the name of a schema as schema.name.adjustment.mode says.
func (o *recordOptions) schemaName(name string) string { return avroname.Schema(name, o.schemaNames) }

// fieldName adjusts the name of a field as field.name.adjustment.mode says.
func (o *recordOptions) fieldName(name string) string { return avroname.Field(name, o.fieldNames) }
