package postgres

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// reports is a server that is reported to.
type reports struct {
	t      *testing.T
	server net.Conn
	*feedback
	began time.Time
	end   func() // of the feedback
}

// newReports starts a feedback with an hour between reports; a server that is silent for
// two is dead.
func newReports(t *testing.T, manual bool) *reports {
	client, server := net.Pipe()
	w := &walConn{conn: client, asked: make(chan struct{}, 1)}
	w.feed = newFeed(client, w.peek)
	r := &reports{t, server, &feedback{conn: w, confirmed: new(confirmed), manual: manual, interval: time.Hour, silence: 2 * time.Hour}, time.Now(), nil}
	r.end = sync.OnceFunc(r.close)
	r.start()
	t.Cleanup(func() {
		server.Close()
		r.end()
		client.Close()
		w.feed.close()
	})
	return r
}

// want reads the next report.
func (r *reports) want(after time.Duration, written, flushed pgoutput.LSN, answer bool) {
	r.t.Helper()
	message := make([]byte, 39)
	if _, err := io.ReadFull(r.server, message); err != nil {
		r.t.Fatal(err)
	}
	lsn := func(at int) pgoutput.LSN { return pgoutput.LSN(binary.BigEndian.Uint64(message[at:])) }
	if lsn(6) != written || lsn(14) != flushed || lsn(22) != flushed || (message[38] == 1) != answer || time.Since(r.began) != after {
		r.t.Errorf("after %s: written %d, flushed %d, applied %d, answer wanted %d; want after %s %d, %d, %d, %t",
			time.Since(r.began), lsn(6), lsn(14), lsn(22), message[38], after, written, flushed, flushed, answer)
	}
}

// TestReports: the server hears at once when it asks, soon when something was confirmed,
// else once an hour, and last of all at the end; and it is asked to answer.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReports(t, false)
		r.received.Store(500)
		r.confirmed.advance(300)
		r.conn.asked <- struct{}{}
		r.want(0, 500, 300, true)
		r.confirmed.advance(400)
		r.want(time.Second, 500, 400, true)
		r.want(time.Hour+time.Second, 500, 400, true)
		r.confirmed.advance(600) // a mark that was committed late, over a new connection
		r.want(time.Hour+2*time.Second, 600, 600, true)
		r.confirmed.advance(700)
		go r.end()
		r.want(time.Hour+2*time.Second, 700, 700, false)
	})
}

// TestReportsOfManualFlush say what was received, and nothing else.
func TestReportsOfManualFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReports(t, true)
		r.received.Store(500)
		r.confirmed.advance(300)
		r.want(time.Second, 500, 0, true)
	})
}

// TestSilentServer is found out although it takes reports.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReports(t, false)
		if err := r.server.SetReadDeadline(r.began.Add(3 * time.Hour)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.server) // until the connection is closed
		if err := r.explain(io.EOF); !strings.Contains(err.Error(), "has not answered for 2h0m1s") {
			t.Errorf("after %s: got %v", time.Since(r.began), err)
		}
	})
}
