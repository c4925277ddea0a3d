package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

const (
	// startTimeout bounds the server's answer to START_REPLICATION: it may have to
	// read much of the WAL first.
	startTimeout = 60 * time.Second
	// writeTimeout bounds each write: a peer that takes nothing is gone.
	writeTimeout = 10 * time.Second
	// goodbye is how long the server has to end the stream when it is asked to.
	goodbye = 2 * time.Second
)

// walConn is a replication connection that carries the stream: raw, because the
// client library allocates and sets deadlines for each message. The feed reads it
// and one goroutine, feedback's, writes it.
type walConn struct {
	conn net.Conn
	feed *feed
	// asked is sent to when the server wants a report at once.
	asked chan struct{}
}

// streamStart is what START_REPLICATION is asked for.
type streamStart struct {
	slot, publication string
	from              pgoutput.LSN
	inProgress        bool // send large transactions before they commit
	binary            bool // send values in binary form
	params            []streamParam
}

// command is START_REPLICATION.
func (s *streamStart) command() string {
	var b strings.Builder
	fmt.Fprintf(&b, "START_REPLICATION SLOT %s LOGICAL %s (", quoteIdent(s.slot), s.from)
	options := []streamParam{{"proto_version", "1"}, {"publication_names", quoteIdent(s.publication)}, {"messages", "true"}}
	if s.inProgress {
		options[0].value = "2"
		options = append(options, streamParam{"streaming", "on"})
	}
	if s.binary {
		options = append(options, streamParam{"binary", "true"})
	}
	for i, o := range append(options, s.params...) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", quoteIdent(o.name), quoteLiteral(o.value))
	}
	b.WriteByte(')')
	return b.String()
}

// startStream turns an idle replication connection into a stream. The connection
// is closed when it fails.
func startStream(ctx context.Context, pc *pgconn.PgConn, start streamStart) (*walConn, error) {
	// A write that took long has left a reader in the background, which would get the
	// server's answer instead of us.
	if err := pc.SyncConn(ctx); err != nil {
		closeConn(pc)
		return nil, lostConnection(err)
	}
	hijacked, err := pc.Hijack()
	if err != nil {
		closeConn(pc)
		return nil, fmt.Errorf("take over the connection: %w", err)
	}
	w := &walConn{conn: hijacked.Conn, asked: make(chan struct{}, 1)}
	query, err := (&pgproto3.Query{String: start.command()}).Encode(nil)
	if err == nil {
		err = w.write(query)
	}
	if err != nil {
		w.conn.Close()
		return nil, lostConnection(err)
	}
	w.feed = newFeed(w.conn, w.peek)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := w.awaitStart(ctx); err != nil {
		w.abandon()
		return nil, err
	}
	return w, nil
}

// awaitStart waits for CopyBothResponse.
func (w *walConn) awaitStart(ctx context.Context) error {
	for {
		kind, body, err := w.feed.next()
		switch {
		case err != nil:
			return lostConnection(err)
		case body == nil:
			if err := w.feed.wait(ctx, nil); err != nil {
				return connect.Retriable(fmt.Errorf("start the stream: the server does not answer: %w", err))
			}
		case kind == 'W':
			return nil
		case kind == 'E':
			return serverError(body)
		case kind != 'N' && kind != 'S':
			return fmt.Errorf("start the stream: the server answers with an unknown message %q", kind)
		}
	}
}

// serverError decodes an ErrorResponse.
func serverError(body []byte) error {
	var m pgproto3.ErrorResponse
	if err := m.Decode(body); err != nil {
		return fmt.Errorf("the server sends an error that cannot be read: %w", err)
	}
	return pgconn.ErrorResponseToPgError(&m)
}

// peek passes on, as soon as it arrives, that the server wants a report.
func (w *walConn) peek(kind byte, body []byte) {
	if kind != 'd' || len(body) == 0 || body[0] != pgoutput.FrameKeepalive {
		return
	}
	if k, err := pgoutput.ParseKeepalive(body); err == nil && k.ReplyRequested {
		notify(w.asked)
	}
}

func (w *walConn) write(data []byte) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := w.conn.Write(data)
	return err
}

// report sends a status update.
func (w *walConn) report(s pgoutput.StatusUpdate) error { return w.write(s.Append(nil)) }

// frame is one message of the stream.
type frame struct {
	kind byte // pgoutput.FrameXLogData, pgoutput.FrameKeepalive or 0: there is none yet
	data pgoutput.XLogData
	keep pgoutput.Keepalive
}

var errStreamEnded = errors.New("the server has ended the stream")

// next returns the next frame, if there is one.
func (w *walConn) next() (frame, error) {
	for {
		kind, body, err := w.feed.next()
		if err != nil {
			return frame{}, lostConnection(err)
		}
		if body == nil {
			return frame{}, nil
		}
		switch kind {
		case 'd':
			return parseFrame(body)
		case 'E':
			return frame{}, serverError(body)
		case 'N', 'S': // a notice, a changed parameter
		case 'c', 'C', 'Z':
			return frame{}, lostConnection(errStreamEnded)
		default:
			return frame{}, fmt.Errorf("the server sends an unknown message %q in the stream", kind)
		}
	}
}

func parseFrame(body []byte) (f frame, err error) {
	if len(body) == 0 {
		return f, errors.New("the server sends an empty frame")
	}
	switch f.kind = body[0]; f.kind {
	case pgoutput.FrameXLogData:
		f.data, err = pgoutput.ParseXLogData(body)
	case pgoutput.FrameKeepalive:
		f.keep, err = pgoutput.ParseKeepalive(body)
	default:
		err = fmt.Errorf("the server sends a frame of the unknown kind %q", f.kind)
	}
	return f, err
}

// abandon closes the connection at once.
func (w *walConn) abandon() {
	w.conn.Close()
	if w.feed != nil {
		w.feed.close()
	}
}

// close ends the stream in order, so that the slot is free when it returns.
func (w *walConn) close() {
	done, _ := (&pgproto3.CopyDone{}).Encode(nil)
	bye, _ := (&pgproto3.Terminate{}).Encode(nil)
	if w.write(append(done, bye...)) == nil {
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		w.drain(ctx)
		cancel()
	}
	w.abandon()
}

// drain reads until the server closes the connection.
func (w *walConn) drain(ctx context.Context) {
	for {
		_, body, err := w.feed.next()
		if err != nil || body == nil && w.feed.wait(ctx, nil) != nil || ctx.Err() != nil {
			return
		}
	}
}
