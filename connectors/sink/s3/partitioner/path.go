package partitioner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
)

// path leads to a field of a value, through structs and maps. It finds the way through a schema once.
type path struct {
	text  string
	names []string

	schema *connect.Schema // of which the next two are
	way    []int
	end    *connect.Schema

	// A value that still is JSON text, parsed; good until the next find.
	source []byte
	batch  *connect.Batch
}

// newPath reads names with dots between them.
func newPath(text string) (*path, error) {
	names := strings.Split(text, ".")
	if slices.Contains(names, "") {
		return nil, fmt.Errorf("the path %q has an empty part", text)
	}
	return &path{text: text, names: names}, nil
}

// find returns the field of a record's value, with its schema where it has one; null when something on the way is null or, in a map,
// missing. A struct without the field is an error.
func (p *path) find(r *connect.Record) (*connect.Schema, connect.Value, error) {
	v := r.Value
	if v.Type() == connect.String && connectjson.IsRaw(r.ValueSchema) {
		return p.findInText(v.Text())
	}
	if v.Type() != connect.Struct || r.ValueSchema == nil {
		return p.findIn(v, p.names)
	}
	if r.ValueSchema != p.schema {
		if err := p.learn(r.ValueSchema); err != nil {
			return nil, connect.Value{}, err
		}
	}
	for _, i := range p.way {
		if v.IsNull() {
			return p.end, v, nil
		}
		v = v.Cells()[i]
	}
	if rest := p.names[len(p.way):]; len(rest) > 0 && !v.IsNull() {
		return p.findIn(v, rest)
	}
	return p.end, v, nil
}

// findInText is for JSON that nobody has parsed yet, as the worker's own converter leaves it.
func (p *path) findInText(text string) (*connect.Schema, connect.Value, error) {
	if p.batch == nil {
		p.batch = connect.NewBatch(1, maxTextBytes)
	}
	p.batch.Reset()
	p.source = append(p.source[:0], text...)
	v, err := connectjson.Parse(p.batch, p.source, 0)
	if err != nil {
		return nil, v, fmt.Errorf("look for the field %s: %w", p.text, err)
	}
	return p.findIn(v, p.names)
}

// maxTextBytes is how much a batch of parsed values may hold before it says that it is full, which nobody asks here.
const maxTextBytes = 1 << 20

// learn finds the way through the structs of a schema.
func (p *path) learn(s *connect.Schema) error {
	var way []int
	end := s
	for n, name := range p.names {
		if end.Type() == connect.Map {
			break
		}
		i := -1
		if end.Type() == connect.Struct {
			i = end.Index(name)
		}
		if i < 0 {
			return fmt.Errorf("there is no field %s in the value, whose schema is %s", strings.Join(p.names[:n+1], "."), schemaName(s))
		}
		way, end = append(way, i), end.Fields()[i].Schema
	}
	p.schema, p.way, p.end = s, way, end
	return nil
}

// findIn follows names through maps.
func (*path) findIn(v connect.Value, names []string) (*connect.Schema, connect.Value, error) {
	for n, name := range names {
		if v.IsNull() {
			break
		}
		if v.Type() != connect.Map {
			return nil, v, fmt.Errorf("the field %s cannot be looked up in a value of type %s", strings.Join(names[:n+1], "."), v.Type())
		}
		pairs, found := v.Cells(), connect.Value{}
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i].Type() == connect.String && pairs[i].Text() == name {
				found = pairs[i+1]
				break
			}
		}
		v = found
	}
	return nil, v, nil
}

func schemaName(s *connect.Schema) string {
	if s.Name() != "" {
		return s.Name()
	}
	return s.Type().String()
}
