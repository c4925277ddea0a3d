package transform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// eventRouter is EventRouter: it makes an event of each row of an outbox table.
type eventRouter struct {
	idField, keyField, typeField, payloadField string
	timestampField, versionField, routeField   string
	placementText                              []string
	missing, invalid                           string
	tombstones                                 bool
	json                                       jsonExpander

	router   regexRouter
	extra    []extraField
	envelope bool // fields stand beside the payload, so that the value is a struct

	plans compiled[outboxPlan]
}

// extraField is an element of table.fields.additional.placement.
type extraField struct{ field, placement, alias string }

// The places of additional fields.
const (
	placeHeader    = "header"
	placeEnvelope  = "envelope"
	placePartition = "partition"
)

func (t *eventRouter) options() []connect.Option {
	return []connect.Option{
		{Name: "table.field.event.id", Var: &t.idField, Default: "id", Importance: connect.Low, Doc: "Column of the event's id, which becomes the header id."},
		{Name: "table.field.event.key", Var: &t.keyField, Default: "aggregateid", Importance: connect.Low, Doc: "Column of the record's key."},
		{Name: "table.field.event.type", Var: &t.typeField, Default: "type", Importance: connect.Low, Doc: "No effect: name the column in table.fields.additional.placement."},
		{Name: "table.field.event.payload", Var: &t.payloadField, Default: "payload", Importance: connect.Low, Doc: "Column of the record's value."},
		{Name: "table.field.event.timestamp", Var: &t.timestampField, Importance: connect.Medium,
			Doc: "Column of the record's timestamp. By default it is the time of the change event."},
		{Name: "table.field.event.schema.version", Var: &t.versionField, Importance: connect.Low, Doc: "Column of the version of the value's schema."},
		{Name: "table.fields.additional.placement", Var: &t.placementText, Importance: connect.High,
			Doc: "More columns and where they go: column:header, column:envelope:other name, column:partition."},
		{Name: "table.field.additional.missing", Var: &t.missing, Default: "error", IgnoreCase: true, OneOf: []string{"error", "ignore"}, Importance: connect.Medium,
			Doc: "What happens when such a column is missing."},
		{Name: "table.op.invalid.behavior", Var: &t.invalid, Default: "warn", IgnoreCase: true, OneOf: []string{"warn", "error", "fatal"}, Importance: connect.Medium,
			Doc: "What happens to an update of a row of the outbox: with fatal the record fails, otherwise it is left out. Deletes are always left out."},
		{Name: "table.expand.json.payload", Var: &t.json.on, Default: "false", Importance: connect.Medium,
			Doc: "Whether a payload that is the text of a JSON object becomes a struct. Other text stays as it is."},
		{Name: "table.json.payload.null.behavior", Var: &t.json.nulls, Default: "ignore", IgnoreCase: true, OneOf: []string{"ignore", "optional_bytes"}, Importance: connect.Medium,
			Doc: "Whether nulls in it are left out or are fields of type BYTES."},
		{Name: "route.by.field", Var: &t.routeField, Default: "aggregatetype", Importance: connect.High, Doc: "Column that the topic is made of."},
		{Name: "route.topic.regex", Var: &t.router.regex, Default: "(?<routedByValue>.*)", Check: checkRegex(&t.router.regex, &t.router.pattern), Importance: connect.Low,
			Doc: "Java regular expression for its value."},
		{Name: "route.topic.replacement", Var: &t.router.replacement, Default: "outbox.event.${routedByValue}", Importance: connect.High,
			Doc: "The topic, in which $1 and ${name} are groups of route.topic.regex."},
		{Name: "route.tombstone.on.empty.payload", Var: &t.tombstones, Default: "false", Importance: connect.High,
			Doc: "Whether an empty payload makes a record without value."},
		{Name: "tracing.span.context.field", Var: new(string), Default: "tracingspancontext", Importance: connect.Low, Doc: "No effect."},
		{Name: "tracing.operation.name", Var: new(string), Default: "debezium-read", Importance: connect.Low, Doc: "No effect."},
		{Name: "tracing.with.context.field.only", Var: new(bool), Default: "false", Importance: connect.Low, Doc: "No effect."},
	}
}

