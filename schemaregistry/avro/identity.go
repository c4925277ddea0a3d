package avro

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"io"
	"maps"
	"slices"
)

// A ContentID is what makes schemas the same in Confluent's registry: the MD5 of
// the canonical text, the references and the metadata. The kind of schema is no
// part of it.
type ContentID [md5.Size]byte

// GUID is the identity as the registry's API shows it since 8.0, the same in every
// cluster.
func (id ContentID) GUID() string {
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// A SubjectVersion is a reference as a registration states it.
type SubjectVersion struct {
	// Name is the name under which the schema refers to it.
	Name    string
	Subject string
	Version int32
}

// Metadata is a registration's metadata.
type Metadata struct {
	Tags       map[string][]string
	Properties map[string]string
	Sensitive  []string
}

// NewContentID computes the identity of a text. Metadata is nil if the
// registration has none, which is not the same as empty metadata; extra writes what
// the rule set adds, nil for none.
func NewContentID(text string, references []SubjectVersion, m *Metadata, extra func(io.Writer)) ContentID {
	h := md5.New()
	io.WriteString(h, text)
	for _, r := range references {
		io.WriteString(h, r.Name)
		io.WriteString(h, r.Subject)
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(r.Version)))
	}
	if m != nil {
		h.Write([]byte{1})
		m.hash(h)
	}
	if extra != nil {
		h.Write([]byte{1})
		extra(h)
	}
	return ContentID(h.Sum(nil))
}

// hash writes the metadata as Confluent hashes it: sorted, and nothing twice.
func (m *Metadata) hash(w io.Writer) {
	for _, tag := range slices.SortedFunc(maps.Keys(m.Tags), compareJava) {
		io.WriteString(w, tag)
		hashSet(w, m.Tags[tag])
	}
	for _, key := range slices.SortedFunc(maps.Keys(m.Properties), compareJava) {
		io.WriteString(w, key)
		io.WriteString(w, m.Properties[key])
	}
	hashSet(w, m.Sensitive)
}

func hashSet(w io.Writer, set []string) {
	for _, s := range slices.Compact(slices.SortedFunc(slices.Values(set), compareJava)) {
		io.WriteString(w, s)
	}
}
