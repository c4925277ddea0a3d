package transform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// extractField is ExtractField.
type extractField struct {
	part
	nulls
	field, syntax string

	path  []string
	plans compiled[extractPlan]
}

// extractPlan is the way to a field.
type extractPlan struct {
	steps  []connect.Field // the fields on the way, the last one is it
	index  []int
	schema *connect.Schema
}

func (t *extractField) options() []connect.Option {
	return []connect.Option{
		{Name: "field", Var: &t.field, Required: true, Importance: connect.Medium, Doc: "The field to extract."},
		{Name: "field.syntax.version", Var: &t.syntax, Default: "V1", Check: t.checkSyntax, Importance: connect.High,
			Doc: "V1: field is the name of a field. V2: it is a path of names with dots between them; a name with dots stands between backticks (KIP-821)."},
		t.nulls.option(),
	}
}

func (t *extractField) checkSyntax() error {
	switch strings.ToUpper(t.syntax) {
	case "V1":
		t.path = []string{t.field}
	case "V2":
		var err error
		t.path, err = parsePath(t.field)
		return err
	default:
		return errors.New("String must be one of (case insensitive): V1, V2")
	}
	return nil
}

func (t *extractField) prepare() error { return nil }

func (t *extractField) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	s, v, err := t.load(b, r)
	if err != nil {
		return false, err
	}
	if s == nil {
		v, err = t.fromMap(v)
		t.store(r, nil, v)
		return true, err
	}
	const purpose = "field extraction"
	if !v.IsNull() {
		if _, err := structCells(s, v, purpose); err != nil {
			return false, err
		}
	}
	plan, err := t.plans.of(s, t.compile)
	if err != nil {
		return false, err
	}
	if v, err = plan.from(v, &t.nulls); err != nil {
		return false, err
	}
	t.store(r, plan.schema, v)
	return true, nil
}

func (t *extractField) fromMap(v connect.Value) (connect.Value, error) {
	purpose := "field extraction"
	for _, name := range t.path {
		if v.IsNull() {
			return v, nil
		}
		pairs, err := mapPairs(v, purpose)
		if err != nil {
			return v, err
		}
		v, _ = find(pairs, name)
		purpose = nestedAccess
	}
	return v, nil
}

const nestedAccess = "nested field access"

func (t *extractField) compile(s *connect.Schema) (*extractPlan, error) {
	p := &extractPlan{schema: s}
	for _, name := range t.path {
		if p.schema.Type() != connect.Struct {
			return nil, errors.New("Cannot look up fields on non-struct type")
		}
		i := p.schema.Index(name)
		if i < 0 {
			return nil, fmt.Errorf("Unknown field: %s", t.field)
		}
		f := p.schema.Fields()[i]
		p.steps, p.index, p.schema = append(p.steps, f), append(p.index, i), f.Schema
	}
	return p, nil
}

// from follows the path. On the way a null always takes its default; at the end
// that is the option's choice.
func (p *extractPlan) from(v connect.Value, n *nulls) (connect.Value, error) {
	for i, at := range p.index {
		if v.IsNull() {
			return v, nil
		}
		if v.Type() != connect.Struct || at >= v.Len() {
			return v, fmt.Errorf("Only Struct objects supported for [%s], found: %s", nestedAccess, className(nil, v))
		}
		v = v.Cells()[at]
		if i < len(p.index)-1 {
			v = (&nulls{true}).get(p.steps[i].Schema, v)
		} else {
			v = n.get(p.steps[i].Schema, v)
		}
	}
	return v, nil
}
