package transform

import (
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// debeziumPackage is the Java package of Debezium's transforms.
const debeziumPackage = "io.debezium.transforms."

// envelopeSuffix ends the names of Debezium's envelopes: records with other values
// pass as they are.
const envelopeSuffix = ".Envelope"

// extractNewRecordState is ExtractNewRecordState: it puts the row after a change in
// the place of Debezium's envelope.
type extractNewRecordState struct {
	nulls
	mode                        string
	routeBy                     string
	fieldsPrefix, headersPrefix string
	fieldsText, headersText     []string
	dropHeader                  string
	dropKey, dropCompatible     bool
	legacyDeletes               string
	legacyTombstones            bool

	addFields, addHeaders []fieldReference
	plans                 compiled[statePlan]
	dropped               droppedSchemas
}

// The values of delete.tombstone.handling.mode.
const (
	deletesDrop                 = "drop"
	deletesTombstone            = "tombstone"
	deletesRewrite              = "rewrite"
	deletesRewriteWithTombstone = "rewrite-with-tombstone"
	deletesToTombstone          = "delete-to-tombstone"
)

func (t *extractNewRecordState) options() []connect.Option {
	const names = "Names of fields of the envelope, of its source or transaction: op, table, source.ts_ms, transaction.id; name:other gives another name."
	return []connect.Option{
		{Name: "delete.tombstone.handling.mode", Var: &t.mode, NoDefault: true, IgnoreCase: true, Importance: connect.Medium,
			OneOf: []string{deletesTombstone, deletesDrop, deletesRewrite, deletesRewriteWithTombstone, deletesToTombstone},
			Doc: "What becomes of a delete and the tombstone behind it: tombstone (the default) and delete-to-tombstone leave one record without value, drop none; rewrite leaves the row before, " +
				"with a field __deleted, which is false in other records; rewrite-with-tombstone leaves the tombstone too."},
		{Name: "add.fields", Var: &t.fieldsText, Importance: connect.Low, Doc: names + " They become fields of the row."},
		{Name: "add.fields.prefix", Var: &t.fieldsPrefix, Default: "__", Importance: connect.Low, Doc: "What stands before their names."},
		{Name: "add.headers", Var: &t.headersText, Importance: connect.Low, Doc: names + " They become headers."},
		{Name: "add.headers.prefix", Var: &t.headersPrefix, Default: "__", Importance: connect.Low, Doc: "What stands before their names."},
		{Name: "route.by.field", Var: &t.routeBy, Importance: connect.Low, Doc: "Field of the row whose text is the record's topic."},
		{Name: "replace.null.with.default", Var: &t.replace, Default: "true", Importance: connect.Low,
			Doc: "Whether a field that is null takes the default of its schema when __deleted is added."},
		{Name: "drop.fields.header.name", Var: &t.dropHeader, Importance: connect.Low, Doc: "Header with a list of names of fields to leave out."},
		{Name: "drop.fields.from.key", Var: &t.dropKey, Default: "false", Importance: connect.Low, Doc: "Whether they are left out of the key too."},
		{Name: "drop.fields.keep.schema.compatible", Var: &t.dropCompatible, Default: "true", Importance: connect.Low,
			Doc: "Whether only optional fields are left out."},
		{Name: "delete.handling.mode", Var: &t.legacyDeletes, NoDefault: true, IgnoreCase: true, OneOf: []string{"none", "drop", "rewrite"}, Importance: connect.Low,
			Doc: "Older form of delete.tombstone.handling.mode, with drop.tombstones."},
		{Name: "drop.tombstones", Var: &t.legacyTombstones, Default: "true", Importance: connect.Low,
			Doc: "Older form of delete.tombstone.handling.mode, with delete.handling.mode."},
	}
}

func (t *extractNewRecordState) prepare() error {
	if t.mode == "" {
		t.mode = t.legacyMode()
	}
	var err error
	if t.addFields, err = fieldReferences(t.fieldsPrefix, t.fieldsText); err != nil {
		return &connect.ConfigError{Option: "add.fields", Reason: err.Error()}
	}
	if t.addHeaders, err = fieldReferences(t.headersPrefix, t.headersText); err != nil {
		return &connect.ConfigError{Option: "add.headers", Reason: err.Error()}
	}
	return nil
}

// legacyMode is what the two older options say.
func (t *extractNewRecordState) legacyMode() string {
	switch {
	case t.legacyDeletes == "drop" && t.legacyTombstones:
		return deletesDrop
	case t.legacyDeletes == "rewrite" && t.legacyTombstones:
		return deletesRewrite
	case t.legacyDeletes == "rewrite":
		return deletesRewriteWithTombstone
	}
	return deletesTombstone
}

func (t *extractNewRecordState) rewrites() bool {
	return t.mode == deletesRewrite || t.mode == deletesRewriteWithTombstone
}

func (t *extractNewRecordState) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	if r.Value.IsNull() {
		t.tombstoneHeaders(b, r)
		return t.mode == deletesRewriteWithTombstone, nil
	}
	s := r.ValueSchema
	if s == nil || s.Type() != connect.Struct || !strings.HasSuffix(s.Name(), envelopeSuffix) {
		return true, nil
	}
	envelope, err := structCells(s, r.Value, "field extraction")
	if err != nil {
		return false, err
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	plan.addHeaders(b, r, envelope)
	after, before := envelope[plan.after], envelope[plan.before]
	switch {
	case after.IsNull() && before.IsNull():
		return false, nil // a truncate
	case !after.IsNull():
		return t.row(b, r, plan, plan.created, after, "false", envelope)
	}
	if err := t.route(r, plan.created.from, before); err != nil {
		return false, err
	}
	switch t.mode {
	case deletesDrop:
		return false, nil
	case deletesTombstone:
		r.ValueSchema, r.Value = plan.created.from, connect.Value{}
		return true, nil
	case deletesToTombstone:
		r.ValueSchema, r.Value = nil, connect.Value{}
		return true, nil
	}
	return t.row(b, r, plan, plan.deleted, before, "true", envelope)
}

// tombstoneHeaders adds what is known of a tombstone: that it is a delete.
func (t *extractNewRecordState) tombstoneHeaders(b *connect.Batch, r *connect.Record) {
	for _, f := range t.addHeaders {
		if f.field == "op" {
			r.Headers = append(addHeaders(b, r.Headers, 1), connect.Header{Key: f.name, Schema: connect.StringSchema, Value: connect.StringValue("d")})
		}
	}
}

// row puts a row and the additional fields in the place of the envelope.
func (t *extractNewRecordState) row(b *connect.Batch, r *connect.Record, plan *statePlan, out *rowPlan, row connect.Value, deleted string, envelope []connect.Value) (bool, error) {
	cells, err := structCells(out.from, row, "field insertion")
	if err != nil {
		return false, err
	}
	n := len(out.to.Fields())
	made := b.Cells(n)[:len(cells)]
	copy(made, cells)
	if t.rewrites() {
		for i := range made {
			if err := t.copyTo(&made[i], &out.from.Fields()[i], cells[i]); err != nil {
				return false, err
			}
		}
		made = append(made, connect.StringValue(deleted))
	}
	for _, f := range plan.fields {
		made = append(made, f.value(envelope))
	}
	if err := t.route(r, out.from, row); err != nil {
		return false, err
	}
	r.ValueSchema, r.Value = out.to, connect.StructValue(made)
	return true, t.dropFields(b, r)
}

// route gives the record the topic that a field of the row names.
func (t *extractNewRecordState) route(r *connect.Record, s *connect.Schema, row connect.Value) error {
	if t.routeBy == "" {
		return nil
	}
	i := s.Index(t.routeBy)
	if i < 0 || s.Fields()[i].Schema.Type() != connect.String {
		return fmt.Errorf("%s is not a valid field name of a text", t.routeBy)
	}
	if v := row.Cells()[i]; !v.IsNull() && strings.TrimSpace(v.Text()) != "" {
		r.Topic = v.Text()
	}
	return nil
}
