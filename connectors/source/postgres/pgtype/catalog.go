package pgtype

import (
	"fmt"
	"slices"
	"sync"
)

// maxDepth bounds how far domains and arrays are followed (I5).
const maxDepth = 64

// Catalog knows the types of one database. It may be used by any number of
// goroutines.
type Catalog struct {
	mu         sync.RWMutex // guards what follows; types are replaced, never changed
	types      map[uint32]*typeInfo
	moneyScale int // decimal places of money under the database's lc_monetary
}

// typeInfo is a row of pg_type.
type typeInfo struct {
	oid      uint32
	name     string
	schema   string
	kind     byte   // typtype: b base, c composite, d domain, e enum, r range, m multirange, p pseudo; 0: there is no such type
	category byte   // typcategory: A array
	elem     uint32 // typelem
	base     uint32 // typbasetype of a domain
	mod      int32  // typtypmod of a domain
	delim    byte   // between the elements of an array of this type
	labels   []string
	accepted []string // labels that were read but that the catalog no longer has, see RefreshEnum
}

func (t *typeInfo) isArray() bool { return t.category == 'A' && t.elem != 0 }

// NewCatalog returns a catalog of PostgreSQL's own types.
func NewCatalog() *Catalog {
	c := &Catalog{types: make(map[uint32]*typeInfo, 2*len(builtins)), moneyScale: 2}
	for _, b := range builtins {
		delim := byte(',')
		if b.oid == oidBox {
			delim = ';'
		}
		c.types[b.oid] = &typeInfo{oid: b.oid, name: b.name, schema: "pg_catalog", kind: 'b', mod: -1, delim: delim}
		c.types[b.array] = &typeInfo{oid: b.array, name: "_" + b.name, schema: "pg_catalog", kind: 'b', category: 'A', elem: b.oid, mod: -1, delim: delim}
	}
	return c
}

// UnknownTypeError is a type that the catalog has not seen: Refresh it and
// compile again.
type UnknownTypeError struct{ OID uint32 }

func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("type with OID %d is not in the catalog", e.OID)
}

// lookup returns a type.
func (c *Catalog) lookup(oid uint32) (*typeInfo, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if t := c.types[oid]; t != nil {
		return t, nil
	}
	return nil, &UnknownTypeError{oid}
}

// root follows domains to the type that they are made of. A type modifier comes
// from the first domain that has one.
func (c *Catalog) root(oid uint32, mod int32) (*typeInfo, int32, error) {
	for range maxDepth {
		t, err := c.lookup(oid)
		if err != nil || t.kind != 'd' {
			return t, mod, err
		}
		if mod == -1 {
			mod = t.mod
		}
		oid = t.base
	}
	return nil, 0, fmt.Errorf("resolve the domain with OID %d: more than %d domains on one another", oid, maxDepth)
}

// add puts types in, keeping what was accepted of their predecessors.
func (c *Catalog) add(types []*typeInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range types {
		if old := c.types[t.oid]; old != nil {
			t.accepted = old.accepted
		}
		c.types[t.oid] = t
	}
}

// maxAccepted bounds the labels that are remembered for an enum (I5).
const maxAccepted = 1000

// accept remembers a label that an enum had when a row was written.
func (c *Catalog) accept(oid uint32, label string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.types[oid]
	if old == nil || slices.Contains(old.labels, label) || len(old.accepted) >= maxAccepted {
		return
	}
	t := *old
	t.accepted = append(slices.Clip(t.accepted), label)
	c.types[oid] = &t
}

func (c *Catalog) money() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.moneyScale
}
