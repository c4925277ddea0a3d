package pgtype

// Description is what masks and filters of types go by.
type Description struct {
	Name   string // of the type, as __debezium.source.column.type has it in upper case
	Root   uint32 // the type's OID, that of its root for a domain
	Enum   bool
	Length int // __debezium.source.column.length
}

// Describe tells about the type of a column. An *UnknownTypeError asks for Refresh.
func (c *Catalog) Describe(col Column) (Description, error) {
	t, err := c.lookup(col.TypeOID)
	if err != nil {
		return Description{}, err
	}
	root, mod, err := c.root(col.TypeOID, col.TypeMod)
	if err != nil {
		return Description{}, err
	}
	return Description{driverName(t.name, &col), root.oid, root.kind == 'e', driverLength(root.oid, mod)}, nil
}
