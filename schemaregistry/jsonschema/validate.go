package jsonschema

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluice-data/sluice/internal/javaregex"
)

// A Validator holds values to a schema. It may be used by any number of goroutines.
type Validator struct {
	schema *validator.Schema
	limits Limits
}

// Validator compiles the schema for values, with classic as if it were of draft 7 where it is of a later one. Formats are checked as far as the
// schema's draft asks for it: to draft 7.
//
// Errors: what the schema refers to is not there, or it is no schema.
func (s *Schema) Validator(classic bool) (v *Validator, err error) {
	defer recovered(&err)
	c := validator.NewCompiler()
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(javaPattern)
	c.DefaultDraft(validator.Draft7)
	if err := s.addTo(c, classic); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(baseURL)
	if err != nil {
		return nil, fmt.Errorf("compile the JSON Schema to check values by it: %w", err)
	}
	return &Validator{compiled, s.limits}, nil
}

// recovered makes an error of a panic in the library, which is given what others have sent (I5).
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the JSON Schema cannot be used to check values: %v", p)
	}
}

// addTo hands a compiler the schema and what it refers to, each under the URLs by which it can be meant.
func (s *Schema) addTo(c *validator.Compiler, classic bool) error {
	documents := map[string]*Value{baseURL: &s.value}
	_, root := newResolver(&s.value, dialectOf(&s.value))
	input, _ := url.Parse(baseURL)
	for _, ref := range s.references {
		u, err := url.Parse(ref.Name)
		if err != nil {
			continue // no $ref can have such a name
		}
		v, err := parseValue(ref.Text, s.limits)
		if err != nil {
			return inReference(err, ref.Name)
		}
		for _, base := range []*url.URL{input, root.base} {
			if at := withoutFragment(base.ResolveReference(u)).String(); documents[at] == nil {
				documents[at] = &v
			}
		}
	}
	for at, v := range documents {
		if err := v.computable(); err != nil {
			return err
		}
		if err := c.AddResource(at, v.document(classic)); err != nil && !errors.As(err, new(*validator.ResourceExistsError)) {
			return fmt.Errorf("read the JSON Schema at %s: %w", at, err)
		}
	}
	return nil
}

// document is a schema as encoding/json has it, without a $schema that the default stands in for.
func (v *Value) document(classic bool) any {
	document := v.native()
	members, ok := document.(map[string]any)
	if named := v.Get("$schema"); ok && named != nil {
		if d, known := dialectByURL(named.Text); !known || classic && d.modern() {
			delete(members, "$schema")
		}
	}
	return document
}

// computable refuses numbers that take too long to compute with (I5).
func (v *Value) computable() error {
	if v.Kind == Number {
		if _, ok := rational(v.Text); !ok {
			return fmt.Errorf("the number %.40s has an exponent beyond %d", v.Text, maxExponent)
		}
	}
	for i := range v.Elements {
		if err := v.Elements[i].computable(); err != nil {
			return err
		}
	}
	for i := range v.Members {
		if err := v.Members[i].Value.computable(); err != nil {
			return err
		}
	}
	return nil
}

// Validate tells why a JSON text does not fit the schema.
func (v *Validator) Validate(text []byte) (err error) {
	defer recovered(&err)
	value, err := parseValue(string(text), Limits{Depth: v.limits.Depth, Width: len(text)})
	if err == nil {
		err = value.computable()
	}
	if err != nil {
		return err
	}
	err = v.schema.Validate(value.native())
	var failure *validator.ValidationError
	if errors.As(err, &failure) {
		failure = telling(failure)
		return fmt.Errorf("the value does not fit the JSON Schema: %s (at %s)", textOf(failure), pointerOf(failure))
	}
	return err
}

// telling is the failure deepest in the value: of a branch that almost fits. Of several it is the last, for null is the first branch of what is
// optional.
func telling(e *validator.ValidationError) *validator.ValidationError {
	var deepest *validator.ValidationError
	for _, cause := range e.Causes {
		if c := telling(cause); deepest == nil || len(c.InstanceLocation) >= len(deepest.InstanceLocation) {
			deepest = c
		}
	}
	return cmp.Or(deepest, e)
}

// pattern is a regular expression of Java's for the validator. One that takes too long does not match.
type pattern struct {
	*javaregex.Pattern
	text string
}

func javaPattern(text string) (validator.Regexp, error) {
	p, err := findPattern(text)
	return pattern{p, text}, err
}

func (p pattern) String() string { return p.text }

// MatchString implements validator.Regexp.
func (p pattern) MatchString(s string) bool {
	ok, err := p.Matches(s)
	return ok && err == nil
}
