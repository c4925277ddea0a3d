package avro

import (
	"crypto/md5"
	"crypto/sha256"
	"strconv"
)

// ParsingForm is the Parsing Canonical Form of the specification: what matters to
// read bytes, references included. Names stand in it as they are, without escapes.
func (s *Schema) ParsingForm() string {
	w := formWriter{newJSONWriter(nil)}
	w.write(s.root)
	return string(w.b)
}

// Fingerprint64 is the CRC-64-AVRO of the parsing form, which the single-object
// encoding of the specification carries.
func (s *Schema) Fingerprint64() uint64 { return rabin(s.ParsingForm()) }

// FingerprintMD5 is the MD5 of the parsing form. A schema's identity in the
// registry is another one, of the canonical text.
func (s *Schema) FingerprintMD5() [16]byte { return md5.Sum([]byte(s.ParsingForm())) }

// FingerprintSHA256 is the SHA-256 of the parsing form.
func (s *Schema) FingerprintSHA256() [32]byte { return sha256.Sum256([]byte(s.ParsingForm())) }

// rabin is the 64-bit Rabin fingerprint of the specification.
func rabin(text string) uint64 {
	const empty = 0xc15d213aa4d7a795
	var table [256]uint64
	for i := range table {
		fp := uint64(i)
		for range 8 {
			fp = fp>>1 ^ empty&-(fp&1)
		}
		table[i] = fp
	}
	fp := uint64(empty)
	for i := range len(text) {
		fp = fp>>8 ^ table[byte(fp)^text[i]]
	}
	return fp
}

type formWriter struct{ jsonWriter }

func (w *formWriter) add(parts ...string) {
	for _, s := range parts {
		w.raw(s)
	}
}

func (w *formWriter) write(t *Type) {
	switch {
	case t.Kind.named():
		w.named(t)
	case t.Kind == Union:
		w.raw("[")
		for i, b := range t.Branches {
			w.b = appendComma(w.b, i)
			w.write(b)
		}
		w.raw("]")
	case t.Kind == Array:
		w.raw(`{"type":"array","items":`)
		w.write(t.Items)
		w.raw("}")
	case t.Kind == Map:
		w.raw(`{"type":"map","values":`)
		w.write(t.Items)
		w.raw("}")
	default:
		w.add(`"`, t.Kind.String(), `"`)
	}
}

func (w *formWriter) named(t *Type) {
	full := t.Name.Full()
	if w.isKnown(full) {
		w.add(`"`, full, `"`)
		return
	}
	w.add(`{"name":"`, full, `","type":"`, t.Kind.String(), `"`)
	switch t.Kind {
	case Enum:
		w.raw(`,"symbols":[`)
		for i, s := range t.Symbols {
			w.b = appendComma(w.b, i)
			w.add(`"`, s, `"`)
		}
		w.raw("]")
	case Fixed:
		w.add(`,"size":`, strconv.Itoa(t.Size))
	case Record:
		w.raw(`,"fields":[`)
		for i, f := range t.Fields {
			w.b = appendComma(w.b, i)
			w.add(`{"name":"`, f.Name, `","type":`)
			w.write(f.Type)
			w.raw("}")
		}
		w.raw("]")
	}
	w.raw("}")
}
