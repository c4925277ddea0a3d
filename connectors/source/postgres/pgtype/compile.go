package pgtype

import (
	"maps"
	"slices"

	"github.com/sluice-data/sluice/connect"
)

// Compile makes the codec of a column. A column whose type has no mapping is left
// out of the records: both results are nil. An *UnknownTypeError asks for Refresh.
func (c *Catalog) Compile(col Column, o *Options) (*Codec, error) {
	t, mod, err := c.root(col.TypeOID, col.TypeMod)
	if err != nil {
		return nil, err
	}
	k, err := (&compiler{c, o}).kind(t, mod)
	if k == nil || err != nil {
		return nil, err
	}
	params, err := c.parameters(&col)
	if err != nil {
		return nil, err
	}
	attrs := connect.Attrs{Optional: !col.NotNull, Doc: col.Doc}
	// A domain has no default in Debezium's schemas.
	if t.oid == col.TypeOID {
		attrs.Default = k.defaultOf(&col)
	}
	codec := &Codec{text: k.text, binary: k.binary, Placeholder: k.placeholder}
	if codec.Schema, err = k.schema(attrs, params); err != nil {
		return nil, err
	}
	if col.NotNull {
		codec.Zero = k.zero
		if attrs.Default != nil {
			codec.Zero = *attrs.Default
		}
	}
	return codec, nil
}

// parameters are those that the column adds to the schema of its type.
func (c *Catalog) parameters(col *Column) ([]param, error) {
	var params []param
	if col.PropagateType {
		p, err := c.propagated(col)
		if err != nil {
			return nil, err
		}
		params = p
	}
	for _, name := range slices.Sorted(maps.Keys(col.Parameters)) {
		params = append(params, param{name, col.Parameters[name]})
	}
	return params, nil
}

// compiler makes kinds.
type compiler struct {
	cat *Catalog
	o   *Options
}

// kind returns what a type becomes, nil for a type that is left out.
func (c *compiler) kind(t *typeInfo, mod int32) (*kind, error) {
	if t.isArray() {
		return c.array(t, mod)
	}
	if k := c.scalar(t, mod); k != nil {
		return k, nil
	}
	if c.o.IncludeUnknown {
		return c.unknown(), nil
	}
	return nil, nil
}

// scalar returns what a type becomes that is no array, nil without a mapping.
func (c *compiler) scalar(t *typeInfo, mod int32) *kind {
	if t.kind == 'e' {
		return c.enum(t)
	}
	for _, of := range []func(*typeInfo, int32) *kind{c.simple, c.temporal, c.geometric, c.extension} {
		if k := of(t, mod); k != nil {
			return k
		}
	}
	return nil
}

// simple returns numbers, strings and bytes.
func (c *compiler) simple(t *typeInfo, mod int32) *kind {
	switch t.oid {
	case oidBool:
		return boolKind()
	case oidInt2:
		return intKind(connect.Int16, "int2", 2)
	case oidInt4:
		return intKind(connect.Int32, "int4", 4)
	case oidInt8:
		return intKind(connect.Int64, "int8", 8)
	case oidOID:
		return oidKind()
	case oidFloat4:
		return floatKind(connect.Float32, "float4")
	case oidFloat8:
		return floatKind(connect.Float64, "float8")
	case oidNumeric:
		return c.numeric(mod)
	case oidMoney:
		return c.money()
	case oidBytea:
		return c.bytea()
	case oidBit, oidVarbit:
		return bitString(t, mod)
	case oidText, oidVarchar, oidBpchar:
		return c.defaulting(c.str(plain(connect.String)), "")
	case oidName:
		return c.str(plain(connect.String))
	case oidChar:
		return c.char()
	case oidXML:
		return c.defaulting(c.str(named(connect.String, "io.debezium.data.Xml")), "")
	case oidJSON:
		return c.defaulting(c.str(named(connect.String, jsonName)), "{}")
	case oidJSONB:
		return c.defaulting(c.versioned("jsonb", named(connect.String, jsonName)), "{}")
	case oidUUID:
		return c.uuid()
	case oidInet, oidCIDR:
		return c.rendered(t, inetText)
	case oidMacaddr, oidMacaddr8:
		return c.rendered(t, macaddrText)
	case oidTsvector:
		k := c.rendered(t, tsvectorText)
		k.shape = named(connect.String, "io.debezium.data.Tsvector")
		return k
	case oidInt4Range, oidInt8Range, oidNumRange, oidTsRange, oidTstzRange, oidDateRange:
		return c.rangeOf(t)
	}
	return nil
}

// extension returns types of extensions, which are known by their names, in
// whatever schema they were installed.
func (c *compiler) extension(t *typeInfo, _ int32) *kind {
	if t.kind != 'b' {
		return nil
	}
	switch t.name {
	case "citext":
		return c.str(plain(connect.String))
	case "isbn":
		k := c.str(plain(connect.String))
		k.binary = nil // the extension has no binary form
		return k
	case "ltree":
		return c.versioned("ltree", named(connect.String, "io.debezium.data.Ltree"))
	case "hstore":
		return c.hstore()
	case "geometry":
		return postgis("geometry", geometryShape(), 3)
	case "geography":
		return postgis("geography", geographyShape(), 2)
	case "vector":
		return vectorKind()
	case "halfvec":
		return halfvecKind()
	case "sparsevec":
		return sparsevecKind()
	}
	return nil
}
