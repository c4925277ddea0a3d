package transform

import (
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// outboxPlan is what is compiled for an envelope of an outbox table. Numbers are places
// in the row; -1: none.
type outboxPlan struct {
	tsMs, after int // in the envelope
	row         *connect.Schema

	id, key, payload, route, version, partition int
	timestamp                                   outboxTime
	headers, fields                             []outboxField

	values map[outboxValue]*connect.Schema
}

type outboxField struct {
	name  string
	field int
}

// outboxValue is what the schema of a value depends on.
type outboxValue struct {
	routed  string
	version int
	payload *connect.Schema
}

// outboxTime is the column of timestamps.
type outboxTime struct {
	field int   // -1: the time of the change event
	unit  int64 // how many of the column's units are a millisecond
}

func (t *eventRouter) compile(s *connect.Schema) (*outboxPlan, error) {
	p := &outboxPlan{tsMs: s.Index("ts_ms"), after: s.Index("after"), version: -1, partition: -1,
		values: make(map[outboxValue]*connect.Schema)}
	if p.tsMs < 0 || p.after < 0 {
		return nil, fmt.Errorf("the envelope %s has no fields ts_ms and after", s.Name())
	}
	if p.row = s.Fields()[p.after].Schema; p.row.Type() != connect.Struct {
		return nil, fmt.Errorf("the row is no struct but %s", p.row.Type())
	}
	for _, column := range []struct {
		name string
		at   *int
		what string
	}{
		{t.payloadField, &p.payload, "payload"}, {t.idField, &p.id, "event-id"}, {t.keyField, &p.key, "event-key"},
		{t.routeField, &p.route, "route"}, {t.versionField, &p.version, "schema version"},
	} {
		if column.name == "" {
			continue
		}
		if *column.at = p.row.Index(column.name); *column.at < 0 {
			return nil, fmt.Errorf("Unable to find %s field %s in event", column.what, column.name)
		}
	}
	var err error
	if p.timestamp, err = t.timeOf(p.row); err != nil {
		return nil, err
	}
	return p, t.place(p)
}

// place finds the additional fields.
func (t *eventRouter) place(p *outboxPlan) error {
	for _, f := range t.extra {
		i := p.row.Index(f.field)
		switch {
		case i < 0 && t.missing == "ignore":
		case i < 0:
			return fmt.Errorf("Unable to find field %s in event", f.field)
		case f.placement == placeEnvelope:
			p.fields = append(p.fields, outboxField{f.alias, i})
		case f.placement == placeHeader:
			p.headers = append(p.headers, outboxField{f.alias, i})
		case p.row.Fields()[i].Schema.Type() != connect.Int32:
			return fmt.Errorf("Field '%s' is not of type INT32", f.field)
		default:
			p.partition = i
		}
	}
	return nil
}

func (t *eventRouter) timeOf(row *connect.Schema) (outboxTime, error) {
	if t.timestampField == "" {
		return outboxTime{field: -1}, nil
	}
	i := row.Index(t.timestampField)
	if i < 0 {
		return outboxTime{}, fmt.Errorf("Unable to find timestamp field %s in event", t.timestampField)
	}
	switch s := row.Fields()[i].Schema; {
	case s.Type() != connect.Int64:
		return outboxTime{}, fmt.Errorf("Field '%s' is not of type INT64", t.timestampField)
	case s.Name() == "io.debezium.time.Timestamp":
		return outboxTime{i, 1}, nil
	case s.Name() == "io.debezium.time.MicroTimestamp":
		return outboxTime{i, 1000}, nil
	case s.Name() == "io.debezium.time.NanoTimestamp":
		return outboxTime{i, 1_000_000}, nil
	default:
		return outboxTime{}, fmt.Errorf("Unsupported field type %s for event timestamp", s.Name())
	}
}

// of returns a row's timestamp in milliseconds.
func (t *outboxTime) of(changed connect.Value, row []connect.Value) (int64, error) {
	if t.field >= 0 && !row[t.field].IsNull() {
		return row[t.field].Int() / t.unit, nil
	}
	if changed.IsNull() {
		return connect.NoTimestamp, nil
	}
	if changed.Type() != connect.Int64 {
		return 0, fmt.Errorf("ts_ms of the envelope is %s", changed.Type())
	}
	return changed.Int(), nil
}

// get returns a cell of a row, its schema's default in place of a null.
func (p *outboxPlan) get(row []connect.Value, i int) connect.Value {
	return (&nulls{true}).get(p.row.Fields()[i].Schema, row[i])
}

// valueSchema returns the schema of a value with additional fields.
func (p *outboxPlan) valueSchema(routed string, version int, payload *connect.Schema) (*connect.Schema, error) {
	if s := p.values[outboxValue{routed, version, payload}]; s != nil {
		return s, nil
	}
	fields := []connect.Field{{Name: "payload", Schema: payload}}
	for _, f := range p.fields {
		fields = append(fields, connect.Field{Name: f.name, Schema: p.row.Fields()[f.field].Schema})
	}
	routed = strings.Clone(routed) // a text of the batch
	s, err := connect.NewStruct(fields, connect.Attrs{Name: eventSchemaName(p.row.Name(), routed), Version: version})
	if err != nil {
		return nil, err
	}
	if len(p.values) >= maxCompiled {
		clear(p.values)
	}
	p.values[outboxValue{routed, version, payload}] = s
	return s, nil
}

// eventSchemaName puts what the topic is made of before the last element of a name.
func eventSchemaName(name, routed string) string {
	i := strings.LastIndexByte(name, '.')
	if name == "" {
		return routed
	}
	return name[:i+1] + routed + "." + name[i+1:]
}
