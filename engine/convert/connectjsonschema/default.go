package connectjsonschema

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/jsonschema"
)

// defaultOf is the member with the default, none when there is none.
func (m *fromMapper) defaultOf(s *connect.Schema) ([]jsonschema.Member, error) {
	def, ok := s.Default()
	if !ok || def.IsNull() {
		return nil, nil
	}
	text, err := connectjson.Append(nil, s, def, m.o.json(true))
	if err != nil {
		return nil, fmt.Errorf("write the default: %w", err)
	}
	v, err := jsonschema.ParseValue(string(text))
	if err != nil {
		return nil, fmt.Errorf("write the default: %w", err)
	}
	asOrgJSON(&v)
	return []jsonschema.Member{{Name: "default", Value: v}}, nil
}

// asOrgJSON writes a value as Java's org.json does: objects in the order of hash tables, numbers without zeros at the end.
func asOrgJSON(v *jsonschema.Value) {
	if v.Kind == jsonschema.Number && strings.Contains(v.Text, ".") && !inExponents(v.Text) {
		v.Text = strings.TrimSuffix(strings.TrimRight(v.Text, "0"), ".")
	}
	for i := range v.Elements {
		asOrgJSON(&v.Elements[i])
	}
	for i := range v.Members {
		asOrgJSON(&v.Members[i].Value)
	}
	v.Members = hashOrder(v.Members, defaultCapacity)
}

// inExponents tells whether Java writes a number with an exponent, which keeps its zeros.
func inExponents(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err != nil || f != 0 && (math.Abs(f) < 1e-3 || math.Abs(f) >= 1e7)
}

// readDefault reads the default of a schema, nil for none.
func readDefault(n *jsonschema.Node, s *connect.Schema, o *Options) (*connect.Value, error) {
	if n.Default == nil || n.Default.Kind == jsonschema.Null {
		return nil, nil
	}
	b := connect.NewBatch(1, 1)
	v, err := connectjson.ParseAs(b, s, []byte(n.Default.String()), o.json(false))
	if err != nil {
		return nil, fmt.Errorf("read the default %.100s: %w", n.Default.String(), err)
	}
	return &v, nil
}
