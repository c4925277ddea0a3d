package pgoutput

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Decoder decodes messages one after the other into its own fields: after
// Decode returned a kind, the field of that kind has the message until the next
// call. Byte slices are parts of the data. Only a Relation, Type and Origin
// allocate, and rows that are wider than any before.
//
// It is not safe for concurrent use.
type Decoder struct {
	// InStream tells whether the next message is inside a stream block, where
	// messages carry an xid. Decode sets it; set it to decode stored messages of a
	// block, and clear it for a new connection.
	InStream bool

	Begin       Begin
	Commit      Commit // and StreamCommit
	Origin      Origin
	Relation    *Relation
	Type        Type
	Change      Change // Insert, Update and Delete
	Truncate    Truncate
	Message     Message
	StreamStart StreamStart
	StreamAbort StreamAbort
	Prepared    Prepared // BeginPrepare, Prepare, CommitPrepared, RollbackPrepared, StreamPrepare

	old, row Tuple // memory of Change
}

// Decode decodes one message. An unknown kind is an error, since what it says
// could not be left out.
func (d *Decoder) Decode(data []byte) (Kind, error) {
	if len(data) == 0 {
		return 0, fmt.Errorf("an empty pgoutput message")
	}
	kind := Kind(data[0])
	r := reader{rest: data[1:]}
	if err := d.decode(kind, &r); err != nil {
		return kind, err
	}
	if r.short {
		return kind, fmt.Errorf("a pgoutput message of kind %q is cut off: it has %d bytes", byte(kind), len(data))
	}
	if len(r.rest) > 0 {
		return kind, fmt.Errorf("a pgoutput message of kind %q has %d bytes too many", byte(kind), len(r.rest))
	}
	return kind, nil
}

func (d *Decoder) decode(kind Kind, r *reader) error {
	switch kind {
	case KindInsert, KindUpdate, KindDelete:
		return d.decodeChange(kind, r)
	case KindBegin:
		d.Begin = Begin{FinalLSN: r.lsn(), CommitTime: r.int64(), Xid: r.uint32()}
	case KindCommit:
		d.Commit = Commit{Flags: r.byte(), CommitLSN: r.lsn(), EndLSN: r.lsn(), CommitTime: r.int64()}
	case KindOrigin:
		d.Origin = Origin{CommitLSN: r.lsn(), Name: string(r.name())}
	case KindRelation:
		d.decodeRelation(r)
	case KindType:
		d.Type = Type{Xid: d.xid(r), OID: r.uint32(), Namespace: string(r.name()), Name: string(r.name())}
	case KindTruncate:
		d.decodeTruncate(r)
	case KindMessage:
		d.decodeMessage(r)
	default:
		return d.decodeRare(kind, r)
	}
	return nil
}

// decodeRare decodes the messages of streaming and two-phase commit.
func (d *Decoder) decodeRare(kind Kind, r *reader) error {
	switch kind {
	case KindStreamStart:
		d.StreamStart = StreamStart{Xid: r.uint32(), First: r.byte() == 1}
		d.InStream = !r.short
	case KindStreamStop:
		d.InStream = false
	case KindStreamCommit:
		d.Commit = Commit{Xid: r.uint32(), Flags: r.byte(), CommitLSN: r.lsn(), EndLSN: r.lsn(), CommitTime: r.int64()}
	case KindStreamAbort:
		d.StreamAbort = StreamAbort{Xid: r.uint32(), SubXid: r.uint32()}
		if len(r.rest) > 0 {
			d.StreamAbort.AbortLSN, d.StreamAbort.AbortTime = r.lsn(), r.int64()
		}
	case KindBeginPrepare:
		d.Prepared = Prepared{LSN: r.lsn(), EndLSN: r.lsn(), Time: r.int64(), Xid: r.uint32(), GID: r.name()}
	case KindPrepare, KindCommitPrepared, KindStreamPrepare:
		d.Prepared = Prepared{Flags: r.byte(), LSN: r.lsn(), EndLSN: r.lsn(), Time: r.int64(), Xid: r.uint32(), GID: r.name()}
	case KindRollbackPrepared:
		d.Prepared = Prepared{Flags: r.byte(), LSN: r.lsn(), EndLSN: r.lsn(), Time: r.int64(), RollbackTime: r.int64(), Xid: r.uint32(), GID: r.name()}
	default:
		return fmt.Errorf("a pgoutput message of the unknown kind %q", byte(kind))
	}
	return nil
}

