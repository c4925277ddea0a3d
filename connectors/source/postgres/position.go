package postgres

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// position is how far a source has read. A server sends whole transactions in the
// order of their commits, so two numbers say it: the start of the commit record,
// which a transaction's Begin has already, and the place of a change in the
// transaction. The LSN of a change would not do: transactions that interleave have
// them in another order, the rows of a COPY share one, and the end of a commit can
// be the LSN of the next transaction's first change.
type position struct {
	// end is where the last finished transaction ends, or a place behind it where
	// the server has shown that nothing is missing. Every transaction that commits
	// before it is done.
	end pgoutput.LSN
	// commit is the transaction that is read in part, the next one after end; 0:
	// none is. events is how many of its changes and messages are done, those that
	// filters leave out among them.
	commit pgoutput.LSN
	events int64

	// lastCommit is the end of the last transaction, which the next events name.
	lastCommit pgoutput.LSN
	// systemID and timeline are of the server that the LSNs belong to; "" in an
	// offset of Debezium's.
	systemID string
	timeline int32

	last lastEvent
	// resume says where Debezium was inside the transaction after end.
	resume lsnResume
	// inSnapshot tells that Debezium's snapshot was not finished.
	inSnapshot bool
}

// lastEvent is the last event that was read, for the keys that Debezium's offsets
// have: with them Debezium can go on where this connector was stopped.
type lastEvent struct {
	lsn    pgoutput.LSN
	same   int64 // events with this LSN in a row
	xid    uint32
	micros int64 // commit time, Unix
	kind   string
}

// lsnResume is a place inside a transaction by Debezium's means: the LSN of a
// change and how many changes with it are done.
type lsnResume struct {
	lsn   pgoutput.LSN
	count int64
}

// positionAt is the position before which every transaction is done.
func positionAt(lsn pgoutput.LSN) position { return position{end: lsn} }

// start is from where the server has to send: it leaves out what commits before.
func (p *position) start() pgoutput.LSN {
	if p.commit != 0 {
		return p.commit
	}
	return p.end
}

// on notes the server that the position belongs to. A standby may be promoted while
// it is read, which changes its timeline and loses nothing, so it has none here.
func (p *position) on(s *serverInfo) {
	p.systemID, p.timeline = s.systemID, s.timeline
	if s.standby {
		p.timeline = 0
	}
}

// Names of the values of messageType, which are Debezium's.
const (
	kindInsert   = "INSERT"
	kindUpdate   = "UPDATE"
	kindDelete   = "DELETE"
	kindTruncate = "TRUNCATE"
	kindMessage  = "MESSAGE"
	kindCommit   = "COMMIT"
)

// event notes an event for Debezium's keys.
func (l *lastEvent) event(lsn pgoutput.LSN, kind string, xid uint32, micros int64) {
	if l.lsn == lsn {
		l.same++
	} else {
		l.lsn, l.same = lsn, 1
	}
	l.kind, l.xid, l.micros = kind, xid, micros
}

// lastEnd is what Debezium calls lsn_commit.
func (p *position) lastEnd() pgoutput.LSN {
	if p.lastCommit != 0 {
		return p.lastCommit
	}
	return p.end
}

// appendJSON appends the offset: Debezium's keys, then ours. extra are further
// members of the object.
//
// In the middle of a transaction Debezium looks for lsn_proc in the stream and goes on
// with what follows, so that is the last event. When all transactions are done there is
// nothing to look for: without lsn_proc Debezium streams from lsn and leaves nothing out.
// The last event would do harm there: the slot may be past it, which Debezium takes for a
// loss and does not start. So would the end of its transaction as lsn_proc: one that
// began earlier may have a change of this very LSN, behind others that Debezium would
// leave out.
func (p *position) appendJSON(dst []byte, extra []byte) []byte {
	last := p.last
	if p.commit == 0 {
		last.lsn, last.same, last.kind = p.end, 0, kindCommit
	}
	dst = append(dst, `{"lsn":`...)
	dst = strconv.AppendInt(dst, int64(last.lsn), 10)
	if p.commit != 0 {
		dst = appendNumber(dst, "lsn_proc", int64(last.lsn))
	}
	dst = appendNumber(dst, "lsn_commit", int64(p.lastEnd()))
	if last.xid != 0 {
		dst = appendNumber(dst, "txId", int64(last.xid))
		dst = appendNumber(dst, "ts_usec", last.micros)
	}
	if last.same != 0 {
		dst = appendNumber(dst, "lsn_events_processed", last.same)
	}
	dst = append(append(append(dst, `,"messageType":"`...), last.kind...), '"')
	dst = appendNumber(dst, "sluice_end_lsn", int64(p.end))
	if p.commit != 0 {
		dst = appendNumber(dst, "sluice_commit_lsn", int64(p.commit))
		dst = appendNumber(dst, "sluice_events", p.events)
	}
	if p.systemID != "" {
		dst = append(append(append(dst, `,"sluice_system_id":"`...), p.systemID...), '"')
		dst = appendNumber(dst, "sluice_timeline", int64(p.timeline))
	}
	return append(append(dst, extra...), '}')
}

