package connect

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// OptionValue is what became of one option when settings were parsed.
type OptionValue struct {
	Option *Option
	// Value is the text in use, given or default; nil for null. That of a
	// PASSWORD is HiddenValue.
	Value *string
	// Errors has every reason why the value is not allowed, in Kafka's wording.
	Errors []string
}

// Parse sets the variable of every option from the settings or its default and
// returns an OptionValue for each, in the order of declaration, with all errors
// that there are. Settings that no option declares are left to Unknown.
func (d *Def) Parse(settings map[string]string) []OptionValue {
	values := make([]OptionValue, len(d.options))
	for i := range d.options {
		values[i] = d.options[i].parse(settings)
	}
	return values
}

// Err joins the errors of parsed values into one, nil when there are none. Each
// line names the option.
func Err(values []OptionValue) error {
	var errs []error
	for _, v := range values {
		for _, e := range v.Errors {
			errs = append(errs, errors.New(e))
		}
	}
	return errors.Join(errs...)
}

func (o *Option) parse(settings map[string]string) OptionValue {
	v := OptionValue{Option: o}
	text, given := o.text(settings)
	switch {
	case !given && o.Required:
		o.clear()
		v.fail(fmt.Sprintf("Missing required configuration %q which has no default value.", o.Name))
		return v
	case !given && o.NoDefault:
		o.clear()
		return v
	case !given:
		text = o.Default
	case !o.Raw:
		text = strings.TrimSpace(text)
	}
	v.Value = o.shown(text)
	if err := o.accept(text); err != nil {
		v.fail(o.invalid(*v.Value, err.Error()))
	}
	return v
}

// invalid says that a value is not accepted. Errors are logged: neither the value nor the
// reason shows who logs in at a URL and with what (I6).
func (o *Option) invalid(value, reason string) string {
	values := []string{value}
	list, isList := o.Var.(*[]string)
	if isList {
		values = slices.Clone(*list)
	}
	for i, v := range values {
		if hidden := WithoutUserInfo(v); hidden != v {
			values[i], reason = hidden, strings.ReplaceAll(reason, v, hidden)
		}
	}
	if value = strings.Join(values, ", "); isList {
		value = "[" + value + "]" // as Java shows a list
	}
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", value, o.Name, reason)
}

// text returns the option's text among the settings, under its name or an older one.
func (o *Option) text(settings map[string]string) (text string, given bool) {
	for i := -1; i < len(o.Aliases) && !given; i++ {
		name := o.Name
		if i >= 0 {
			name = o.Aliases[i]
		}
		text, given = settings[name]
	}
	return text, given
}

func (v *OptionValue) fail(reason string) { v.Errors = append(v.Errors, reason) }

func (o *Option) shown(text string) *string {
	if _, secret := o.Var.(*Secret); secret {
		text = HiddenValue
	}
	return &text
}

// accept parses, then applies OneOf and Check.
func (o *Option) accept(text string) error {
	if err := o.set(text); err != nil {
		return err
	}
	if o.Required && !o.AllowEmpty && o.isEmpty(text) {
		return errors.New("it must not be empty")
	}
	if err := o.checkOneOf(); err != nil {
		return err
	}
	if o.Check != nil {
		return o.Check()
	}
	return nil
}

// isEmpty tells whether text has no value, or as a LIST no value for an element.
func (o *Option) isEmpty(text string) bool {
	if list, ok := o.Var.(*[]string); ok && slices.Contains(*list, "") {
		return true
	}
	return strings.TrimSpace(text) == ""
}

func (o *Option) checkOneOf() error {
	if o.OneOf == nil {
		return nil
	}
	switch v := o.Var.(type) {
	case *string:
		return o.oneOf(*v)
	case *[]string:
		for _, e := range *v {
			if err := o.oneOf(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *Option) oneOf(text string) error {
	if slices.Contains(o.OneOf, text) {
		return nil
	}
	return fmt.Errorf("String must be one of: %s%s", strings.Join(o.OneOf, ", "), o.didYouMean(text))
}

// didYouMean suggests an allowed value. Class names are compared by their last
// elements: those of one family differ in little else.
func (o *Option) didYouMean(text string) string {
	compared := func(name string) string {
		if o.Class {
			return simpleName(name)
		}
		return name
	}
	names := make(map[string]string, len(o.OneOf))
	for _, full := range o.OneOf {
		names[compared(full)] = full
	}
	if c := Closest(compared(text), slices.Sorted(maps.Keys(names))); c != "" {
		return fmt.Sprintf(" (did you mean %s?)", names[c])
	}
	return ""
}

// simpleName is the last element of a class name.
func simpleName(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

// canonical returns the spelling of OneOf for text in another case, the full class
// name for one that is given by its last element, and other text as it is.
func (o *Option) canonical(text string) string {
	if o.IgnoreCase {
		for _, allowed := range o.OneOf {
			if strings.EqualFold(allowed, text) {
				return allowed
			}
		}
	}
	if !o.Class || strings.Contains(text, ".") {
		return text
	}
	for _, full := range o.OneOf {
		if simpleName(full) == text {
			return full
		}
	}
	return text
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("Expected value to be either true or false")
}

// splitList reads a LIST: elements separated by commas, white space around them
// dropped, no element for empty text.
func splitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return []string{}
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// UnknownOption is a setting that nothing reads.
type UnknownOption struct {
	Name string
	// Suggestion is the name of the option that was probably meant, or "".
	Suggestion string
}

// Unknown returns the settings that no option declares and Ignore does not list,
// by name.
func (d *Def) Unknown(settings map[string]string) []UnknownOption {
	var unknown []UnknownOption
	for name := range settings {
		if _, ok := d.index[name]; !ok && !d.isIgnored(name) {
			unknown = append(unknown, UnknownOption{name, d.closest(name)})
		}
	}
	slices.SortFunc(unknown, func(a, b UnknownOption) int { return strings.Compare(a.Name, b.Name) })
	return unknown
}

func (d *Def) isIgnored(name string) bool {
	return slices.ContainsFunc(d.ignored, func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		return name == pattern || wild && strings.HasPrefix(name, prefix)
	})
}

func (d *Def) closest(name string) string {
	names := make([]string, len(d.options))
	for i := range d.options {
		names[i] = d.options[i].Name
	}
	return Closest(name, names)
}
