package protobuf

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Limits of a comparison (I5).
const (
	maxCompareSteps = 5_000_000
	maxDifferences  = 10_000
)

// Compare lists how the schema reader differs from the schema writer, whose data it is to read. The rules are those of Confluent's
// registry: fields are known by their numbers, messages by their names.
//
// Errors: *LimitError.
func Compare(reader, writer *Schema) ([]Difference, error) {
	c := &comparer{old: writer.table(), new: reader.table(), done: make(map[pair]bool), budget: budget{maxCompareSteps, maxCompareSteps}}
	if writer.file.pkg != reader.file.pkg {
		c.add(PackageChanged)
	}
	c.oldScope, c.newScope = writer.file.pkg, reader.file.pkg
	c.types(writer.file.messages, reader.file.messages, writer.file.enums, reader.file.enums)
	return c.found, c.err
}

// comparer compares a writer's file, the old one, with a reader's.
type comparer struct {
	old, new *table
	// oldScope and newScope are where names are looked up from.
	oldScope, newScope string
	path               []string
	found              []Difference
	bad                int // how many of them are not compatible, those that are not listed any more too
	// done has what pairs of messages of other files came to; those that are being compared count as compatible.
	done   map[pair]bool
	budget budget
	err    error
}

type pair struct{ old, new *message }

func (c *comparer) add(t DifferenceType) {
	d := Difference{t, "#/" + strings.Join(c.path, "/")}
	if !d.Compatible() {
		c.bad++
	}
	if len(c.found) < maxDifferences {
		c.found = append(c.found, d)
	}
}

// at runs f one step further down.
func (c *comparer) at(step string, f func()) {
	c.path = append(c.path, step)
	f()
	c.path = c.path[:len(c.path)-1]
}

// in is at for a type, whose names are looked up from within it.
func (c *comparer) in(name string, f func()) {
	oldScope, newScope := c.oldScope, c.newScope
	c.oldScope, c.newScope = join(oldScope, name), join(newScope, name)
	c.at(name, f)
	c.oldScope, c.newScope = oldScope, newScope
}

// spend counts a step, and tells whether there may be more.
func (c *comparer) spend() bool {
	if c.err == nil {
		c.err = c.budget.spend()
	}
	return c.err == nil
}

// types compares what is defined side by side.
func (c *comparer) types(old, new []*message, oldEnums, newEnums []*enum) {
	oldIndex, newIndex := indexed(old, func(m *message) string { return m.name }), indexed(new, func(m *message) string { return m.name })
	for _, name := range union(oldIndex, newIndex) {
		i, inOld := oldIndex[name]
		j, inNew := newIndex[name]
		c.in(name, func() {
			switch {
			case !inNew:
				c.addMessage(c.old.find(c.oldScope, name), MessageRemoved)
			case !inOld:
				c.addMessage(c.new.find(c.newScope, name), MessageAdded)
			default:
				c.message(old[i], new[j])
				if i != j {
					c.add(MessageMoved)
				}
			}
		})
	}
	c.enums(oldEnums, newEnums)
}

// addMessage leaves out the messages of maps.
func (c *comparer) addMessage(info *typeInfo, t DifferenceType) {
	if info != nil && !info.isMap() {
		c.add(t)
	}
}

func (c *comparer) enums(old, new []*enum) {
	oldIndex, newIndex := indexed(old, func(e *enum) string { return e.name }), indexed(new, func(e *enum) string { return e.name })
	for _, name := range union(oldIndex, newIndex) {
		i, inOld := oldIndex[name]
		j, inNew := newIndex[name]
		c.in(name, func() {
			switch {
			case !inNew:
				c.add(EnumRemoved)
			case !inOld:
				c.add(EnumAdded)
			default:
				c.enum(old[i], new[j])
			}
		})
	}
}

