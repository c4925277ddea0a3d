package pgoutput

import (
	"encoding/binary"
	"errors"
	"time"
)

// The kinds of frames in the copy stream.
const (
	FrameXLogData  = 'w'
	FrameKeepalive = 'k'
)

// epochMicros is 2000-01-01 UTC, where PostgreSQL's clock starts, in Unix microseconds.
const epochMicros = 946_684_800_000_000

// UnixMicros turns a time of a message or frame into Unix microseconds.
func UnixMicros(t int64) int64 { return t + epochMicros }

// Clock turns a time into PostgreSQL's microseconds.
func Clock(t time.Time) int64 { return t.UnixMicro() - epochMicros }

// XLogData is a frame with a message.
type XLogData struct {
	WALStart     LSN // of the change; zero for R, Y and O messages
	ServerWALEnd LSN
	ServerTime   int64
	Data         []byte // part of the frame
}

// Keepalive is a frame by which the server shows that it is alive and how far it
// has read the log.
type Keepalive struct {
	ServerWALEnd   LSN
	ServerTime     int64
	ReplyRequested bool
}

var errShortFrame = errors.New("a replication frame is shorter than its header")

// ParseXLogData reads a frame that begins with FrameXLogData.
func ParseXLogData(b []byte) (XLogData, error) {
	if len(b) < 25 || b[0] != FrameXLogData {
		return XLogData{}, errShortFrame
	}
	return XLogData{WALStart: LSN(binary.BigEndian.Uint64(b[1:])), ServerWALEnd: LSN(binary.BigEndian.Uint64(b[9:])),
		ServerTime: int64(binary.BigEndian.Uint64(b[17:])), Data: b[25:]}, nil
}

// ParseKeepalive reads a frame that begins with FrameKeepalive.
func ParseKeepalive(b []byte) (Keepalive, error) {
	if len(b) < 18 || b[0] != FrameKeepalive {
		return Keepalive{}, errShortFrame
	}
	return Keepalive{ServerWALEnd: LSN(binary.BigEndian.Uint64(b[1:])), ServerTime: int64(binary.BigEndian.Uint64(b[9:])),
		ReplyRequested: b[17] != 0}, nil
}

// StatusUpdate tells the server how far its client is. Flushed is what the
// server may forget; zero leaves that as it is.
type StatusUpdate struct {
	Written, Flushed, Applied LSN
	Clock                     int64
	RequestReply              bool
}

// Append appends the update as a CopyData message.
func (s StatusUpdate) Append(dst []byte) []byte {
	dst = append(dst, 'd', 0, 0, 0, 4+34, 'r')
	for _, v := range [...]uint64{uint64(s.Written), uint64(s.Flushed), uint64(s.Applied), uint64(s.Clock)} {
		dst = binary.BigEndian.AppendUint64(dst, v)
	}
	if s.RequestReply {
		return append(dst, 1)
	}
	return append(dst, 0)
}
