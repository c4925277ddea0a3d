package postgres

import (
	"crypto"
	_ "crypto/md5" // the hashes of masks
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"encoding/hex"
	"hash"
	"strconv"
	"sync"
	"unsafe"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// mask changes the values of a column: one of replace, truncate and hash.
type mask struct {
	replace  bool   // by text
	text     string //
	truncate bool   // to chars
	chars    int
	hash     crypto.Hash
	salt     []byte
	// serialized: the hash of a serialized Java object, of Debezium's version 1.
	serialized bool
}

// hashes are the algorithms by Java's names.
var hashes = map[string]crypto.Hash{
	"MD5": crypto.MD5, "SHA": crypto.SHA1, "SHA-1": crypto.SHA1, "SHA-224": crypto.SHA224, "SHA-256": crypto.SHA256,
	"SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512, "SHA-512/224": crypto.SHA512_224, "SHA-512/256": crypto.SHA512_256,
	"SHA3-224": crypto.SHA3_224, "SHA3-256": crypto.SHA3_256, "SHA3-384": crypto.SHA3_384, "SHA3-512": crypto.SHA3_512,
}

// columnMask is a mask for one column.
type columnMask struct {
	mask
	// limit is how many characters the column can hold: a hash is cut to it.
	limit     int
	digesters sync.Pool // of *digester
}

// digester is what a hash needs, to be used again.
type digester struct {
	hash hash.Hash
	sum  [64]byte // the longest
}

// unlimited is the length of a column without one.
const unlimited = 1<<31 - 1

// describe adds to a column what the masks say about it: parameters of its schema,
// and the mask of its values. A masked column is not described otherwise.
func (o *maskOptions) describe(cat *pgtype.Catalog, n tableName, c *pgtype.Column, place *column) error {
	rule, err := o.ruleFor(n.String() + "." + c.Name)
	if err != nil {
		return err
	}
	if rule != nil {
		d, err := cat.Describe(*c)
		if err == nil {
			rule.mask.describe(d, c, place)
		}
		return err
	}
	c.PropagateType, err = o.propagates(cat, n, c)
	return err
}

// propagates tells whether the schema of a column says what it is in the database.
func (o *maskOptions) propagates(cat *pgtype.Catalog, n tableName, c *pgtype.Column) (bool, error) {
	ok, err := o.propagateColumns.match(n.String() + "." + c.Name)
	if ok || err != nil || o.propagateTypes == nil {
		return ok, err
	}
	d, err := cat.Describe(*c)
	if err != nil {
		return false, err
	}
	return o.propagateTypes.match(n.String() + "." + d.Name)
}

// ruleFor returns the first rule that matches a column, or nil.
func (o *maskOptions) ruleFor(name string) (*maskRule, error) {
	for i := range o.rules {
		ok, err := o.rules[i].columns.match(name)
		if err != nil {
			return nil, err
		}
		if ok {
			return &o.rules[i], nil
		}
	}
	return nil, nil
}

// describe applies a mask to a column that a rule matches. Asterisks and hashes are
// for text only, as in Debezium; the schema says masked all the same.
func (m *mask) describe(d pgtype.Description, c *pgtype.Column, place *column) {
	limit := d.Length
	if limit <= 0 {
		limit = unlimited
	}
	if m.truncate {
		if limit > m.chars {
			c.Parameters = map[string]string{"truncateLength": strconv.Itoa(m.chars)}
			place.mask = &columnMask{mask: *m}
		}
		return
	}
	c.Parameters = map[string]string{"masked": "true"}
	if isText(d) {
		place.mask = &columnMask{mask: *m, limit: limit}
	}
}

// The types of text.
const (
	oidChar    = 18
	oidName    = 19
	oidText    = 25
	oidBpchar  = 1042
	oidVarchar = 1043
)

func isText(d pgtype.Description) bool {
	switch d.Root {
	case oidChar, oidName, oidText, oidBpchar, oidVarchar:
		return true
	}
	return d.Enum
}

// masked returns a value of a column that has a mask as records have it.
func (c *column) masked(b *connect.Batch, v connect.Value) connect.Value {
	m := c.mask
	switch {
	case m.truncate:
		return truncated(v, m.chars)
	case m.replace:
		return connect.StringValue(m.text)
	case v.Type() == connect.String:
		return truncated(m.digest(b, v.Text()), m.limit)
	}
	return connect.Value{}
}

// truncated cuts a text to chars characters, BYTES to as many bytes. Characters are
// those of Java, which has two for one outside the basic plane.
func truncated(v connect.Value, chars int) connect.Value {
	switch v.Type() {
	case connect.String:
		return connect.StringValue(truncateText(v.Text(), chars))
	case connect.Bytes:
		return connect.BytesValue(v.Bytes()[:min(chars, v.Len())])
	}
	return v
}

// truncateText cuts text. Half of a pair, which Java would leave, is dropped.
func truncateText(text string, chars int) string {
	if len(text) <= chars {
		return text
	}
	for i, r := range text {
		if chars--; r > 0xffff {
			chars--
		}
		if chars < 0 {
			return text[:i]
		}
	}
	return text
}

// digest returns the salted hash of a text in hexadecimal.
func (m *columnMask) digest(b *connect.Batch, text string) connect.Value {
	d, _ := m.digesters.Get().(*digester)
	if d == nil {
		d = &digester{hash: m.hash.New()}
	}
	defer m.digesters.Put(d)
	d.hash.Reset()
	_, _ = d.hash.Write(m.salt) // a hash never fails
	if m.serialized {
		writeJavaString(d.hash, text)
	} else {
		_, _ = d.hash.Write(unsafe.Slice(unsafe.StringData(text), len(text)))
	}
	sum := d.hash.Sum(d.sum[:0])
	out := b.Buffer(2 * len(sum))
	hex.Encode(out, sum)
	return connect.StringValue(ownText(out))
}
