package protobuf

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxTag is what "max" stands for in ranges of fields; those of enums go higher.
const maxTag = 1<<29 - 1

// writer writes a file as Confluent's registry does.
type writer struct {
	b []byte
	// depth is how far lines are indented.
	depth int
	// standard leaves out what is not of the language itself: extensions, and options that are any, but for Confluent's own.
	standard bool
	// strict has only what the language has: a list that an option is set to is several options.
	strict bool
}

// text is the canonical form of a file. Comments and white space are gone, statements stand in a fixed order of kinds.
func (f *file) text() string { return f.write(&writer{}) }

func (f *file) write(w *writer) string {
	switch {
	case f.edition != "":
		w.line("edition = " + quoted(f.edition) + ";")
	case f.syntax != "":
		w.line("syntax = \"" + f.syntax + "\";")
	}
	if f.pkg != "" {
		w.line("package " + f.pkg + ";")
	}
	w.imports(f)
	if options := w.kept(f.options); len(options) > 0 {
		w.newline()
		w.statements(options)
	}
	if len(f.messages)+len(f.enums) > 0 {
		w.newline()
		w.types(f.messages, f.enums)
	}
	if len(f.extends) > 0 && !w.standard {
		w.newline()
		w.extends(f.extends)
	}
	if len(f.services) > 0 {
		w.newline()
		for i := range f.services {
			w.service(&f.services[i])
		}
	}
	return string(w.b)
}

func (w *writer) imports(f *file) {
	if len(f.imports)+len(f.publicImports)+len(f.weakImports) == 0 {
		return
	}
	w.newline()
	for _, kind := range []struct {
		word  string
		names []string
	}{{"import ", f.imports}, {"import public ", f.publicImports}, {"import weak ", f.weakImports}} {
		for _, name := range kind.names {
			w.line(kind.word + quoted(name) + ";")
		}
	}
}

func (w *writer) newline() { w.b = append(w.b, '\n') }

func (w *writer) indent() {
	for range w.depth {
		w.b = append(w.b, "  "...)
	}
}

func (w *writer) add(text string) { w.b = append(w.b, text...) }

func (w *writer) line(text string) {
	w.indent()
	w.add(text)
	w.newline()
}

func (w *writer) types(messages []*message, enums []*enum) {
	for _, m := range messages {
		w.message(m)
	}
	for _, e := range enums {
		w.enum(e)
	}
}

// open begins a block whose sections follow.
func (w *writer) open(head string) {
	w.indent()
	w.add(head + " {")
	w.depth++
}

func (w *writer) closeBlock() {
	w.depth--
	if w.b[len(w.b)-1] == '\n' {
		w.indent()
	}
	w.add("}\n")
}

// section writes a part of a block behind a line feed, nothing when the part is empty.
func section[T any](w *writer, items []T, write func(T)) {
	if len(items) == 0 {
		return
	}
	w.gap()
	for _, item := range items {
		write(item)
	}
}

// gap ends the line of a block's head, or leaves one empty between sections. Confluent's registry indents those as it does the block.
func (w *writer) gap() {
	if n := len(w.b); w.depth > 1 && n > 0 && w.b[n-1] == '\n' {
		for range w.depth - 1 {
			w.add("  ")
		}
	}
	w.newline()
}

func (w *writer) message(m *message) {
	w.open("message " + m.name)
	w.body(m)
	w.closeBlock()
}

func (w *writer) body(m *message) {
	section(w, m.reserved, func(r ranges) { w.ranges("reserved ", r) })
	section(w, w.kept(m.options), w.statement)
	section(w, m.fields, w.field)
	section(w, m.oneofs, w.oneof)
	section(w, m.groups, w.group)
	if !w.standard {
		section(w, m.extensions, func(r ranges) { w.ranges("extensions ", r) })
		if len(m.extends) > 0 {
			w.gap()
			w.extends(m.extends)
		}
	}
	if len(m.messages)+len(m.enums) > 0 {
		w.gap()
		w.types(m.messages, m.enums)
	}
}

func (w *writer) enum(e *enum) {
	w.open("enum " + e.name)
	section(w, e.reserved, func(r ranges) { w.ranges("reserved ", r) })
	if len(e.reserved) == 0 && len(e.options)+len(e.values) > 0 {
		w.gap()
	}
	w.statements(w.kept(e.options))
	for i := range e.values {
		v := &e.values[i]
		w.indent()
		w.add(v.name + " = " + strconv.FormatInt(v.number, 10))
		w.compact(w.kept(v.options))
		w.add(";\n")
	}
	w.closeBlock()
}

func (w *writer) oneof(o *oneof) {
	w.open("oneof " + o.name)
	section(w, w.kept(o.options), w.statement)
	section(w, o.fields, w.field)
	section(w, o.groups, w.group)
	w.closeBlock()
}

func (w *writer) group(g *group) {
	label := g.label
	if label != "" {
		label += " "
	}
	w.indent()
	w.add(label + "group " + g.name + " = " + strconv.FormatInt(g.tag, 10))
	w.compact(w.kept(g.options))
	w.add(" {")
	w.depth++
	w.body(g.body)
	w.closeBlock()
}

func (w *writer) extends(list []extend) {
	for i := range list {
		w.open("extend " + list[i].name)
		section(w, list[i].fields, w.field)
		section(w, list[i].groups, w.group)
		w.closeBlock()
	}
}