func (t *eventRouter) prepare() error {
	t.extra, t.envelope = nil, false
	for _, text := range t.placementText {
		parts := strings.Split(text, ":")
		if len(parts) < 2 || len(parts) > 3 {
			return &connect.ConfigError{Option: "table.fields.additional.placement", Reason: fmt.Sprintf("%q is not of the form column:placement or column:placement:name", text)}
		}
		f := extraField{field: strings.TrimSpace(parts[0]), placement: strings.ToLower(strings.TrimSpace(parts[1])), alias: strings.TrimSpace(parts[len(parts)-1])}
		if len(parts) == 2 {
			f.alias = f.field
		}
		switch f.placement {
		case placeEnvelope:
			t.envelope = true
		case placeHeader, placePartition:
		default:
			return &connect.ConfigError{Option: "table.fields.additional.placement", Reason: fmt.Sprintf("%q is not one of header, envelope, partition", f.placement)}
		}
		t.extra = append(t.extra, f)
	}
	if err := t.router.prepare(); err != nil {
		return &connect.ConfigError{Option: "route.topic.replacement", Reason: err.(*connect.ConfigError).Reason}
	}
	return nil
}

func (t *eventRouter) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	if r.Value.IsNull() {
		return false, nil
	}
	s := r.ValueSchema
	if s == nil || s.Type() != connect.Struct || !strings.HasSuffix(s.Name(), envelopeSuffix) {
		return true, nil
	}
	cells, err := structCells(s, r.Value, "Detect Debezium Operation")
	if err != nil {
		return false, err
	}
	if i := s.Index("op"); i >= 0 && cells[i].Type() == connect.String {
		switch op := cells[i].Text(); {
		case op == "u" && t.invalid == "fatal":
			return false, errors.New("Unexpected update message received, fail.")
		case op == "u" || op == "d":
			return false, nil
		}
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	row, err := structCells(plan.row, cells[plan.after], "Read Outbox Event")
	if err != nil {
		return false, err
	}
	return true, t.event(b, r, plan, cells, row)
}

// event makes the record of an event.
func (t *eventRouter) event(b *connect.Batch, r *connect.Record, plan *outboxPlan, envelope, row []connect.Value) error {
	routed := plan.get(row, plan.route)
	if routed.Type() != connect.String {
		return fmt.Errorf("the row has no text in %s to make a topic of", t.routeField)
	}
	timestamp, err := plan.timestamp.of(envelope[plan.tsMs], row)
	if err != nil {
		return err
	}
	payloadSchema, payload := plan.row.Fields()[plan.payload].Schema, plan.get(row, plan.payload)
	if t.json.on && payload.Type() == connect.String {
		if es, ev, err := t.json.expand(b, t.payloadField, payload.Text()); err == nil {
			payloadSchema, payload = es, ev
		}
	}
	t.headers(b, r, plan, row)
	if t.tombstones && emptyPayload(payload) {
		r.ValueSchema, r.Value = nil, connect.Value{}
	} else if err := t.value(b, r, plan, row, routed.Text(), payloadSchema, payload); err != nil {
		return err
	}
	r.KeySchema, r.Key = plan.row.Fields()[plan.key].Schema, plan.get(row, plan.key)
	if plan.partition >= 0 {
		if p := plan.get(row, plan.partition); !p.IsNull() {
			r.Partition = int32(p.Int())
		}
	}
	r.Topic, r.Timestamp = routed.Text(), timestamp
	_, err = t.router.apply(b, r)
	return err
}

// emptyPayload tells whether a payload is null or blank text.
func emptyPayload(v connect.Value) bool {
	return v.IsNull() || v.Type() == connect.String && strings.TrimFunc(v.Text(), func(c rune) bool { return c <= ' ' }) == ""
}

// headers adds the header id and those of additional fields.
func (t *eventRouter) headers(b *connect.Batch, r *connect.Record, plan *outboxPlan, row []connect.Value) {
	out := addHeaders(b, r.Headers, 1+len(plan.headers))
	add := func(name string, i int) {
		out = append(out, connect.Header{Key: name, Schema: plan.row.Fields()[i].Schema, Value: plan.get(row, i)})
	}
	add("id", plan.id)
	for _, h := range plan.headers {
		add(h.name, h.field)
	}
	r.Headers = out
}

// value puts the payload, or a struct of it and additional fields, into the record.
func (t *eventRouter) value(b *connect.Batch, r *connect.Record, plan *outboxPlan, row []connect.Value, routed string, s *connect.Schema, payload connect.Value) error {
	if !t.envelope {
		r.ValueSchema, r.Value = s, payload
		return nil
	}
	version := 0
	if plan.version >= 0 {
		v := plan.get(row, plan.version)
		if v.Type() != connect.Int32 {
			return fmt.Errorf("the row has no number in %s", t.versionField)
		}
		version = int(v.Int())
	}
	schema, err := plan.valueSchema(routed, version, s)
	if err != nil {
		return err
	}
	cells := b.Cells(1 + len(plan.fields))
	cells[0] = payload
	for i, f := range plan.fields {
		cells[1+i] = plan.get(row, f.field)
	}
	r.ValueSchema, r.Value = schema, connect.StructValue(cells)
	return nil
}
