package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits on what one request may claim (I5). A decoded element takes up to about
// 130 bytes, so a request never takes more than some 26 MB beyond its frame.
const (
	maxElements = 200_000 // array elements in one request, all arrays together
	maxTags     = 64      // tags in one tag section
)

var errTruncated = errors.New("request ends early")

// shape is the wire layout of a request body: its fields in order, each with the
// versions that carry it. Whether strings, arrays and tags are in the flexible
// encoding (KIP-482) is a property of the request and version, not of the shape.
type shape []field

type fieldKind uint8

const (
	kindFixed  fieldKind = iota // size bytes
	kindString                  // nullable or not
	kindBytes                   // nullable or not
	kindArray                   // nullable or not; elem is the element
	kindStruct                  // nullable: one byte, negative for null; elem is the content
	kindNoTag                   // the tag section of this struct must not hold tag size
)

type field struct {
	kind     fieldKind
	size     int
	bare     bool  // array of a primitive: no tag section per element
	min, max int16 // versions that carry the field
	elem     shape
}

const anyVersion = 1<<15 - 1

func fixed(n int) field       { return field{kind: kindFixed, size: n, max: anyVersion} }
func str() field              { return field{kind: kindString, max: anyVersion} }
func blob() field             { return field{kind: kindBytes, max: anyVersion} }
func arr(elem ...field) field { return field{kind: kindArray, elem: elem, max: anyVersion} }
func list(of field) field {
	return field{kind: kindArray, bare: true, elem: shape{of}, max: anyVersion}
}
func nullable(elem ...field) field { return field{kind: kindStruct, elem: elem, max: anyVersion} }
func noTag(tag int) field          { return field{kind: kindNoTag, size: tag, max: anyVersion} }

// from and to narrow the versions that carry a field, both ends included.
func (f field) from(v int16) field { f.min = v; return f }
func (f field) to(v int16) field   { f.max = v; return f }

// check walks body and reports why it does not begin with a request of this
// shape. What follows the request is rest: librdkafka 2.11 leaves bytes behind
// Metadata and AlterUserScramCredentials, and Kafka does not look at them. check
// allocates nothing and its time is linear in len(body).
func (s shape) check(body []byte, version int16, flexible bool) (rest []byte, err error) {
	w := walker{src: body, version: version, flexible: flexible, elements: maxElements}
	err = w.fields(s, true)
	return w.src, err
}

type walker struct {
	src      []byte
	version  int16
	flexible bool
	elements int // array elements still allowed
}

func (w *walker) fields(s shape, tags bool) error {
	denied := -1
	for i := range s {
		f := &s[i]
		if w.version < f.min || w.version > f.max {
			continue
		}
		if f.kind == kindNoTag {
			denied = f.size
			continue
		}
		if err := w.field(f); err != nil {
			return err
		}
	}
	if !tags || !w.flexible {
		return nil
	}
	return w.tags(denied)
}

func (w *walker) field(f *field) error {
	switch f.kind {
	case kindString:
		return w.prefixed(2)
	case kindBytes:
		return w.prefixed(4)
	case kindArray:
		return w.array(f)
	case kindStruct:
		return w.nullable(f)
	default:
		return w.skip(f.size)
	}
}

// prefixed skips a string or bytes value whose length prefix has width bytes in
// the classic encoding.
func (w *walker) prefixed(width int) error {
	n, err := w.length(width)
	if err != nil || n < 0 {
		return err
	}
	return w.skip(n)
}

func (w *walker) array(f *field) error {
	n, err := w.length(4)
	if err != nil || n <= 0 {
		return err
	}
	if w.elements -= n; w.elements < 0 {
		return fmt.Errorf("request has more than %d elements", maxElements)
	}
	for range n {
		if err := w.fields(f.elem, !f.bare); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) nullable(f *field) error {
	if len(w.src) == 0 {
		return errTruncated
	}
	present := int8(w.src[0]) >= 0
	w.src = w.src[1:]
	if !present {
		return nil
	}
	return w.fields(f.elem, true)
}

// length reads a length prefix; negative is null. It never returns more than the
// bytes that are left, because no element is smaller than one byte.
func (w *walker) length(width int) (int, error) {
	var n int
	switch {
	case w.flexible:
		u, err := w.uvarint()
		if err != nil {
			return 0, err
		}
		n = int(u) - 1
	case len(w.src) < width:
		return 0, errTruncated
	case width == 2:
		n = int(int16(binary.BigEndian.Uint16(w.src)))
		w.src = w.src[2:]
	default:
		n = int(int32(binary.BigEndian.Uint32(w.src)))
		w.src = w.src[4:]
	}
	if n > len(w.src) || n < -1 {
		return 0, errTruncated
	}
	return n, nil
}

func (w *walker) tags(denied int) error {
	n, err := w.uvarint()
	if err != nil {
		return err
	}
	if n > maxTags {
		return fmt.Errorf("request has %d tags in one section, more than %d", n, maxTags)
	}
	for range n {
		tag, err := w.uvarint()
		if err != nil {
			return err
		}
		if int(tag) == denied {
			return fmt.Errorf("request has tag %d, which only replicas send", tag)
		}
		size, err := w.uvarint()
		if err != nil {
			return err
		}
		if err := w.skip(int(size)); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) skip(n int) error {
	if n > len(w.src) {
		return errTruncated
	}
	w.src = w.src[n:]
	return nil
}

func (w *walker) uvarint() (uint32, error) {
	u, n := binary.Uvarint(w.src)
	if n <= 0 || n > 5 || u > 1<<32-1 {
		return 0, errTruncated
	}
	w.src = w.src[n:]
	return uint32(u), nil
}
