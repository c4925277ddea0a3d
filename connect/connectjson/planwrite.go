package connectjson

import (
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// Append appends a value of the plan's schema; see the function Append.
func (p *Plan) Append(dst []byte, v connect.Value) ([]byte, error) {
	out, err := p.root.append(dst, &v)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// append writes a value. A plan is only so high, so this ends (I5).
func (n *node) append(dst []byte, v *connect.Value) ([]byte, error) {
	if v.Type() != n.typ {
		return n.appendOther(dst, v)
	}
	switch n.op {
	case opBoolean:
		return strconv.AppendBool(dst, v.Boolean()), nil
	case opInteger:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case opFloat32:
		return appendFloat(dst, v.Float(), 32), nil
	case opFloat64:
		return appendFloat(dst, v.Float(), 64), nil
	case opString:
		return AppendString(dst, v.Text()), nil
	case opRaw:
		return append(dst, v.Text()...), nil
	case opBytes, opDecimal:
		return appendBase64(dst, v.Bytes()), nil
	case opNumeric:
		if n.scaleErr != nil {
			return dst, n.scaleErr
		}
		return AppendDecimal(dst, v.Bytes(), n.scale)
	case opArray:
		return n.appendArray(dst, v.Cells())
	case opObject:
		return n.appendObject(dst, v.Cells())
	case opPairs:
		return n.appendPairs(dst, v.Cells())
	case opEntries:
		return n.appendEntries(dst, v.Cells())
	case opUnion:
		return n.appendUnion(dst, v.Cells())
	}
	return n.appendStruct(dst, v.Cells())
}

// appendOther writes a null: the default in its place, as Kafka does.
func (n *node) appendOther(dst []byte, v *connect.Value) ([]byte, error) {
	switch {
	case !v.IsNull():
		return dst, fmt.Errorf("the schema says %s, the value is %s", n.typ, v.Type())
	case !n.def.IsNull():
		return n.append(dst, &n.def)
	case !n.writeNull:
		return dst, errRequired
	}
	return append(dst, "null"...), nil
}

func (n *node) appendStruct(dst []byte, cells []connect.Value) ([]byte, error) {
	if len(n.fields) != len(cells) {
		return dst, errCells(len(cells))
	}
	if len(cells) == 0 {
		return append(dst, "{}"...), nil
	}
	var err error
	for i := range n.fields {
		f := &n.fields[i]
		if i == n.others-1 {
			continue
		}
		if dst, err = f.node.append(append(dst, f.prefix...), &cells[i]); err != nil {
			return dst, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	if n.others > 0 {
		if dst, err = n.appendOthers(dst, &cells[n.others-1]); err != nil {
			return dst, fmt.Errorf("field %s: %w", n.fields[n.others-1].name, err)
		}
	}
	return append(dst, '}'), nil
}

// appendOthers writes members that are no fields, behind those that are.
func (n *node) appendOthers(dst []byte, v *connect.Value) (_ []byte, err error) {
	var pairs []connect.Value
	switch v.Type() {
	case connect.Null:
	case connect.Map:
		pairs = v.Cells()
	default:
		return dst, fmt.Errorf("the schema says MAP, the value is %s", v.Type())
	}
	opening := byte(',')
	if len(n.fields) == 1 {
		opening = '{'
	}
	for i := 0; i < len(pairs); i += 2 {
		switch name := pairs[i].Text(); {
		case pairs[i].Type() != connect.String:
			return dst, errKey(pairs[i].Type())
		case n.schema.Index(name) >= 0:
			return dst, fmt.Errorf("%.40q is the name of a field too", name)
		}
		dst = append(AppendString(append(dst, opening), pairs[i].Text()), ':')
		if dst, err = n.fields[n.others-1].node.elem.append(dst, &pairs[i+1]); err != nil {
			return dst, fmt.Errorf("key %.40q: %w", pairs[i].Text(), err)
		}
		opening = ','
	}
	if opening == '{' {
		dst = append(dst, opening)
	}
	return dst, nil
}

func errCells(n int) error {
	return fmt.Errorf("a struct of %d cells without the schema for them", n)
}

func (n *node) appendArray(dst []byte, elems []connect.Value) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i := range elems {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = n.elem.append(dst, &elems[i]); err != nil {
			return dst, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

func (n *node) appendObject(dst []byte, pairs []connect.Value) ([]byte, error) {
	dst = append(dst, '{')
	var err error
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		if pairs[i].Type() != connect.String {
			return dst, errKey(pairs[i].Type())
		}
		dst = append(AppendString(dst, pairs[i].Text()), ':')
		if dst, err = n.elem.append(dst, &pairs[i+1]); err != nil {
			return dst, fmt.Errorf("key %.40q: %w", pairs[i].Text(), err)
		}
	}
	return append(dst, '}'), nil
}

func errKey(t connect.Type) error { return fmt.Errorf("a map key is %s instead of STRING", t) }

func (n *node) appendPairs(dst []byte, pairs []connect.Value) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = n.key.append(append(dst, '['), &pairs[i]); err != nil {
			return dst, fmt.Errorf("map key: %w", err)
		}
		if dst, err = n.elem.append(append(dst, ','), &pairs[i+1]); err != nil {
			return dst, fmt.Errorf("map value: %w", err)
		}
		dst = append(dst, ']')
	}
	return append(dst, ']'), nil
}

func (n *node) appendEntries(dst []byte, pairs []connect.Value) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = n.key.append(append(dst, `{"key":`...), &pairs[i]); err != nil {
			return dst, fmt.Errorf("map key: %w", err)
		}
		if dst, err = n.elem.append(append(dst, `,"value":`...), &pairs[i+1]); err != nil {
			return dst, fmt.Errorf("map value: %w", err)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

// appendUnion writes the first field that is set.
func (n *node) appendUnion(dst []byte, cells []connect.Value) ([]byte, error) {
	if len(n.fields) != len(cells) {
		return dst, errCells(len(cells))
	}
	for i := range cells {
		if !cells[i].IsNull() {
			return n.fields[i].node.append(dst, &cells[i])
		}
	}
	return n.appendOther(dst, &connect.Value{})
}
