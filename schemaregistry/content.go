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
	text       Text
	references []Reference
	metadata   *Metadata
	rules      *RuleSet
	sum        sum
}

// attachments are what goes with a schema besides what it refers to.
type attachments struct {
	metadata *Metadata
	rules    *RuleSet
}

// settled has nil in place of what is empty, and rules in full.
func (a attachments) settled() attachments {
	if a.metadata.empty() {
		a.metadata = nil
	}
	if a.rules = a.rules.complete(); a.rules.empty() {
		a.rules = nil
	}
	return a
}

func (c *content) attachments() attachments { return attachments{c.metadata, c.rules} }

// sum is what makes two contents the same: an MD5, as Confluent computes it.
type sum [md5.Size]byte

// newContent takes the fields over.
func newContent(typ, text string, references []Reference, a attachments) *content {
	a = a.settled()
	c := &content{typ: cmp.Or(typ, Avro), text: NewText(text), references: references, metadata: a.metadata, rules: a.rules}
	c.sum = c.digest(text)
	return c
}

// digest is over the text of c, each reference's name, subject and version, and the metadata and the rules each behind a byte 1. The type is not part.
func (c *content) digest(text string) (s sum) {
	h := md5.New()
	write := func(parts ...string) {
		for _, p := range parts {
			_, _ = h.Write([]byte(p))
		}
	}
	write(text)
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
	if c.rules != nil {
		_, _ = h.Write([]byte{1})
		c.rules.digest(h)
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
	text := [36]byte{8: '-', 13: '-', 18: '-', 23: '-'}
	for i, from := range [...]int{0, 4, 6, 8, 10} {
		to := [...]int{0, 9, 14, 19, 24}[i]
		until := [...]int{4, 6, 8, 10, 16}[i]
		hex.Encode(text[to:], s[from:until])
	}
	return string(text[:])
}

// parseGUID is the reverse of GUID; ok is false for other text.
func parseGUID(text string) (s sum, ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return s, false
	}
	n, err := hex.Decode(s[:], []byte(text[:8]+text[9:13]+text[14:18]+text[19:23]+text[24:]))
	return s, err == nil && n == len(s)
}
