// Command generate writes inputs for the comparison of converters, the same every
// time: one a line, its kind, a tab and text.
//
//	env      JSON with an envelope of schema and payload; env? when it may be wrong
//	plain    JSON; plain? when it may be wrong
//	header   text of a header
//	content  a schema for schema.content, a tab and JSON
//	others   a converter of primitive values and bytes in base64
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
)

func main() {
	g := &generator{Rand: rand.New(rand.NewPCG(20, 26))}
	w := bufio.NewWriter(os.Stdout)
	for range 1100 {
		schema, value := g.schema(2, "")
		text := g.damage(`{"schema":` + schema + `,"payload":` + value + `}`)
		fmt.Fprintf(w, "%s\t%s\n", g.kind("env"), text)
	}
	for range 350 {
		text := g.damage(g.json(3))
		fmt.Fprintf(w, "%s\t%s\n", g.kind("plain"), text)
	}
	for range 350 {
		fmt.Fprintf(w, "header\t%s\n", g.header())
	}
	for range 100 {
		schema, value := g.schema(2, "")
		fmt.Fprintf(w, "%s\t%s\t%s\n", g.kind("content"), schema, value)
	}
	for range 50 {
		for _, kind := range []string{"boolean", "short", "integer", "long", "float", "double", "bytes", "utf8", "latin1", "ascii"} {
			fmt.Fprintf(w, "%s\t%s\n", kind, base64.StdEncoding.EncodeToString(g.bytes(kind)))
		}
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

type generator struct {
	*rand.Rand
	changed bool // something may be wrong with the text since kind was called
}

// kind marks what may be wrong.
func (g *generator) kind(name string) string {
	if g.changed {
		name += "?"
	}
	g.changed = false
	return name
}

// chance tells true in n of 100 cases.
func (g *generator) chance(n int) bool { return g.IntN(100) < n }

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// damage cuts off or changes a little, now and then.
func (g *generator) damage(text string) string {
	switch {
	case g.chance(96):
		return text
	case g.chance(50):
		g.changed = true
		return text[:g.IntN(len(text))]
	}
	g.changed = true
	at := g.IntN(len(text))
	return text[:at] + g.pick("x", "1", "\"", "{", "null", ",") + text[at+1:]
}

var words = []string{"", "a", "plain text", "Grüße", "日本", "quote \" and \\", "tab\there", "true", "12", "null", "{x}", "é", "\u2028"}

func (g *generator) word() string { return words[g.IntN(len(words))] }

func quoted(s string) string {
	b, _ := json.Marshal(s) // a string always is JSON
	return string(b)
}

// schema returns a schema in JSON, for the struct's field if that is not empty, and
// a value of it.
func (g *generator) schema(depth int, field string) (schema, value string) {
	var b strings.Builder
	b.WriteString("{")
	isPrimitive := depth == 0 || g.chance(55)
	var parts string
	if isPrimitive {
		parts, value = g.primitive()
	} else {
		parts, value = g.group(depth - 1)
	}
	b.WriteString(parts)
	optional := g.chance(40)
	fmt.Fprintf(&b, `,"optional":%v`, optional)
	if strings.Contains(parts, `"struct"`) && g.chance(50) {
		fmt.Fprintf(&b, `,"name":%s`, quoted(g.pick("Row", "com.example.Row", "x")))
	}
	if g.chance(10) && !strings.Contains(parts, `"version"`) {
		fmt.Fprintf(&b, `,"version":%d`, 1+g.IntN(9))
	}
	if g.chance(10) {
		fmt.Fprintf(&b, `,"doc":%s`, quoted("doc "+g.word()))
	}
	if g.chance(10) && !strings.Contains(parts, `"parameters"`) {
		fmt.Fprintf(&b, `,"parameters":{"p":%s}`, quoted(g.word()))
	}
	if g.chance(15) && !strings.Contains(parts, `"struct"`) { // Kafka cannot read defaults with structs
		fmt.Fprintf(&b, `,"default":%s`, value)
		if optional || g.chance(30) {
			value = "null"
		}
	}
	if field != "" {
		fmt.Fprintf(&b, `,"field":%s`, quoted(field))
	}
	b.WriteString("}")
	switch {
	case optional && g.chance(25):
		value = "null"
	case g.chance(1):
		value, g.changed = "null", true
	case g.chance(3): // of another type
		value, g.changed = g.json(1), true
	}
	return b.String(), value
}

// primitive returns the type of a schema and a value.
func (g *generator) primitive() (parts, value string) {
	const pkg = "org.apache.kafka.connect.data."
	integer := func(bits uint) string { return strconv.FormatInt(int64(g.Uint64())>>(64-bits)>>g.IntN(int(bits)), 10) }
	switch g.IntN(13) {
	case 0:
		return `"type":"int8"`, integer(8)
	case 1:
		return `"type":"int16"`, integer(16)
	case 2:
		return `"type":"int32"`, integer(32)
	case 3:
		return `"type":"int64"`, integer(64)
	case 4:
		return `"type":"float"`, g.float(32)
	case 5:
		return `"type":"double"`, g.float(64)
	case 6:
		return `"type":"boolean"`, g.pick("true", "false")
	case 7, 8:
		return `"type":"string"`, quoted(g.word())
	case 9:
		return `"type":"bytes"`, quoted(base64.StdEncoding.EncodeToString(g.random(g.IntN(6))))
	case 10:
		return fmt.Sprintf(`"type":"bytes","name":"%sDecimal","version":1,"parameters":{"scale":"%d"}`, pkg, g.IntN(7)-1),
			quoted(base64.StdEncoding.EncodeToString(g.random(1 + g.IntN(9))))
	case 11:
		if g.chance(50) {
			return `"type":"int32","name":"` + pkg + `Date","version":1`, strconv.Itoa(g.IntN(60000) - 20000)
		}
		return `"type":"int32","name":"` + pkg + `Time","version":1`, strconv.Itoa(g.IntN(86_400_000))
	}
	return `"type":"int64","name":"` + pkg + `Timestamp","version":1`, strconv.FormatInt(g.Int64N(4e12)-1e12, 10)
}

func (g *generator) random(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// float returns a number of up to bits of precision.
func (g *generator) float(bits int) string {
	f := (g.Float64() - 0.5) * [...]float64{1, 10, 1e5, 1e9, 1e20, 1e-5}[g.IntN(6)]
	if g.chance(30) {
		f = float64(g.IntN(2000) - 1000)
	}
	return strconv.FormatFloat(f, "gf"[g.IntN(2)], -1, bits)
}

// group returns the type of an array, map or struct and a value.
func (g *generator) group(depth int) (parts, value string) {
	switch g.IntN(4) {
	case 0:
		items, v := g.schema(depth, "")
		return `"type":"array","items":` + items, g.pick("[]", "["+v+"]", "["+v+","+v+"]")
	case 1:
		values, v := g.schema(depth, "")
		if g.chance(30) {
			return `"type":"map","keys":{"type":"int32","optional":false},"values":` + values, g.pick("[]", "[[7,"+v+"]]")
		}
		return `"type":"map","keys":{"type":"string","optional":false},"values":` + values, g.pick("{}", `{`+quoted(g.word())+`:`+v+`}`)
	}
	var schemas, values []string
	for i := range 1 + g.IntN(4) {
		name := "f" + strconv.Itoa(i)
		s, v := g.schema(depth, name)
		schemas = append(schemas, s)
		if g.chance(97) {
			values = append(values, quoted(name)+":"+v)
		} else {
			g.changed = true
		}
	}
	return `"type":"struct","fields":[` + strings.Join(schemas, ",") + `]`, "{" + strings.Join(values, ",") + "}"
}

// json returns any JSON.
func (g *generator) json(depth int) string {
	n := 9
	if depth == 0 {
		n = 6
	}
	switch g.IntN(n) {
	case 0:
		return g.pick("null", "true", "false")
	case 1:
		return strconv.FormatInt(int64(g.Uint64())>>g.IntN(64), 10)
	case 2, 3:
		return g.float(64)
	case 4, 5:
		return quoted(g.word())
	case 6:
		return "[" + g.json(depth-1) + "," + g.json(depth-1) + "]"
	case 7:
		return g.pick("[]", "{}")
	}
	return `{"a":` + g.json(depth-1) + `,` + quoted("b"+g.word()) + `:` + g.json(depth-1) + `}`
}

// header returns text that means something in a header, or nearly.
func (g *generator) header() string {
	scalar := func() string {
		switch g.IntN(9) {
		case 0:
			return strconv.FormatInt(int64(g.Uint64())>>g.IntN(64), 10)
		case 1, 2:
			return g.float(64)
		case 3:
			return g.pick("true", "false", "null", "TRUE", "yes")
		case 4:
			return fmt.Sprintf("20%02d-%02d-%02d", g.IntN(30), 1+g.IntN(12), 1+g.IntN(28))
		case 5:
			return fmt.Sprintf("%02d:%02d:%02d.%03dZ", g.IntN(24), g.IntN(60), g.IntN(60), g.IntN(1000))
		case 6:
			return fmt.Sprintf("20%02d-%02d-%02dT%02d:%02d:%02d.%03dZ", g.IntN(30), 1+g.IntN(12), 1+g.IntN(28), g.IntN(24), g.IntN(60), g.IntN(60), g.IntN(1000))
		}
		return strings.NewReplacer("\t", " ", "\u2028", " ").Replace(g.word()) + g.pick("", "word", "-x", " 7")
	}
	number := func() string { return strconv.Itoa(g.IntN(1 << g.IntN(40))) }
	switch g.IntN(8) {
	case 0:
		return "[" + number() + "," + number() + "]"
	case 1:
		return `["` + g.pick("a", "b c", "x") + `","` + g.pick("d", "1", "true") + `"]`
	case 2:
		return `{"` + g.pick("k", "key") + `":` + number() + `}`
	}
	return scalar()
}

// bytes returns data for a converter: of its size, mostly.
func (g *generator) bytes(kind string) []byte {
	sizes := map[string]int{"boolean": 1, "short": 2, "integer": 4, "long": 8, "float": 4, "double": 8}
	n, fixed := sizes[kind]
	switch {
	case fixed && g.chance(20):
		return g.random(g.IntN(10))
	case kind == "boolean":
		return []byte{byte(g.IntN(3))}
	case fixed:
		return g.random(n)
	case kind == "bytes" || g.chance(30):
		return g.random(g.IntN(12))
	}
	return []byte(g.word() + g.word())
}
