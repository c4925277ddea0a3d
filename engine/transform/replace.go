package transform

import (
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// replaceField is ReplaceField.
type replaceField struct {
	part
	nulls
	exclude, include, renames []string

	excluded, included map[string]bool
	renamed            map[string]string
	targets            map[string]bool // the new names
	plans              compiled[replacePlan]
}

// replacePlan says from which cells of a struct the new one is made.
type replacePlan struct {
	schema *connect.Schema
	from   []int
}

func (t *replaceField) options() []connect.Option {
	return []connect.Option{
		{Name: "exclude", Var: &t.exclude, Importance: connect.Medium, Doc: "Fields to leave out. It goes before include."},
		{Name: "include", Var: &t.include, Importance: connect.Medium, Doc: "Fields to keep; all when empty."},
		{Name: "renames", Var: &t.renames, Check: t.checkRenames, Importance: connect.Medium, Doc: "New names of fields: old:new,old:new."},
		t.nulls.option(),
	}
}

func (t *replaceField) checkRenames() error {
	t.renamed, t.targets = make(map[string]string, len(t.renames)), make(map[string]bool)
	for _, r := range t.renames {
		parts := splitColons(r)
		if len(parts) != 2 {
			return fmt.Errorf("Invalid rename mapping: %s", r)
		}
		t.renamed[parts[0]], t.targets[parts[1]] = parts[1], true
	}
	return nil
}

// splitColons splits as Java's String.split does: empty parts at the end are none.
func splitColons(text string) []string {
	parts := strings.Split(text, ":")
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

func (t *replaceField) prepare() error {
	t.excluded, t.included = names(t.exclude), names(t.include)
	return nil
}

func names(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, n := range list {
		m[n] = true
	}
	return m
}

func (t *replaceField) keeps(name string) bool {
	return !t.excluded[name] && (len(t.included) == 0 || t.included[name])
}

func (t *replaceField) newName(name string) string {
	if to, ok := t.renamed[name]; ok {
		return to
	}
	return name
}

func (t *replaceField) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	switch {
	case err != nil:
		return false, err
	case v.IsNull():
		return true, nil
	case s == nil:
		return true, t.applySchemaless(b, r, v)
	}
	cells, err := structCells(s, v, "field replacement")
	if err != nil {
		return false, err
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	out := b.Cells(len(plan.from))
	fields := plan.schema.Fields()
	for i, from := range plan.from {
		if err := t.copyTo(&out[i], &fields[i], cells[from]); err != nil {
			return false, err
		}
	}
	t.store(r, plan.schema, connect.StructValue(out))
	return true, nil
}

func (t *replaceField) compile(s *connect.Schema) (*replacePlan, error) {
	var fields []connect.Field
	p := &replacePlan{}
	for i, f := range s.Fields() {
		if t.keeps(f.Name) {
			fields = append(fields, connect.Field{Name: t.newName(f.Name), Schema: f.Schema})
			p.from = append(p.from, i)
		}
	}
	var err error
	p.schema, err = newStruct(fields, basics(s))
	return p, err
}

func (t *replaceField) applySchemaless(b *connect.Batch, r *connect.Record, v connect.Value) error {
	pairs, err := mapPairs(v, "field replacement")
	if err != nil {
		return err
	}
	out := b.Cells(len(pairs))[:0]
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].Type() != connect.String {
			continue
		}
		name := pairs[i].Text()
		switch to := t.newName(name); {
		case !t.keeps(name):
		case t.targets[to]:
			out = set(out, to, pairs[i+1]) // two fields may get one name
		default:
			out = append(out, pairs[i], pairs[i+1])
		}
	}
	t.store(r, nil, connect.MapValue(out))
	return nil
}

// newStruct is connect.NewStruct with Kafka's error for a name that comes twice.
func newStruct(fields []connect.Field, a connect.Attrs) (*connect.Schema, error) {
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		if seen[f.Name] {
			return nil, fmt.Errorf("Cannot create field because of field name duplication %s", f.Name)
		}
		seen[f.Name] = true
	}
	return connect.NewStruct(fields, a)
}
