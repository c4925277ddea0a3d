package pgtype

import (
	"math"
	"strconv"
	"strings"
)

// propagated are the parameters of column.propagate.source.type: type, length,
// scale and name of a column as PostgreSQL's JDBC driver tells them, which is
// where Debezium has them from.
func (c *Catalog) propagated(col *Column) ([]param, error) {
	t, err := c.lookup(col.TypeOID)
	if err != nil {
		return nil, err
	}
	root, mod, err := c.root(col.TypeOID, col.TypeMod)
	if err != nil {
		return nil, err
	}
	oid := root.oid
	if root.isArray() {
		oid = root.elem
	}
	params := []param{
		{"__debezium.source.column.type", strings.ToUpper(driverName(t.name, col))},
		{"__debezium.source.column.length", strconv.Itoa(driverLength(oid, mod))},
		{"__debezium.source.column.scale", strconv.Itoa(driverScale(oid, mod))},
	}
	if col.Doc != "" {
		params = append(params, param{"__debezium.source.column.comment", col.Doc})
	}
	return append(params, param{"__debezium.source.column.name", col.Name}), nil
}

// driverName is the name of a type; a number from a sequence is a serial.
func driverName(name string, col *Column) string {
	if strings.Contains(col.Default, "nextval(") {
		switch name {
		case "int2":
			return "smallserial"
		case "int4":
			return "serial"
		case "int8":
			return "bigserial"
		}
	}
	return name
}

// driverLength is the precision of numbers, the length of strings, and how wide
// other values are when they are shown.
func driverLength(oid uint32, mod int32) int {
	switch oid {
	case oidInt2:
		return 5
	case oidInt4, oidOID:
		return 10
	case oidInt8:
		return 19
	case oidFloat4:
		return 8
	case oidFloat8:
		return 17
	case oidNumeric:
		precision, _, _ := numericMod(mod)
		return precision
	case oidChar, oidBool:
		return 1
	case oidBpchar, oidVarchar:
		if mod >= 4 {
			return int(mod - 4)
		}
	case oidBit, oidVarbit:
		if mod != -1 {
			return int(mod)
		}
	}
	return driverWidth(oid, mod)
}

func driverWidth(oid uint32, mod int32) int {
	fraction := 7 // a point and six digits
	switch {
	case mod == 0:
		fraction = 0
	case mod == 1:
		fraction = 3 // so it is in the driver
	case mod > 1:
		fraction = int(mod) + 1
	}
	const clock, date, zone = 8, 14, 6
	switch oid {
	case oidDate:
		return 13
	case oidTime:
		return clock + fraction
	case oidTimetz:
		return clock + fraction + zone
	case oidTimestamp:
		return date + clock + fraction
	case oidTimestamptz:
		return date + clock + fraction + zone
	case oidInterval:
		return 49
	}
	return math.MaxInt32
}

// driverScale is the number of decimal places.
func driverScale(oid uint32, mod int32) int {
	switch oid {
	case oidFloat4:
		return 8
	case oidFloat8:
		return 17
	case oidNumeric:
		_, scale, _ := numericMod(mod)
		return scale
	case oidTime, oidTimetz, oidTimestamp, oidTimestamptz:
		if mod == -1 {
			return 6
		}
		return int(mod)
	case oidInterval:
		if mod == -1 {
			return 6
		}
		return int(mod & 0xffff)
	}
	return 0
}
