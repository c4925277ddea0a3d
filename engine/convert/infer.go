package convert

import (
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttext"
)

// Limits of inference (I5): text beyond them is a STRING.
const (
	maxInferBytes = 64 << 10
	maxInferDepth = 16
)

const millisPerDay = 24 * 60 * 60 * 1000

// infer returns what text looks like: null, a boolean, the smallest integer, a
// float, a date, time or timestamp in UTC, a [list] or a {map}, and otherwise a
// STRING.
func infer(b *connect.Batch, text string) (*connect.Schema, connect.Value) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return connect.StringSchema, connect.StringValue(text)
	}
	if s, v, ok := inferScalar(trimmed); ok {
		return s, v
	}
	if trimmed[0] == '[' || trimmed[0] == '{' {
		p := inferrer{text: trimmed, batch: b}
		s, v, ok := p.group(maxInferDepth)
		if ok && p.pos == len(trimmed) {
			return s, v
		}
	}
	return connect.StringSchema, connect.StringValue(text)
}

// inferScalar returns what is neither text nor a group.
func inferScalar(token string) (*connect.Schema, connect.Value, bool) {
	switch c := token[0]; {
	case token == "null":
		return nil, connect.Value{}, true
	case token == "true" || token == "false":
		return connect.BooleanSchema, connect.BooleanValue(token == "true"), true
	case c >= '0' && c <= '9':
		if s, v, ok := inferTime(token); ok {
			return s, v, true
		}
		return inferNumber(token)
	case c == '+' || c == '-':
		return inferNumber(token)
	}
	return nil, connect.Value{}, false
}

// The logical types that inference finds.
var (
	dateSchema      = logical(connect.Int32, connect.DateName)
	timeSchema      = logical(connect.Int32, connect.TimeName)
	timestampSchema = logical(connect.Int64, connect.TimestampName)
	integerSchema   = mustPrimitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Version: 1,
		Parameters: map[string]string{"scale": "0"}})
)

func logical(t connect.Type, name string) *connect.Schema {
	return mustPrimitive(t, connect.Attrs{Name: name, Version: 1})
}

func mustPrimitive(t connect.Type, a connect.Attrs) *connect.Schema {
	s, err := connect.NewPrimitive(t, a)
	if err != nil {
		panic(err)
	}
	return s
}

// inferTime reads a date, time or timestamp in the layouts that they are written
// in.
func inferTime(token string) (*connect.Schema, connect.Value, bool) {
	switch len(token) {
	case len(connecttext.DateLayout):
		t, err := time.Parse(connecttext.DateLayout, token)
		return dateSchema, connect.Int32Value(int32(t.Unix() / (millisPerDay / 1000))), token[4] == '-' && err == nil
	case len(connecttext.TimeLayout):
		if token[2] != ':' {
			return nil, connect.Value{}, false
		}
		t, err := time.Parse(connecttext.TimeLayout, token)
		ms := t.Sub(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)).Milliseconds()
		return timeSchema, connect.Int32Value(int32(ms)), err == nil
	case len(connecttext.TimestampLayout):
		if token[10] != 'T' {
			return nil, connect.Value{}, false
		}
		t, err := time.Parse(connecttext.TimestampLayout, token)
		return timestampSchema, connect.Int64Value(t.UnixMilli()), err == nil
	}
	return nil, connect.Value{}, false
}

// inferrer reads lists and maps.
type inferrer struct {
	text  string
	pos   int
	batch *connect.Batch
}

// typed is a value with its schema, nil for null.
type typed struct {
	schema *connect.Schema
	value  connect.Value
}

// group reads the list or map at pos, which nests at most depth levels.
func (p *inferrer) group(depth int) (*connect.Schema, connect.Value, bool) {
	if depth == 0 {
		return nil, connect.Value{}, false
	}
	isMap := p.text[p.pos] == '{'
	closing := p.text[p.pos] + 2
	var keys, values []typed
	p.pos++
	for !p.take(closing) {
		if len(values) > 0 && !p.take(',') {
			return nil, connect.Value{}, false
		}
		if isMap {
			k, ok := p.element(depth - 1)
			if !ok || !p.take(':') {
				return nil, connect.Value{}, false
			}
			keys = append(keys, k)
		}
		v, ok := p.element(depth - 1)
		if !ok {
			return nil, connect.Value{}, false
		}
		values = append(values, v)
	}
	if isMap {
		return p.mapOf(keys, values)
	}
	return p.listOf(values)
}

// take skips white space and c, if it is next.
func (p *inferrer) take(c byte) bool {
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *inferrer) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// element reads an element of a group. Text in it must be quoted.
func (p *inferrer) element(depth int) (typed, bool) {
	p.space()
	if p.pos == len(p.text) {
		return typed{}, false
	}
	switch p.text[p.pos] {
	case '"':
		text, ok := p.quoted()
		return typed{connect.StringSchema, connect.StringValue(text)}, ok
	case '[', '{':
		s, v, ok := p.group(depth)
		return typed{s, v}, ok
	}
	return p.token()
}

// token reads an element that is not quoted. A temporal one has colons, so the
// longest possible one is tried first.
func (p *inferrer) token() (typed, bool) {
	rest := p.text[p.pos:]
	for _, n := range [...]int{len(connecttext.TimestampLayout), len(connecttext.TimeLayout), len(connecttext.DateLayout)} {
		if len(rest) < n || rest[0] < '0' || rest[0] > '9' {
			continue
		}
		if s, v, ok := inferTime(rest[:n]); ok {
			p.pos += n
			return typed{s, v}, true
		}
	}
	end := strings.IndexAny(rest, ",:[]{}\"")
	if end < 0 {
		return typed{}, false
	}
	word := strings.TrimSpace(rest[:end])
	if word == "" {
		return typed{}, false
	}
	p.pos += end
	s, v, ok := inferScalar(word)
	return typed{s, v}, ok
}

// quoted reads a quoted string, in which a backslash makes the next character
// itself.
func (p *inferrer) quoted() (string, bool) {
	p.pos++
	start := p.pos
	for escaped := false; p.pos < len(p.text); p.pos++ {
		switch p.text[p.pos] {
		case '\\':
			escaped = true
			p.pos++
		case '"':
			text := p.text[start:p.pos]
			p.pos++
			if escaped {
				text = p.unescape(text)
			}
			return text, true
		}
	}
	return "", false
}

func (p *inferrer) unescape(text string) string {
	out := p.batch.Buffer(len(text))[:0]
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		}
		out = append(out, text[i])
	}
	return sharedText(out).Text()
}
