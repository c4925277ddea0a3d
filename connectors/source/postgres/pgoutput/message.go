package pgoutput

// Kind is the first byte of a message.
type Kind byte

// The kinds of messages.
const (
	KindBegin            Kind = 'B'
	KindCommit           Kind = 'C'
	KindOrigin           Kind = 'O'
	KindRelation         Kind = 'R'
	KindType             Kind = 'Y'
	KindInsert           Kind = 'I'
	KindUpdate           Kind = 'U'
	KindDelete           Kind = 'D'
	KindTruncate         Kind = 'T'
	KindMessage          Kind = 'M'
	KindStreamStart      Kind = 'S'
	KindStreamStop       Kind = 'E'
	KindStreamCommit     Kind = 'c'
	KindStreamAbort      Kind = 'A'
	KindBeginPrepare     Kind = 'b'
	KindPrepare          Kind = 'P'
	KindCommitPrepared   Kind = 'K'
	KindRollbackPrepared Kind = 'r'
	KindStreamPrepare    Kind = 'p'
)

// Begin starts a transaction. FinalLSN is the CommitLSN that its Commit will
// have.
type Begin struct {
	FinalLSN   LSN
	CommitTime int64
	Xid        uint32
}

// Commit ends a transaction, also a streamed one, which then has the Xid.
type Commit struct {
	Xid        uint32 // StreamCommit only
	Flags      byte
	CommitLSN  LSN // where the commit record starts
	EndLSN     LSN // where it ends: what a client confirms
	CommitTime int64
}

// Origin says that the transaction came from another server.
type Origin struct {
	CommitLSN LSN // there
	Name      string
}

// Values of Relation.Identity.
const (
	IdentityDefault = 'd'
	IdentityNothing = 'n'
	IdentityFull    = 'f'
	IdentityIndex   = 'i'
)

// Relation describes a table before the first of its changes, and again after
// it may have changed. It owns its memory.
type Relation struct {
	Xid       uint32 // in a stream block only
	OID       uint32
	Namespace string
	Name      string
	Identity  byte // replica identity
	Columns   []RelationColumn
}

// RelationColumn is a column of a Relation.
type RelationColumn struct {
	Key     bool // part of the replica identity
	Name    string
	TypeOID uint32
	TypeMod int32
}

// Type names a type that is not built in.
type Type struct {
	Xid       uint32 // in a stream block only
	OID       uint32
	Namespace string
	Name      string
}

// Kinds of a Column.
const (
	ColumnNull      = 'n'
	ColumnUnchanged = 'u' // a TOASTed value that did not change and was not sent
	ColumnText      = 't'
	ColumnBinary    = 'b'
)

// Column is one value of a row.
type Column struct {
	Kind byte
	Data []byte // part of the message; nil for null and unchanged
}

// Tuple is a row in the order of its relation's columns.
type Tuple []Column

// Kinds of the old row of a Change.
const (
	OldNone = 0
	OldKey  = 'K' // the columns of the replica identity; the others are null
	OldFull = 'O' // all, with REPLICA IDENTITY FULL
)

// Change is an Insert, Update or Delete.
type Change struct {
	Xid      uint32 // in a stream block only
	Relation uint32 // oid
	OldKind  byte
	Old      Tuple // empty for OldNone
	New      Tuple // empty for a Delete
}

// Options of a Truncate.
const (
	TruncateCascade         = 1
	TruncateRestartIdentity = 2
)

// Truncate empties tables.
type Truncate struct {
	Xid       uint32 // in a stream block only
	Options   byte
	Relations []uint32 // oids
}

// Message comes from pg_logical_emit_message.
type Message struct {
	Xid           uint32 // in a stream block only
	Transactional bool
	LSN           LSN
	Prefix        []byte // part of the message, as Content
	Content       []byte
}

// StreamStart begins a block of changes of a transaction that is in progress.
type StreamStart struct {
	Xid   uint32
	First bool // the transaction's first block
}

// StreamAbort takes back a streamed transaction, or when SubXid is another the
// changes of that subtransaction.
type StreamAbort struct {
	Xid, SubXid uint32
	AbortLSN    LSN // version 4 with streaming=parallel only, as AbortTime
	AbortTime   int64
}

// Prepared is a message of two-phase commit.
type Prepared struct {
	Flags byte
	// LSN is the prepare LSN, or the commit LSN of a CommitPrepared.
	LSN          LSN
	EndLSN       LSN // of a RollbackPrepared the rollback's
	Time         int64
	RollbackTime int64 // RollbackPrepared only
	Xid          uint32
	GID          []byte // part of the message
}