func (w *writer) field(f *field) {
	w.indent()
	if f.label != "" {
		w.add(f.label + " ")
	}
	w.add(f.typ + " " + f.name + " = " + strconv.FormatInt(f.tag, 10))
	w.compact(w.kept(f.allOptions()))
	w.add(";\n")
}

// allOptions are the options with the default and the name in JSON.
func (f *field) allOptions() []option {
	options := slices.Clip(f.options)
	if f.defaultValue != nil {
		options = append(options, option{name: "default", value: f.defaultAsValue()})
	}
	if f.jsonName != nil {
		options = append(options, option{name: "json_name", value: value{kind: stringValue, text: *f.jsonName}})
	}
	return options
}

// defaultAsValue has quotes for what needs them.
func (f *field) defaultAsValue() value {
	if f.typ == "string" || f.typ == "bytes" {
		return value{kind: stringValue, text: *f.defaultValue}
	}
	if scalars[f.typ] != 0 && f.typ != "bool" {
		return value{kind: numberValue, text: *f.defaultValue}
	}
	return value{kind: wordValue, text: *f.defaultValue}
}

func (w *writer) ranges(word string, r ranges) {
	w.indent()
	w.add(word)
	for i, item := range r.items {
		if i > 0 {
			w.add(", ")
		}
		w.add(item.String())
	}
	w.compact(w.kept(r.options))
	w.add(";\n")
}

func (r rangeItem) String() string {
	switch {
	case r.name != "" && !r.quoted:
		return r.name
	case r.quoted:
		return quoted(r.name)
	case !r.span:
		return strconv.FormatInt(r.start, 10)
	case r.end >= maxTag:
		return strconv.FormatInt(r.start, 10) + " to max"
	}
	return strconv.FormatInt(r.start, 10) + " to " + strconv.FormatInt(r.end, 10)
}

func (w *writer) service(s *service) {
	w.open("service " + s.name)
	section(w, w.kept(s.options), w.statement)
	section(w, s.methods, w.method)
	w.closeBlock()
}

func (w *writer) method(m method) {
	stream := func(yes bool, typ string) string {
		if yes {
			return "stream " + typ
		}
		return typ
	}
	w.indent()
	w.add("rpc " + m.name + " (" + stream(m.inputStream, m.input) + ") returns (" + stream(m.outputStream, m.output) + ")")
	if options := w.kept(m.options); len(options) > 0 {
		w.add(" {\n")
		w.depth++
		w.statements(options)
		w.depth--
		w.indent()
		w.add("}")
	}
	w.add(";\n")
}

// kept are the options that are written.
func (w *writer) kept(options []option) []option {
	if w.strict {
		return singles(options)
	}
	if !w.standard {
		return options
	}
	var kept []option
	for _, o := range options {
		if !o.extension || strings.HasPrefix(o.name, "confluent.") {
			kept = append(kept, o)
		}
	}
	return kept
}

// singles has an option for each item of a list.
func singles(options []option) []option {
	var all []option
	for _, o := range options {
		if o.value.kind != listValue {
			all = append(all, o)
			continue
		}
		for _, v := range o.value.list {
			o.value = v
			all = append(all, o)
		}
	}
	return all
}

func (w *writer) statements(options []option) {
	for _, o := range options {
		w.statement(o)
	}
}

func (w *writer) statement(o option) {
	w.indent()
	w.add("option ")
	w.option(o)
	w.add(";\n")
}

// compact writes options in brackets, nothing when there are none.
func (w *writer) compact(options []option) {
	if len(options) == 0 {
		return
	}
	w.add(" ")
	listed(w, options, w.option)
}

// listed writes one item on its line and several on lines of their own.
func listed[T any](w *writer, items []T, write func(T)) {
	if len(items) == 1 {
		w.add("[")
		write(items[0])
		w.add("]")
		return
	}
	spread(w, "[", "]", items, write)
}

// spread writes items on lines of their own.
func spread[T any](w *writer, start, end string, items []T, write func(T)) {
	w.add(start + "\n")
	w.depth++
	for i, item := range items {
		w.indent()
		write(item)
		if i < len(items)-1 {
			w.add(",")
		}
		w.newline()
	}
	w.depth--
	w.indent()
	w.add(end)
}

func (w *writer) option(o option) {
	if o.extension {
		w.add("(" + o.name + ")")
	} else {
		w.add(o.name)
	}
	for _, step := range o.path {
		w.add("." + step)
	}
	w.add(" = ")
	if o.value.kind == listValue {
		listed(w, o.value.list, w.value)
		return
	}
	w.value(o.value)
}

func (w *writer) value(v value) {
	switch v.kind {
	case stringValue:
		w.add(quoted(v.text))
	case mapValue:
		spread(w, "{", "}", v.entries, func(e entry) {
			w.add(e.name + ": ")
			w.value(e.value)
		})
	case listValue:
		spread(w, "[", "]", v.list, w.value)
	default:
		w.add(v.text)
	}
}

// quoted is a string with the escapes that Confluent's registry writes. Bytes that are no UTF-8, and control characters that would
// end the file, get escapes too.
func quoted(s string) string {
	b := []byte{'"'}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1 || r < ' ' && escapes[r] == 0:
			b = append(b, '\\', '0'+s[0]>>6, '0'+s[0]>>3&7, '0'+s[0]&7)
		case r < utf8.RuneSelf && escapes[r] != 0:
			b = append(b, '\\', escapes[r])
		default:
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return string(append(b, '"'))
}

// escapes are the characters behind a backslash.
var escapes = [utf8.RuneSelf]byte{'\a': 'a', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v', '\\': '\\', '\'': '\'', '"': '"'}