func appendNumber(dst []byte, key string, v int64) []byte {
	dst = append(append(append(dst, ',', '"'), key...), '"', ':')
	return strconv.AppendInt(dst, v, 10)
}

// storedPosition is the JSON of an offset, Debezium's or ours.
type storedPosition struct {
	LSN         *int64          `json:"lsn"`
	LSNProc     *int64          `json:"lsn_proc"`
	LSNCommit   *int64          `json:"lsn_commit"`
	LSNEvents   *int64          `json:"lsn_events_processed"`
	TxID        *int64          `json:"txId"`
	Micros      *int64          `json:"ts_usec"`
	MessageType *string         `json:"messageType"`
	Snapshot    json.RawMessage `json:"snapshot"` // true or the name of a mode
	SnapshotEnd *bool           `json:"last_snapshot_record"`
	Completed   *bool           `json:"snapshot_completed"`

	End      *int64  `json:"sluice_end_lsn"`
	Commit   *int64  `json:"sluice_commit_lsn"`
	Events   *int64  `json:"sluice_events"`
	SystemID *string `json:"sluice_system_id"`
	Timeline *int32  `json:"sluice_timeline"`
}

// parsePosition reads a stored offset.
func parsePosition(text []byte) (position, error) {
	var s storedPosition
	if err := json.Unmarshal(text, &s); err != nil {
		return position{}, fmt.Errorf("the stored offset %s cannot be read: %w; correct or reset it (DELETE /connectors/{name}/offsets of a stopped connector)", text, err)
	}
	if s.End == nil {
		return s.debezium(), nil
	}
	p := position{end: lsnOf(s.End), commit: lsnOf(s.Commit), events: valueOf(s.Events), systemID: valueOf(s.SystemID), timeline: valueOf(s.Timeline)}
	if _, err := strconv.ParseUint(p.systemID, 10, 64); err != nil && p.systemID != "" {
		return position{}, fmt.Errorf("the stored offset %s has the sluice_system_id %q, which is not a number", text, p.systemID)
	}
	if p.events < 0 || p.commit != 0 && p.commit < p.end {
		return position{}, fmt.Errorf("the stored offset %s contradicts itself: sluice_commit_lsn is the transaction after sluice_end_lsn, and sluice_events how much of it is done", text)
	}
	p.last, p.lastCommit = s.lastEvent(), lsnOf(s.LSNCommit)
	return p, nil
}

func (s *storedPosition) lastEvent() lastEvent {
	return lastEvent{lsn: lsnOf(s.LSN), same: valueOf(s.LSNEvents), xid: uint32(valueOf(s.TxID)), micros: valueOf(s.Micros), kind: messageKind(valueOf(s.MessageType))}
}

// messageKind lets only the known names into offsets that we write.
func messageKind(name string) string {
	switch name {
	case kindInsert, kindUpdate, kindDelete, kindTruncate, kindMessage:
		return name
	}
	return kindCommit
}

// debezium makes a position of an offset that Debezium has written. lsn_commit is
// the end of the last transaction that it finished. With a change in messageType
// lsn is the last change that it read of the next one, be it the last of all; it
// can be below lsn_commit, because transactions interleave. Old versions have no
// lsn_commit and had lsn_proc confirmed: then what the slot has confirmed is the
// end.
func (s *storedPosition) debezium() position {
	p := position{end: lsnOf(s.LSNCommit), lastCommit: lsnOf(s.LSNCommit), last: s.lastEvent()}
	if p.end == 0 && s.LSNProc == nil {
		p.end = lsnOf(s.LSN) // after a snapshot
	}
	p.inSnapshot = len(s.Snapshot) > 0 && string(s.Snapshot) != "null" && string(s.Snapshot) != "false" &&
		!valueOf(s.Completed) && !valueOf(s.SnapshotEnd)
	switch valueOf(s.MessageType) {
	case kindInsert, kindUpdate, kindDelete, kindTruncate:
		if s.LSNCommit != nil {
			p.resume = lsnResume{lsn: lsnOf(s.LSN), count: max(1, valueOf(s.LSNEvents))}
		}
	}
	return p
}

func lsnOf(v *int64) pgoutput.LSN { return pgoutput.LSN(valueOf(v)) }

func valueOf[T any](v *T) T {
	if v == nil {
		var zero T
		return zero
	}
	return *v
}
