package protobuf

import (
	"slices"
	"strings"
)

// options sorts options, gives extensions their full names, and brings what is said in several statements about one of them together.
func (n *normalizer) options(list []option) []option {
	var sorted []option
	for _, o := range list {
		if o.extension {
			if full := n.extension(o.name); full != "" {
				o.name = full
				o.value, o.path = nested(o.path, o.value), nil
			}
		}
		o.value = n.value(o.value)
		sorted = append(sorted, o)
	}
	slices.SortStableFunc(sorted, func(a, b option) int { return strings.Compare(a.name, b.name) })
	merged := sorted[:0]
	for _, o := range sorted {
		if last := len(merged) - 1; last >= 0 && n.mergeable(merged[last], o) {
			merged[last].value = n.merge(n.table.extension(o.name), merged[last].value, o.value)
			continue
		}
		merged = append(merged, o)
	}
	for i := range merged {
		merged[i].value = n.value(merged[i].value)
	}
	return merged
}

// mergeable tells whether two options set the same extension, which can be set once.
func (n *normalizer) mergeable(a, b option) bool {
	f := n.table.extension(b.name)
	return a.extension && b.extension && a.name == b.name && f != nil && f.label != "repeated"
}

// extension is the full name of an extension, "" when nobody defines it.
func (n *normalizer) extension(name string) string {
	return resolve(n.scope, name, func(full string) bool { return n.table.extension(full) != nil })
}

// nested is a value as that of the message that a path begins in.
func nested(path []string, v value) value {
	for _, step := range slices.Backward(path) {
		if inner, ok := strings.CutPrefix(step, "("); ok {
			step = "[" + strings.TrimSuffix(inner, ")") + "]"
		}
		v = value{kind: mapValue, entries: []entry{{step, v}}}
	}
	return v
}

// value returns a copy with the entries of maps sorted. A list of one in a map is its item: the language takes both for the same.
func (n *normalizer) value(v value) value {
	switch v.kind {
	case numberValue:
		v.text = plainNumber(v.text)
	case listValue:
		list := make([]value, len(v.list))
		for i := range v.list {
			list[i] = n.inMap(v.list[i])
		}
		v.list = list
	case mapValue:
		var entries []entry
		for _, e := range v.entries {
			if inner, ok := strings.CutPrefix(e.name, "["); ok {
				if full := n.extension(strings.TrimSuffix(inner, "]")); full != "" {
					e.name = "[" + full + "]"
				}
			}
			if e.value.kind != listValue || len(e.value.list) > 0 {
				entries = append(entries, entry{e.name, n.inMap(e.value)})
			}
		}
		slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		v.entries = slices.CompactFunc(entries, func(a, b entry) bool { return a.name == b.name })
	}
	return v
}

func (n *normalizer) inMap(v value) value {
	v = n.value(v)
	if v.kind == listValue && len(v.list) == 1 {
		return v.list[0]
	}
	return v
}

// merge is what two statements set a field to that can be set once. It takes both over.
func (n *normalizer) merge(f *field, a, b value) value {
	if a.kind != mapValue || b.kind != mapValue {
		return b
	}
	var m *message
	if f != nil {
		if info := n.table.named(n.scope, f.typ); info != nil {
			m = info.message
		}
	}
	for _, e := range b.entries {
		i := slices.IndexFunc(a.entries, func(x entry) bool { return x.name == e.name })
		if i < 0 {
			a.entries = append(a.entries, e)
			continue
		}
		var inner *field
		if m != nil {
			inner = m.field(e.name)
		}
		a.entries[i].value = n.mergeField(inner, a.entries[i].value, e.value)
	}
	return a
}

// mergeField adds to what can be repeated, or to what nobody knows.
func (n *normalizer) mergeField(f *field, a, b value) value {
	if f == nil || f.label == "repeated" || strings.HasPrefix(f.typ, "map<") {
		return a.with(b)
	}
	return n.merge(f, a, b)
}
