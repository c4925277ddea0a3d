package avro

import "math"

// A Logical is a type's logical type. The zero value is none.
type Logical struct {
	// Name is "decimal", "date" and so on.
	Name string
	// Precision and Scale are those of a decimal.
	Precision, Scale int
}

// Logical returns the type's logical type if it is one of the specification and
// fits the type; one that is unknown or does not fit is an attribute like any
// other, as the specification says.
func (t *Type) Logical() Logical {
	name := t.Props.Text("logicalType")
	if t.javaClass() {
		return Logical{}
	}
	switch name {
	case "decimal":
		return t.decimal()
	case "duration":
		return t.logicalIf(name, t.Kind == Fixed && t.Size == 12)
	case "uuid":
		return t.logicalIf(name, t.Kind == String || t.Kind == Fixed && t.Size == 16)
	case "big-decimal":
		return t.logicalIf(name, t.Kind == Bytes)
	case "date", "time-millis":
		return t.logicalIf(name, t.Kind == Int)
	case "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
		"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos":
		return t.logicalIf(name, t.Kind == Long)
	}
	return Logical{}
}

// javaClass reports whether the type names a Java class for its values, with which
// Java takes no logical type.
func (t *Type) javaClass() bool {
	for _, key := range [...]string{"avro.java.string", "java-class", "java-key-class", "java-element-class"} {
		if v, ok := t.Props.Get(key); ok && v.kind == StringValue {
			return true
		}
	}
	return false
}

func (t *Type) logicalIf(name string, fits bool) Logical {
	if !fits {
		return Logical{}
	}
	return Logical{Name: name}
}

func (t *Type) decimal() Logical {
	precision, ok := t.Props.int32("precision")
	scale, okScale := 0, true
	if _, has := t.Props.Get("scale"); has {
		scale, okScale = t.Props.int32("scale")
	}
	fits := ok && okScale && precision > 0 && scale >= 0 && scale <= precision
	switch t.Kind {
	case Bytes:
	case Fixed:
		// The decimal digits that so many bytes of two's complement can hold.
		fits = fits && float64(precision) <= math.Floor(math.Log10(2)*float64(int32(8*t.Size-1))) // Java's int
	default:
		fits = false
	}
	if !fits {
		return Logical{}
	}
	return Logical{Name: "decimal", Precision: precision, Scale: scale}
}

// int32 is an attribute that is an integer of 32 bits.
func (p Props) int32(key string) (int, bool) {
	v, _ := p.Get(key)
	n, ok := v.Int()
	return int(n), ok && n >= math.MinInt32 && n <= math.MaxInt32
}