func (d *Decoder) xid(r *reader) uint32 {
	if d.InStream {
		return r.uint32()
	}
	return 0
}

func (d *Decoder) decodeChange(kind Kind, r *reader) error {
	c := &d.Change
	*c = Change{Xid: d.xid(r), Relation: r.uint32()}
	part := r.byte()
	if kind != KindInsert && (part == OldKey || part == OldFull) {
		c.OldKind = part
		d.old = r.tuple(d.old)
		c.Old = d.old
		if kind == KindDelete {
			return r.tupleError()
		}
		part = r.byte()
	}
	if !r.short && (part != 'N' || kind == KindDelete) {
		return fmt.Errorf("a pgoutput message of kind %q has a row of the unknown kind %q", byte(kind), part)
	}
	d.row = r.tuple(d.row)
	c.New = d.row
	return r.tupleError()
}

func (d *Decoder) decodeRelation(r *reader) {
	rel := &Relation{Xid: d.xid(r), OID: r.uint32(), Namespace: string(r.name()), Name: string(r.name()), Identity: r.byte()}
	n := r.count(2, 10) // flags, an empty name and two numbers
	rel.Columns = make([]RelationColumn, n)
	for i := range rel.Columns {
		rel.Columns[i] = RelationColumn{Key: r.byte()&1 != 0, Name: string(r.name()), TypeOID: r.uint32(), TypeMod: int32(r.uint32())}
	}
	d.Relation = rel
}

func (d *Decoder) decodeTruncate(r *reader) {
	xid, n := d.xid(r), r.count(4, 4)
	t := Truncate{Xid: xid, Options: r.byte(), Relations: d.Truncate.Relations[:0]}
	for range n {
		t.Relations = append(t.Relations, r.uint32())
	}
	d.Truncate = t
}

func (d *Decoder) decodeMessage(r *reader) {
	d.Message = Message{Xid: d.xid(r), Transactional: r.byte()&1 != 0, LSN: r.lsn(), Prefix: r.name()}
	d.Message.Content = r.take(int64(r.uint32()))
}

// reader reads fields from the front of rest. Where there is too little it
// notes so and returns zero.
type reader struct {
	rest  []byte
	short bool
	kind  byte // of a column that is unknown
}

func (r *reader) take(n int64) []byte {
	if int64(len(r.rest)) < n {
		r.short, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) lsn() LSN { return LSN(r.int64()) }

// name reads up to a zero byte.
func (r *reader) name() []byte {
	i := bytes.IndexByte(r.rest, 0)
	if i < 0 {
		r.short, r.rest = true, nil
		return nil
	}
	return r.take(int64(i) + 1)[:i:i]
}

// count reads how many elements follow, of size bytes or more each, so that a
// hostile number allocates nothing (I5). width is that of the number.
func (r *reader) count(width, size int) int {
	var n int64
	if width == 2 {
		n = int64(r.uint16())
	} else {
		n = int64(r.uint32())
	}
	if n*int64(size) > int64(len(r.rest)) {
		r.short, r.rest = true, nil
		return 0
	}
	return int(n)
}

// tuple reads a row into t's memory.
func (r *reader) tuple(t Tuple) Tuple {
	n := r.count(2, 1)
	if n > cap(t) {
		t = make(Tuple, n)
	}
	t = t[:n]
	rest := r.rest
	for i := range t {
		if len(rest) == 0 {
			r.short = true
			break
		}
		kind := rest[0]
		rest = rest[1:]
		switch kind {
		case ColumnNull, ColumnUnchanged:
			t[i] = Column{Kind: kind}
			continue
		case ColumnText, ColumnBinary:
		default:
			r.kind, r.short = kind, true
			return t[:0]
		}
		if len(rest) < 4 {
			r.short = true
			break
		}
		size := int64(binary.BigEndian.Uint32(rest))
		if size > int64(len(rest)-4) {
			r.short = true
			break
		}
		t[i] = Column{kind, rest[4 : 4+size : 4+size]}
		rest = rest[4+size:]
	}
	if r.short {
		r.rest = nil
		return t[:0]
	}
	r.rest = rest
	return t
}

func (r *reader) tupleError() error {
	if r.kind != 0 {
		return fmt.Errorf("a pgoutput row has a value of the unknown kind %q", r.kind)
	}
	return nil
}
