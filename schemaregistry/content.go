package schemaregistry

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
)

// content is a schema as it is stored, whatever its subject. One content is kept once, and never changed.
type content struct {
	typ        string
	text       string
	references []Reference
	metadata   *Metadata
	sum        sum
}

// sum is what makes two contents the same: an MD5, as Confluent computes it.
type sum [md5.Size]byte

// newContent takes the fields over.
func newContent(typ, text string, references []Reference, metadata *Metadata) *content {
	if metadata.empty() {
		metadata = nil
	}
	c := &content{typ: cmp.Or(typ, Avro), text: text, references: references, metadata: metadata}
	c.sum = c.digest()
	return c
}

// digest is over the text, each reference's name, subject and version, and the metadata behind a byte 1. The type is not part.
func (c *content) digest() (s sum) {
	h := md5.New()
	write := func(parts ...string) {
		for _, p := range parts {
			_, _ = h.Write([]byte(p))
		}
	}
	write(c.text)
	for _, r := range c.references {
		write(r.Name, r.Subject)
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(r.Version)))
	}
	if m := c.metadata; m != nil {
		_, _ = h.Write([]byte{1})
		for _, tag := range slices.Sorted(maps.Keys(m.Tags)) {
			write(tag)
			write(sorted(m.Tags[tag])...)
		}
		for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
			write(name, m.Properties[name])
		}
		write(sorted(m.Sensitive)...)
	}
	h.Sum(s[:0])
	return s
}

// sorted is a set of strings in order.
func sorted(set []string) []string {
	s := slices.Clone(set)
	slices.Sort(s)
	return slices.Compact(s)
}

// GUID is the sum in the form of a UUID: the name of the content in every registry.
func (s sum) GUID() string {
	var digits [2 * md5.Size]byte
	hex.Encode(digits[:], s[:])
	to := make([]byte, 0, 36)
	for i, from := range []int{0, 8, 12, 16, 20} {
		if i > 0 {
			to = append(to, '-')
		}
		until := []int{8, 12, 16, 20, 32}[i]
		to = append(to, digits[from:until]...)
	}
	return string(to)
}

// parseGUID is the reverse of GUID; ok is false for other text.
func parseGUID(text string) (s sum, ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return s, false
	}
	n, err := hex.Decode(s[:], []byte(text[:8]+text[9:13]+text[14:18]+text[19:23]+text[24:]))
	return s, err == nil && n == len(s)
}
