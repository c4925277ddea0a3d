package postgres

import (
	"fmt"
	"slices"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// tableBuilder makes a table.
type tableBuilder struct {
	config  *config
	catalog *pgtype.Catalog
	info    *tableInfo
	t       *table
}

func (b *tableBuilder) build() error {
	topic, origin, err := b.config.topics.table(b.info.name)
	if err != nil {
		return err
	}
	b.t.topic = topic
	b.t.source = newTableCells(b.info.name)
	if err := b.columns(); err != nil {
		return err
	}
	if err := b.key(origin); err != nil {
		return err
	}
	return b.schemas()
}

// columns compiles the codecs of the value's fields.
func (b *tableBuilder) columns() error {
	b.t.columns = make([]column, len(b.info.columns))
	for i, c := range b.info.columns {
		place := column{name: c.Name, field: -1, key: -1}
		captured, err := b.config.capturesColumn(b.info.name, c.Name)
		if err != nil {
			return err
		}
		if captured {
			if err := b.config.masks.describe(b.catalog, b.info.name, &c, &place); err != nil {
				return err
			}
			if place.codec, err = b.compile(c); err != nil {
				return err
			}
		}
		if place.codec != nil {
			place.field = b.t.fields
			b.t.fields++
		}
		b.t.columns[i] = place
	}
	return nil
}

// compile returns the codec of a column, nil when its type has no form.
func (b *tableBuilder) compile(c pgtype.Column) (*pgtype.Codec, error) {
	if !b.config.types.comments {
		c.Doc = ""
	}
	codec, err := b.catalog.Compile(c, &b.config.types.options)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", c.Name, err)
	}
	return codec, nil
}

// key makes the key's schema and notes which columns it takes. Filters and masks do
// not concern it.
func (b *tableBuilder) key(origin string) error {
	places, err := b.keyPlaces()
	if err != nil {
		return err
	}
	var fields []connect.Field
	for _, i := range places {
		codec, err := b.compile(b.info.columns[i])
		if err != nil {
			return err
		}
		if codec == nil || b.t.columns[i].key >= 0 {
			continue
		}
		place := &b.t.columns[i]
		if place.codec == nil {
			place.codec = codec
		}
		place.key = len(fields)
		fields = append(fields, connect.Field{Name: b.config.records.fieldName(place.name), Schema: codec.Schema})
	}
	b.t.keys = len(fields)
	if r := b.config.topics.naming.regex; r != nil && r.keyField != "" {
		value, err := r.keyFieldValue(origin)
		if err != nil {
			return err
		}
		b.t.keySuffix = connect.StringValue(value)
		fields = append(fields, connect.Field{Name: r.keyField, Schema: connect.StringSchema})
	}
	if len(fields) == 0 {
		return nil
	}
	name := b.config.records.schemaName(b.t.topic + ".Key")
	b.t.keySchema, err = connect.NewStruct(fields, connect.Attrs{Name: name})
	return err
}

// keyPlaces returns the places of the key's columns: those of message.key.columns in
// its order, or those of the primary key or unique index in the index's.
func (b *tableBuilder) keyPlaces() ([]int, error) {
	var places []int
	for _, rule := range b.config.records.keyColumns {
		for i, c := range b.info.columns {
			ok, err := rule.column.matches(b.info.name.String() + "." + c.Name)
			if err != nil {
				return nil, err
			}
			if ok {
				places = append(places, i)
			}
		}
	}
	if len(places) > 0 {
		return places, nil
	}
	for _, name := range b.info.key() {
		places = append(places, slices.IndexFunc(b.info.columns, func(c pgtype.Column) bool { return c.Name == name }))
	}
	return places, nil
}

// schemas makes the schemas of the value and of the envelope around it.
func (b *tableBuilder) schemas() error {
	fields := make([]connect.Field, 0, b.t.fields)
	for _, c := range b.t.columns {
		if c.field >= 0 {
			fields = append(fields, connect.Field{Name: b.config.records.fieldName(c.name), Schema: c.codec.Schema})
		}
	}
	var err error
	b.t.valueSchema, err = connect.NewStruct(fields, connect.Attrs{Name: b.config.records.schemaName(b.t.topic + ".Value"), Optional: true})
	if err != nil {
		return err
	}
	b.t.envelopeSchema, err = envelopeSchema(b.config.records.schemaName(b.t.topic+".Envelope"), b.t.valueSchema)
	return err
}
