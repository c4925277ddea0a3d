package postgres

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// Limits of reports to the server.
const (
	// promptReport is how soon a newly confirmed position is reported at the latest.
	promptReport = time.Second
	// usualSilence is how long a server that was asked to answer may be silent when
	// it has no wal_sender_timeout of its own.
	usualSilence = 60 * time.Second
)

// confirmed is what the server may forget: the end of the last transaction whose
// records and offset are durable (I2). It outlives connections, and moves forward
// only.
type confirmed struct{ lsn atomic.Uint64 }

func (c *confirmed) load() pgoutput.LSN { return pgoutput.LSN(c.lsn.Load()) }

// advance moves forward to lsn.
func (c *confirmed) advance(lsn pgoutput.LSN) {
	for {
		have := c.lsn.Load()
		if uint64(lsn) <= have {
			return
		}
		if c.lsn.CompareAndSwap(have, uint64(lsn)) {
			return
		}
	}
}

// feedback reports to the server in a goroutine of its own: while Read waits for
// room in the log as well, or the server would take the connection for dead.
type feedback struct {
	conn      *walConn
	confirmed *confirmed
	manual    bool          // lsn.flush.mode: somebody else moves the slot
	interval  time.Duration // between reports
	silence   time.Duration // after which the connection is dead
	// received is the end of the WAL that the server has sent.
	received atomic.Uint64
	// failed is why the goroutine has closed the connection.
	failed atomic.Pointer[error]

	stop chan struct{}
	done chan struct{}
}

// reportInterval keeps well within the server's patience.
func reportInterval(configured time.Duration, senderTimeout int64) time.Duration {
	if senderTimeout > 0 {
		return min(configured, time.Duration(senderTimeout)*time.Millisecond/3)
	}
	return configured
}

// allowedSilence is for how long a server that is asked every interval may say
// nothing.
func allowedSilence(interval time.Duration, senderTimeout int64) time.Duration {
	if senderTimeout > 0 {
		return max(time.Duration(senderTimeout)*time.Millisecond, 3*interval)
	}
	return max(usualSilence, 3*interval)
}

func (f *feedback) start() {
	f.stop, f.done = make(chan struct{}), make(chan struct{})
	go f.run()
}

// close sends a last report and ends the goroutine.
func (f *feedback) close() {
	close(f.stop)
	<-f.done
}

func (f *feedback) run() {
	defer close(f.done)
	tick := time.NewTicker(min(f.interval, promptReport))
	defer tick.Stop()
	reported, last := pgoutput.LSN(0), time.Time{}
	for {
		now, due := time.Now(), false
		select {
		case <-f.stop:
			_ = f.send(false)
			return
		case <-f.conn.asked:
			due = true
		case now = <-tick.C:
			due = now.Sub(last) >= f.interval || f.confirmed.load() > reported
		}
		if silent := f.conn.feed.silent(now); silent > f.silence {
			f.fail(fmt.Errorf("the server has not answered for %s", silent.Round(time.Second)))
			return
		}
		if !due {
			continue
		}
		reported, last = f.confirmed.load(), now
		if err := f.send(true); err != nil {
			f.fail(fmt.Errorf("report to the server: %w", err))
			return
		}
	}
}

// send reports. The server answers when it is asked to, which shows that it is
// there.
func (f *feedback) send(answer bool) error {
	s := pgoutput.StatusUpdate{Written: pgoutput.LSN(f.received.Load()), Clock: pgoutput.Clock(time.Now()), RequestReply: answer}
	if !f.manual {
		s.Flushed = f.confirmed.load()
		s.Applied = s.Flushed
	}
	s.Written = max(s.Written, s.Flushed)
	return f.conn.report(s)
}

// fail closes the connection, which wakes the one that reads it.
func (f *feedback) fail(err error) {
	f.failed.Store(&err)
	f.conn.conn.Close()
}

// explain returns what made the connection end: the feedback's own reason where
// it has one.
func (f *feedback) explain(err error) error {
	if reason := f.failed.Load(); reason != nil {
		return lostConnection(*reason)
	}
	return err
}
