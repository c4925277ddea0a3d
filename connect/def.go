package connect

import (
	"fmt"
	"strconv"
	"time"
)

// Importance tells how much an option matters to most users.
type Importance uint8

// The levels of importance.
const (
	Low Importance = iota
	Medium
	High
)

func (i Importance) String() string { return [...]string{"LOW", "MEDIUM", "HIGH"}[i] }

// Width is how wide a form shows an option.
type Width uint8

// The widths.
const (
	WidthNone Width = iota
	WidthShort
	WidthMedium
	WidthLong
)

func (w Width) String() string { return [...]string{"NONE", "SHORT", "MEDIUM", "LONG"}[w] }

// Option declares one option of a connector: its name, the variable that it
// sets and all that validation, documentation and forms show of it.
type Option struct {
	Name string
	// Var points to the variable to set; its type decides how the text is read
	// and what type the REST API shows:
	//
	//	*string STRING    *bool BOOLEAN     *int INT       *int64 LONG
	//	*float64 DOUBLE   *[]string LIST    *Secret PASSWORD   *int16 SHORT
	//	*time.Duration LONG: a number of Unit
	Var any
	// Unit is what one of a *time.Duration's number stands for; a millisecond
	// when zero.
	Unit time.Duration
	// Aliases are older names of the option, which count when it is not given itself.
	Aliases []string
	// Class shows a *string as CLASS. The last element of a class name is enough
	// to match one of OneOf.
	Class bool
	// Default is the text of the value when none is given. It is looked at only
	// when Required is false; NoDefault means that there is none (null).
	Default   string
	NoDefault bool
	Required  bool
	// AllowEmpty lets a Required option be empty text: it must be given, no more.
	AllowEmpty bool
	// OneOf lists the values that are allowed, for a LIST those of its elements.
	// It also is what forms recommend.
	OneOf []string
	// IgnoreCase finds a value in OneOf in any case; the variable gets the spelling
	// of OneOf.
	IgnoreCase bool
	// Check returns why a parsed value (the variable is set) is not allowed.
	Check func() error
	// Raw keeps white space at the ends of the value.
	Raw bool

	Doc        string
	Group      string
	Importance Importance
	Width      Width
	Display    string // a form's label; Name when empty
	Dependents []string
}

// Def is the list of a connector's options, in the manner of package flag: one
// literal declares an option. Fill it with Add, then Parse the settings.
type Def struct {
	options []Option
	index   map[string]int
	ignored []string
}

// Add declares options. A wrong declaration, such as a name twice or a Var of a
// type that is not supported, is a defect of the program and panics.
func (d *Def) Add(options ...Option) {
	if d.index == nil {
		d.index = make(map[string]int)
	}
	for _, o := range options {
		if _, dup := d.index[o.Name]; dup || o.Name == "" {
			panic(fmt.Sprintf("connect: option %q is declared twice or has no name", o.Name))
		}
		o.Type() // panics for a Var that is not supported
		d.index[o.Name] = len(d.options)
		d.ignored = append(d.ignored, o.Aliases...)
		d.options = append(d.options, o)
	}
}

// Ignore lists keys that configs of the original connectors contain and that
// have no meaning here. A trailing * stands for any rest. They are accepted and
// not warned about.
func (d *Def) Ignore(keys ...string) { d.ignored = append(d.ignored, keys...) }

// Options returns the declared options in order. The slice is the Def's own.
func (d *Def) Options() []Option { return d.options }

// Type returns the option's type as Kafka's REST API names it.
func (o *Option) Type() string {
	switch o.Var.(type) {
	case *string:
		if o.Class {
			return "CLASS"
		}
		return "STRING"
	case *bool:
		return "BOOLEAN"
	case *int:
		return "INT"
	case *int16:
		return "SHORT"
	case *int64, *time.Duration:
		return "LONG"
	case *float64:
		return "DOUBLE"
	case *[]string:
		return "LIST"
	case *Secret:
		return "PASSWORD"
	}
	panic(fmt.Sprintf("connect: option %s has a variable of the unsupported type %T", o.Name, o.Var))
}

// set parses text into the option's variable. Text that is not of the option's
// type leaves the variable as it is.
func (o *Option) set(text string) error {
	switch v := o.Var.(type) {
	case *string:
		*v = o.canonical(text)
	case *bool:
		return setParsed(v, text, parseBool)
	case *int:
		return setParsed(v, text, parseInt32)
	case *int16:
		return setParsed(v, text, parseInt16)
	case *int64:
		return setParsed(v, text, parseInt64)
	case *float64:
		return setParsed(v, text, parseFloat)
	case *time.Duration:
		return setParsed(v, text, o.parseDuration)
	case *[]string:
		*v = splitList(text)
	case *Secret:
		*v = NewSecret(text)
	}
	return nil
}

func setParsed[T any](v *T, text string, parse func(string) (T, error)) error {
	x, err := parse(text)
	if err == nil {
		*v = x
	}
	return err
}

// clear sets the option's variable to its zero value, for null.
func (o *Option) clear() {
	switch v := o.Var.(type) {
	case *string:
		*v = ""
	case *bool:
		*v = false
	case *int:
		*v = 0
	case *int16:
		*v = 0
	case *int64:
		*v = 0
	case *float64:
		*v = 0
	case *time.Duration:
		*v = 0
	case *[]string:
		*v = nil
	case *Secret:
		*v = Secret{}
	}
}

func (o *Option) parseDuration(text string) (time.Duration, error) {
	n, err := parseInt64(text)
	if err != nil {
		return 0, err
	}
	unit := o.Unit
	if unit == 0 {
		unit = time.Millisecond
	}
	// Java configs say "never" with the largest long.
	if limit := int64((1<<63 - 1) / unit); n > limit {
		return 1<<63 - 1, nil
	} else if n < -limit {
		return -1 << 63, nil
	}
	return time.Duration(n) * unit, nil
}

func parseInt32(text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("Not a number of type INT")
	}
	return int(n), nil
}

func parseInt16(text string) (int16, error) {
	n, err := strconv.ParseInt(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("Not a number of type SHORT")
	}
	return int16(n), nil
}

func parseInt64(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("Not a number of type LONG")
	}
	return n, nil
}

func parseFloat(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("Not a number of type DOUBLE")
	}
	return f, nil
}
