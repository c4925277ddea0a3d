package avro

// New makes a schema of types that a program has put together, such as a converter
// that has values to write and no schema for them. Only what Type documents needs
// to be set; a type may contain itself through a named type only. Names and
// defaults are checked as in a text.
func New(root *Type, o Options) (*Schema, error) {
	o.Limits = o.Limits.withDefaults()
	if err := checkNesting(root, o.Limits.Depth); err != nil {
		return nil, err
	}
	w := textWriter{newJSONWriter(nil)}
	w.write(root, "")
	return Parse(string(w.b), o)
}

// ParseValue reads a JSON value, for a default or an attribute.
func ParseValue(text string) (Value, error) {
	return parseJSON(text, defaultMaxDepth)
}
