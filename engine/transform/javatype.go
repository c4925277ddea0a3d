package transform

import "github.com/sluice-data/sluice/connect"

// className is the name of the Java class that has such a value in Kafka Connect.
// Texts of errors have it, since people search for them.
func className(s *connect.Schema, v connect.Value) string {
	if name := logicalClass(s, v); name != "" {
		return name
	}
	switch v.Type() {
	case connect.Boolean:
		return "java.lang.Boolean"
	case connect.Int8:
		return "java.lang.Byte"
	case connect.Int16:
		return "java.lang.Short"
	case connect.Int32:
		return "java.lang.Integer"
	case connect.Int64:
		return "java.lang.Long"
	case connect.Float32:
		return "java.lang.Float"
	case connect.Float64:
		return "java.lang.Double"
	case connect.String:
		return "java.lang.String"
	case connect.Bytes:
		return "[B"
	case connect.Array:
		return "java.util.ArrayList"
	case connect.Map:
		return "java.util.HashMap"
	case connect.Struct:
		return "org.apache.kafka.connect.data.Struct"
	}
	return "null"
}

func logicalClass(s *connect.Schema, v connect.Value) string {
	if s == nil || v.IsNull() {
		return ""
	}
	switch s.Name() {
	case connect.DateName, connect.TimeName, connect.TimestampName:
		return "java.util.Date"
	case connect.DecimalName:
		return "java.math.BigDecimal"
	}
	return ""
}

// isTime tells whether values of the schema are Date, Time or Timestamp.
func isTime(s *connect.Schema) bool {
	return s != nil && (s.Name() == connect.DateName && s.Type() == connect.Int32 ||
		s.Name() == connect.TimeName && s.Type() == connect.Int32 ||
		s.Name() == connect.TimestampName && s.Type() == connect.Int64)
}

// isDecimal tells whether values of the schema are Decimal.
func isDecimal(s *connect.Schema) bool {
	return s != nil && s.Name() == connect.DecimalName && s.Type() == connect.Bytes
}

const millisPerDay = 24 * 60 * 60 * 1000

// millis returns the milliseconds of a value of a schema that isTime.
func millis(s *connect.Schema, v connect.Value) int64 {
	if s.Name() == connect.DateName {
		return v.Int() * millisPerDay
	}
	return v.Int()
}
