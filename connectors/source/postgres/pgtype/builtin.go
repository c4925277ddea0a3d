package pgtype

// OIDs of PostgreSQL's own types, fixed in its catalog.
const (
	oidBool        = 16
	oidBytea       = 17
	oidChar        = 18
	oidName        = 19
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidOID         = 26
	oidJSON        = 114
	oidXML         = 142
	oidPoint       = 600
	oidLseg        = 601
	oidPath        = 602
	oidBox         = 603
	oidPolygon     = 604
	oidLine        = 628
	oidCIDR        = 650
	oidFloat4      = 700
	oidFloat8      = 701
	oidCircle      = 718
	oidMacaddr8    = 774
	oidMoney       = 790
	oidMacaddr     = 829
	oidInet        = 869
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidInterval    = 1186
	oidTimetz      = 1266
	oidBit         = 1560
	oidVarbit      = 1562
	oidNumeric     = 1700
	oidRefcursor   = 1790
	oidUUID        = 2950
	oidTsvector    = 3614
	oidJSONB       = 3802
	oidInt4Range   = 3904
	oidNumRange    = 3906
	oidTsRange     = 3908
	oidTstzRange   = 3910
	oidDateRange   = 3912
	oidInt8Range   = 3926
)

// builtins are types that a Catalog knows before Load, with their array types.
var builtins = []struct {
	oid, array uint32
	name       string
}{
	{oidBool, 1000, "bool"}, {oidBytea, 1001, "bytea"}, {oidChar, 1002, "char"}, {oidName, 1003, "name"},
	{oidInt8, 1016, "int8"}, {oidInt2, 1005, "int2"}, {oidInt4, 1007, "int4"}, {oidText, 1009, "text"},
	{oidOID, 1028, "oid"}, {oidJSON, 199, "json"}, {oidXML, 143, "xml"}, {oidPoint, 1017, "point"},
	{oidLseg, 1018, "lseg"}, {oidPath, 1019, "path"}, {oidBox, 1020, "box"}, {oidPolygon, 1027, "polygon"},
	{oidLine, 629, "line"}, {oidCIDR, 651, "cidr"}, {oidFloat4, 1021, "float4"}, {oidFloat8, 1022, "float8"},
	{oidCircle, 719, "circle"}, {oidMacaddr8, 775, "macaddr8"}, {oidMoney, 791, "money"}, {oidMacaddr, 1040, "macaddr"},
	{oidInet, 1041, "inet"}, {oidBpchar, 1014, "bpchar"}, {oidVarchar, 1015, "varchar"}, {oidDate, 1182, "date"},
	{oidTime, 1183, "time"}, {oidTimestamp, 1115, "timestamp"}, {oidTimestamptz, 1185, "timestamptz"},
	{oidInterval, 1187, "interval"}, {oidTimetz, 1270, "timetz"}, {oidBit, 1561, "bit"}, {oidVarbit, 1563, "varbit"},
	{oidNumeric, 1231, "numeric"}, {oidRefcursor, 2201, "refcursor"}, {oidUUID, 2951, "uuid"}, {oidTsvector, 3643, "tsvector"},
	{oidJSONB, 3807, "jsonb"}, {oidInt4Range, 3905, "int4range"}, {oidNumRange, 3907, "numrange"},
	{oidTsRange, 3909, "tsrange"}, {oidTstzRange, 3911, "tstzrange"}, {oidDateRange, 3913, "daterange"},
	{oidInt8Range, 3927, "int8range"},
}
