package jsonschema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// metaSchemas are the compiled meta-schemas of the dialects, each made when it is first needed.
var metaSchemas = [len(dialects)]func() (*validator.Schema, error){
	draft4: metaSchema(draft4), draft6: metaSchema(draft6), draft7: metaSchema(draft7), draft2019: metaSchema(draft2019), draft2020: metaSchema(draft2020),
}

// metaSchema compiles a meta-schema, which the validator has with it.
func metaSchema(d dialect) func() (*validator.Schema, error) {
	return sync.OnceValues(func() (*validator.Schema, error) {
		c := validator.NewCompiler()
		c.UseLoader(noLoader{})
		return c.Compile(d.metaSchema())
	})
}

// noLoader fetches nothing.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not fetched", url)
}

// valid holds a schema to the meta-schema of its dialect, and to none when it names one that is not known.
func (s *Schema) valid() error {
	d := dialectOf(&s.value)
	if named := s.value.Get("$schema"); named != nil {
		if _, known := dialectByURL(named.Text); !known {
			return nil
		}
	}
	meta, err := metaSchemas[d]()
	if err != nil {
		return fmt.Errorf("compile the meta-schema of %s: %w", dialects[d], err)
	}
	err = meta.Validate(s.value.native())
	if failure, ok := err.(*validator.ValidationError); ok && !harmless(failure) {
		return reason(failure)
	}
	return nil
}

// harmless tells whether a failure leaves the meaning of a schema clear: an empty list and a doubled element, which Confluent's registry
// takes, and a text in another syntax than Go's, such as a regular expression.
func harmless(e *validator.ValidationError) bool {
	switch e.ErrorKind.(type) {
	case *kind.MinItems, *kind.UniqueItems, *kind.Format:
		return true
	case *kind.AnyOf, *kind.OneOf:
		return slices.ContainsFunc(e.Causes, harmless)
	}
	return len(e.Causes) > 0 && !slices.ContainsFunc(e.Causes, func(c *validator.ValidationError) bool { return !harmless(c) })
}

// reason is the first failure that is not harmless, where it is.
func reason(e *validator.ValidationError) error {
	for len(e.Causes) > 0 {
		i := max(0, slices.IndexFunc(e.Causes, func(c *validator.ValidationError) bool { return !harmless(c) }))
		e = e.Causes[i]
	}
	return invalid(pointerOf(e), "the meta-schema does not allow this: %s", textOf(e))
}

func pointerOf(e *validator.ValidationError) string {
	return "#/" + strings.Join(e.InstanceLocation, "/")
}

func textOf(e *validator.ValidationError) string {
	return e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
}

// nativeNumber has another number of the same sign in place of one that the validator would panic on (I5). No meta-schema has a limit but 0.
func (v *Value) nativeNumber() json.Number {
	_, ok := rational(v.Text)
	switch {
	case ok:
		return json.Number(v.Text)
	case v.Text[0] == '-':
		return "-1"
	}
	return "1"
}

// native is a value as encoding/json has it.
func (v *Value) native() any {
	switch v.Kind {
	case Null:
		return nil
	case Bool:
		return v.Text == "true"
	case Number:
		return v.nativeNumber()
	case String:
		return v.Text
	case Array:
		elements := make([]any, len(v.Elements))
		for i := range v.Elements {
			elements[i] = v.Elements[i].native()
		}
		return elements
	}
	members := make(map[string]any, len(v.Members))
	for i := range v.Members {
		members[v.Members[i].Name] = v.Members[i].Value.native()
	}
	return members
}
