package debezium

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A node is a JSON value that keeps the order of its members and the text of its
// numbers: both are compared.
type node struct {
	members []member // of an object
	items   []*node  // of an array
	scalar  string   // of anything else, as JSON
	kind    byte     // '{', '[' or 0
}

type member struct {
	name  string
	value *node
}

// parseJSON reads one JSON value.
func parseJSON(text []byte) (*node, error) {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	n, err := decodeNode(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return n, nil
}

func decodeNode(d *json.Decoder) (*node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return scalarOf(token)
	}
	n := &node{kind: byte(delim)}
	for d.More() {
		if n.kind == '{' {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			n.members = append(n.members, member{name: name.(string)})
		}
		value, err := decodeNode(d)
		if err != nil {
			return nil, err
		}
		if n.kind == '{' {
			n.members[len(n.members)-1].value = value
		} else {
			n.items = append(n.items, value)
		}
	}
	_, err = d.Token()
	return n, err
}

func scalarOf(token any) (*node, error) {
	text, err := json.Marshal(token)
	if err != nil {
		return nil, fmt.Errorf("encode %v: %w", token, err)
	}
	return &node{scalar: string(text)}, nil
}

// text returns a scalar node of a string.
func text(s string) *node {
	n, _ := scalarOf(s) // a string has an encoding
	return n
}

// get returns a member of an object, nil if there is none.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].value
		}
	}
	return nil
}

// set replaces a member that is there and not null.
func (n *node) set(name string, value func(*node) *node) {
	for i := range n.members {
		if m := &n.members[i]; m.name == name && m.value.scalar != "null" {
			m.value = value(m.value)
		}
	}
}

// str returns the content of a JSON string, or the text of another scalar.
func (n *node) str() string {
	var s string
	if n == nil {
		return ""
	}
	if json.Unmarshal([]byte(n.scalar), &s) == nil {
		return s
	}
	return n.scalar
}

func (n *node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	switch n.kind {
	case '{':
		b.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(text(m.name).scalar + ":")
			m.value.write(b)
		}
		b.WriteByte('}')
	case '[':
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.write(b)
		}
		b.WriteByte(']')
	default:
		b.WriteString(n.scalar)
	}
}
