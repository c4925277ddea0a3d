package avro

import "github.com/sluice-data/sluice/connect/connectjson"

// A jsonWriter writes JSON of types, each named one in full only where it comes
// first.
type jsonWriter struct {
	b []byte
	// known are the full names that have been written.
	known map[string]bool
}

func newJSONWriter(known []string) jsonWriter {
	w := jsonWriter{known: make(map[string]bool, len(known))}
	for _, name := range known {
		w.known[name] = true
	}
	return w
}

func (w *jsonWriter) raw(s string)       { w.b = append(w.b, s...) }
func (w *jsonWriter) quote(s string)     { w.b = connectjson.AppendString(w.b, s) }
func (w *jsonWriter) key(key string)     { w.b = appendKey(append(w.b, ','), key) }
func (w *jsonWriter) member(k, v string) { w.key(k); w.quote(v) }

func (w *jsonWriter) strings(key string, list []string) {
	w.key(key)
	w.raw("[")
	for i, s := range list {
		w.b = connectjson.AppendString(appendComma(w.b, i), s)
	}
	w.raw("]")
}

// isKnown reports whether a name has been written in full, and from now on it has.
func (w *jsonWriter) isKnown(name string) bool {
	known := w.known[name]
	w.known[name] = true
	return known
}
