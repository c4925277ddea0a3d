package connectjson

import "github.com/sluice-data/sluice/connect"

// Measure returns the length in bytes of the longest name of a field or symbol in a schema, and of how many schemas it is made: what bounds the
// text of a value and the work of compiling the schema.
func Measure(s *connect.Schema) (longest, types int) {
	inner := []*connect.Schema{s.Key(), s.Value()}
	for _, f := range s.Fields() {
		longest = max(longest, len(f.Name))
		inner = append(inner, f.Schema)
	}
	for _, name := range s.ParameterNames() {
		longest = max(longest, len(name)) // of symbols among others
	}
	types = 1
	for _, in := range inner {
		if in != nil {
			l, n := Measure(in)
			longest, types = max(longest, l), types+n
		}
	}
	return longest, types
}
