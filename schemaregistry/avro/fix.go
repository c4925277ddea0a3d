package avro

import (
	"fmt"
	"strings"
)

// Fix says in plain words what would make the schemas compatible. It speaks of the
// new schema, the only one that can be changed.
func (d *Difference) Fix() string {
	newer := d.Direction == NewReadsOld
	switch d.Type {
	case NameMismatch:
		return d.fixName(newer)
	case FixedSizeMismatch:
		return fmt.Sprintf("Keep the size %d of %s, or add a field with another fixed type.", d.older().Size, d.older().Name)
	case MissingEnumSymbols:
		return d.fixSymbols(newer)
	case ReaderFieldMissingDefaultValue:
		return d.fixField(newer)
	case TypeMismatch:
		return d.fixType(newer)
	case MissingUnionBranch:
		return d.fixUnion(newer)
	}
	return fmt.Sprintf("Let only one field of the record %s have the name or an alias of the field %s.", d.Writer.Name, d.Field.Name)
}

// older is the old schema's type.
func (d *Difference) older() *Type {
	if d.Direction == NewReadsOld {
		return d.Writer
	}
	return d.Reader
}

func (d *Difference) fixName(newer bool) string {
	if newer {
		return fmt.Sprintf("Keep the name %s, or add \"aliases\": [%q] to %s.", d.Writer.Name, d.Writer.Name, d.Reader.Name)
	}
	return fmt.Sprintf("Keep the name %s: an alias in the new schema does not help those who read with the old one.", d.Reader.Name)
}

func (d *Difference) fixSymbols(newer bool) string {
	if newer {
		return fmt.Sprintf("Put the symbols %s back, or give the enum %s a \"default\" symbol that stands for those it does not have; the default of a field does not count.", d.Info, d.Reader.Name)
	}
	return fmt.Sprintf("Leave the symbols %s out: the enum %s of the old schema has no \"default\" symbol to read them as. With a default added first, a later version can add symbols.", d.Info, d.Reader.Name)
}

func (d *Difference) fixField(newer bool) string {
	if newer {
		return fmt.Sprintf("Give the field %s a \"default\" (an optional field has the type [\"null\", ...] and the default null), or name the old field that it replaces in its \"aliases\".", d.Info)
	}
	return fmt.Sprintf("Keep the field %s: the old schema has no default for it.", d.Info)
}

func (d *Difference) fixType(newer bool) string {
	if newer {
		return fmt.Sprintf("Keep the type %s%s, or read both in a union: [%s, %s].", brief(d.Writer), readableAs(d.Writer.Kind), quoted(d.Writer), quoted(d.Reader))
	}
	return fmt.Sprintf("Keep the type %s: the old schema reads it as that%s.", brief(d.Reader), readableFrom(d.Reader.Kind))
}

// readableAs lists what else a kind can be read as.
func readableAs(from Kind) string {
	return kinds(" or one that it can be read as (", func(k Kind) bool { return promotes(from, k) })
}

// readableFrom lists what else can be read as a kind.
func readableFrom(to Kind) string {
	return kinds(", and besides only (", func(k Kind) bool { return promotes(k, to) })
}

func kinds(before string, fits func(Kind) bool) string {
	var names []string
	for k := Null; k <= String; k++ {
		if fits(k) {
			names = append(names, k.String())
		}
	}
	if names == nil {
		return ""
	}
	return before + strings.Join(names, ", ") + ")"
}

func (d *Difference) fixUnion(newer bool) string {
	if len(d.Causes) > 0 {
		var fixes []string
		for i := range d.Causes {
			fixes = append(fixes, fmt.Sprintf("at %s: %s", d.Causes[i].Pointer, d.Causes[i].Fix()))
		}
		return fmt.Sprintf("The union has a type %s, but it has changed; %s", brief(d.Writer), strings.Join(fixes, " "))
	}
	if newer {
		return fmt.Sprintf("Keep %s in the union.", quoted(d.Writer))
	}
	return fmt.Sprintf("Leave %s out of the union: the old schema can not read it.", quoted(d.Writer))
}

// brief names a type in a sentence.
func brief(t *Type) string {
	if t.Kind.named() {
		return t.Kind.String() + " " + t.Name.Full()
	}
	return t.Kind.String()
}

// quoted names a type as a schema does.
func quoted(t *Type) string {
	switch {
	case t.Kind.named():
		return `"` + t.Name.Full() + `"`
	case t.Kind.primitive():
		return `"` + t.Kind.String() + `"`
	}
	return "the " + t.Kind.String()
}