func (c *comparer) enum(old, new *enum) {
	names := func(e *enum) map[int64]string {
		m := make(map[int64]string)
		for _, v := range e.values {
			m[v.number] = v.name
		}
		return m
	}
	oldNames, newNames := names(old), names(new)
	for _, number := range union(oldNames, newNames) {
		if !c.spend() {
			return
		}
		was, inOld := oldNames[number]
		is, inNew := newNames[number]
		c.at(strconv.FormatInt(number, 10), func() {
			switch {
			case !inNew:
				c.add(EnumConstRemoved)
			case !inOld:
				c.add(EnumConstAdded)
			case was != is:
				c.add(EnumConstChanged)
			}
		})
	}
}

// indexed are the positions of items by their names, of equal names the last.
func indexed[T any](items []T, name func(T) string) map[string]int {
	m := make(map[string]int, len(items))
	for i, item := range items {
		m[name(item)] = i
	}
	return m
}

// union are the keys of two maps, sorted.
func union[K interface{ ~int64 | ~string }, V any](a, b map[K]V) []K {
	keys := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// members are the fields of a message by number, each with its oneof.
type members struct {
	fields map[int64]*field
	oneof  map[int64]string // "" for none
	oneofs map[string]*oneof
}

func membersOf(m *message) members {
	all := members{make(map[int64]*field), make(map[int64]string), make(map[string]*oneof)}
	for _, f := range m.fields {
		all.fields[f.tag] = f
	}
	for _, o := range m.oneofs {
		all.oneofs[o.name] = o
		for _, f := range o.fields {
			all.fields[f.tag], all.oneof[f.tag] = f, o.name
		}
	}
	return all
}

func (c *comparer) message(old, new *message) {
	if !c.spend() {
		return
	}
	o, n := membersOf(old), membersOf(new)
	c.oneofsMerged(o, n, new)
	c.oneofs(o, n)
	for _, tag := range union(o.fields, n.fields) {
		if !c.spend() {
			return
		}
		c.field(tag, o, n)
	}
	c.types(old.messages, new.messages, old.enums, new.enums)
}

// oneofsMerged finds oneofs whose fields could be set at the same time before.
func (c *comparer) oneofsMerged(o, n members, new *message) {
	for _, oneof := range new.oneofs {
		groups, fields := make(map[string]bool), 0
		for _, f := range oneof.fields {
			switch from := o.oneof[f.tag]; {
			case from != "":
				groups["oneof "+from] = true
			case o.fields[f.tag] != nil:
				groups["field "+strconv.FormatInt(f.tag, 10)] = true
				fields++
			}
		}
		if len(groups) < 2 {
			continue
		}
		c.at(oneof.name, func() {
			if fields > 1 {
				c.add(MultipleFieldsMovedToOneof)
			} else {
				c.add(FieldMovedToExistingOneof)
			}
		})
	}
}

func (c *comparer) oneofs(o, n members) {
	for _, name := range union(o.oneofs, n.oneofs) {
		switch {
		case n.oneofs[name] == nil:
			c.at(name, func() { c.add(OneofRemoved) })
		case o.oneofs[name] == nil:
			c.at(name, func() { c.add(OneofAdded) })
		}
	}
}

// gone tells whether a oneof was removed with all its fields.
func gone(name string, o, n members) bool {
	if n.oneofs[name] != nil {
		return false
	}
	return !slices.ContainsFunc(o.oneofs[name].fields, func(f *field) bool { return n.fields[f.tag] != nil })
}

// field compares what a number stands for.
func (c *comparer) field(tag int64, o, n members) {
	was, is, from, to := o.fields[tag], n.fields[tag], o.oneof[tag], n.oneof[tag]
	number := strconv.FormatInt(tag, 10)
	switch {
	case is == nil && from == "":
		c.at(number, func() { c.add(required(was, RequiredFieldRemoved, FieldRemoved)) })
	case is == nil:
		if !gone(from, o, n) {
			c.at(from, func() { c.at(number, func() { c.add(OneofFieldRemoved) }) })
		}
	case was == nil && to == "":
		c.at(number, func() { c.add(required(is, RequiredFieldAdded, FieldAdded)) })
	case was == nil:
		c.at(to, func() { c.at(number, func() { c.add(OneofFieldAdded) }) })
	case to != "":
		c.at(to, func() { c.at(number, func() { c.contents(was, is) }) })
	default:
		c.at(number, func() {
			if from != "" {
				c.add(OneofFieldMovedToTopLevel)
			}
			c.contents(was, is)
		})
	}
}

func required(f *field, yes, no DifferenceType) DifferenceType {
	if f.label == "required" {
		return yes
	}
	return no
}

func (c *comparer) contents(old, new *field) {
	if old.name != new.name {
		c.add(FieldNameChanged)
	}
	c.fieldTypes(old.typ, new.typ, old.label, new.label)
}

// fieldTypes compares types; labels matter where both are said.
func (c *comparer) fieldTypes(old, new, oldLabel, newLabel string) {
	oldInfo, newInfo := c.old.named(c.oldScope, old), c.new.named(c.newScope, new)
	if oldInfo != nil && oldInfo.mapType() != "" {
		old, oldInfo = oldInfo.mapType(), nil
	}
	if newInfo != nil && newInfo.mapType() != "" {
		new, newInfo = newInfo.mapType(), nil
	}
	oldScalar, newScalar := scalarOf(old, oldInfo), scalarOf(new, newInfo)
	oldKey, oldValue, oldMap := mapTypes(old)
	newKey, newValue, newMap := mapTypes(new)
	switch {
	case (oldScalar != 0) != (newScalar != 0) || oldMap != newMap:
		c.add(FieldKindChanged)
	case oldMap:
		c.fieldTypes(oldKey, newKey, "", "")
		c.fieldTypes(oldValue, newValue, "", "")
	case oldScalar == 0:
		c.messageTypes(old, new, oldInfo, newInfo)
	case oldScalar != newScalar:
		c.add(FieldScalarKindChanged)
	case oldLabel != "" && newLabel != "" && oldLabel != newLabel && oldScalar == stringOrBytes:
		c.add(FieldStringOrBytesLabelChanged)
	case oldLabel != "" && newLabel != "" && oldLabel != newLabel:
		c.add(FieldNumericLabelChanged)
	}
}

// scalarOf is the group of a scalar or an enum, 0 for other types.
func scalarOf(typ string, info *typeInfo) scalarKind {
	if info != nil && info.enum != nil {
		return generalNumber
	}
	return scalars[typ]
}

// messageTypes compares the messages that a field had and has.
func (c *comparer) messageTypes(old, new string, oldInfo, newInfo *typeInfo) {
	if oldInfo == nil || newInfo == nil {
		if old != new {
			c.add(FieldNamedTypeChanged)
		}
		return
	}
	if oldInfo.local() != newInfo.local() {
		c.add(FieldNamedTypeChanged)
		return
	}
	if oldInfo.source.same(newInfo.source) {
		return
	}
	if !c.elsewhere(oldInfo, newInfo) {
		c.add(FieldNamedTypeChanged)
	}
}

// elsewhere compares messages of other files, each pair once, and tells whether they are compatible.
func (c *comparer) elsewhere(old, new *typeInfo) bool {
	p := pair{old.message, new.message}
	if compatible, ok := c.done[p]; ok {
		return compatible
	}
	c.done[p] = true
	inner := *c
	inner.oldScope, inner.newScope = old.full, new.full
	inner.path = strings.Split(old.local(), ".")
	inner.bad = 0
	inner.message(old.message, new.message)
	c.found, c.budget, c.err = inner.found, inner.budget, inner.err
	c.bad += inner.bad
	c.done[p] = inner.bad == 0
	return inner.bad == 0
}
