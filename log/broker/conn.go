package broker

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sluice-data/sluice/log/security"
)

const (
	readBufferBytes = 16 << 10
	pipeReadBytes   = 1 << 10   // of a connection in memory, which has a buffer of its own
	writeChunkBytes = 256 << 10 // each must be taken within Config.WriteTimeout
)

// conn is one client connection.
type conn struct {
	b        *Broker
	listener *listener
	nc       net.Conn // with TLS, if the listener has it
	socket   net.Conn // under nc; closing it sends nothing
	host     string
	log      *slog.Logger
	cancel   context.CancelFunc
	authBy   time.Time // when the client has to be authenticated
	// pending holds the requests in order of arrival; the reader is its only
	// sender and closes it. Its capacity bounds the pipelined requests (I5).
	pending chan *request

	// Of the reader:
	principal  security.Principal // who the client is, once it may ask
	sasl       *saslState         // nil: the listener has no SASL
	mutedUntil time.Time          // no request is read before, for a quota
}

func newConn(b *Broker, nc net.Conn, l *listener, cancel context.CancelFunc) *conn {
	c := &conn{
		b:         b,
		listener:  l,
		nc:        nc,
		socket:    nc,
		host:      hostOf(nc.RemoteAddr()),
		log:       b.cfg.Logger,
		cancel:    cancel,
		authBy:    time.Now().Add(b.cfg.AuthTimeout),
		pending:   make(chan *request, b.cfg.MaxInFlightRequests),
		principal: security.Anonymous,
	}
	if l.TLS != nil {
		c.nc = tls.Server(nc, l.TLS)
	}
	if len(l.Mechanisms) > 0 {
		c.sasl = &saslState{}
	}
	return c
}

// run serves the connection until it ends, and closes it.
func (c *conn) run(ctx context.Context) {
	err := c.handshake(ctx)
	if err == nil {
		var writer sync.WaitGroup
		writer.Go(c.write)
		err = c.read(ctx)
		close(c.pending)
		writer.Wait()
	}
	c.cancel()
	c.nc.Close()
	if err != nil && !isClosed(err) {
		c.log.Debug("connection closed", "client", c.host, "reason", err)
	}
}

// drain lets the request in progress finish and its answer be sent, and takes no
// other. It may be called from any goroutine.
func (c *conn) drain() {
	c.cancel()
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// read takes requests until the connection ends or drains.
func (c *conn) read(ctx context.Context) error {
	bufferBytes := readBufferBytes
	if _, inMemory := c.nc.(*pipeConn); inMemory {
		bufferBytes = pipeReadBytes
	}
	r := bufio.NewReaderSize(c.nc, bufferBytes)
	for {
		if d := time.Until(c.mutedUntil); d > 0 && !sleep(ctx, d) {
			return net.ErrClosed
		}
		if err := c.allow(ctx, c.b.cfg.IdleTimeout); err != nil {
			return err
		}
		minBytes, maxBytes := c.frameLimits()
		size, err := readSize(r, minBytes, maxBytes)
		if err != nil {
			return err
		}
		if err := c.serveFrame(ctx, r, size); err != nil {
			return err
		}
	}
}

// frameLimits are small until the client has authenticated (I5).
func (c *conn) frameLimits() (minBytes, maxBytes int) {
	switch {
	case c.isAuthenticated():
		return minFrameBytes, c.b.cfg.MaxFrameBytes
	case c.sasl.rawTokens:
		return 0, c.b.cfg.MaxUnauthenticatedFrameBytes
	}
	return minFrameBytes, min(c.b.cfg.MaxUnauthenticatedFrameBytes, c.b.cfg.MaxFrameBytes)
}

// allow gives the next read until d from now, unless the connection drains. All
// that comes before a client has authenticated shares one time.
func (c *conn) allow(ctx context.Context, d time.Duration) error {
	deadline := time.Now().Add(d)
	if !c.isAuthenticated() && c.authBy.Before(deadline) {
		deadline = c.authBy
	}
	if err := c.nc.SetReadDeadline(deadline); err != nil {
		return err
	}
	if ctx.Err() != nil { // looked at after the deadline, so that drain cannot slip in between
		return net.ErrClosed
	}
	return nil
}

func (c *conn) serveFrame(ctx context.Context, r *bufio.Reader, size int) error {
	frame, err := readFrame(ctx, r, size, c.b, func() error {
		if r.Buffered() >= size {
			return nil // all there: no deadline needed
		}
		return c.allow(ctx, c.b.cfg.FrameTimeout)
	})
	if err != nil {
		return err
	}
	defer frame.release()
	if c.sasl != nil && c.sasl.rawTokens {
		return c.serveToken(ctx, frame.bytes)
	}
	received := time.Now()
	if err := c.admit(frame.bytes); err != nil {
		return err
	}
	req, err := parseRequest(c.b.handlers, frame.bytes)
	if err != nil {
		return err
	}
	req.conn, req.clientHost, req.principal, req.received = c, c.host, c.principal, received
	c.pending <- req
	c.serve(ctx, req)
	if req.throttled > 0 { // the answer goes out meanwhile (KIP-219)
		c.mutedUntil = time.Now().Add(req.throttled)
	}
	if req.last {
		return net.ErrClosed
	}
	return nil
}

// serve runs the handler. A panic ends this connection and nothing else (I5).
func (c *conn) serve(ctx context.Context, r *request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		c.log.Error("request handler panicked; closing the connection", "api", r.key.Name(),
			"version", r.version, "client", c.host, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		r.hangUp(fmt.Errorf("handle %s: panic", r.key.Name()))
	}()
	r.handler.serve(c.b, ctx, r)
}

// write sends the answers in order. After an error it closes the connection,
// which ends the reader, and lets the remaining requests finish unsent.
func (c *conn) write() {
	var failed error
	for r := range c.pending {
		<-r.ready
		if failed == nil {
			if failed = c.send(r); failed != nil {
				c.cancel()
				c.socket.Close()
			} else {
				r.handler.metrics.observe(r)
			}
		}
		if r.after != nil {
			r.after()
		}
	}
	if failed != nil && !isClosed(failed) {
		c.log.Debug("connection closed", "client", c.host, "reason", failed)
	}
}

func (c *conn) send(r *request) error {
	if r.err != nil || (r.response == nil && r.token == nil) {
		return r.err
	}
	buf := r.appendResponse(c.b.buffers.get())
	defer func() { c.b.buffers.put(buf) }()
	for rest := buf; len(rest) > 0; {
		if err := c.nc.SetWriteDeadline(time.Now().Add(c.b.cfg.WriteTimeout)); err != nil {
			return err
		}
		n, err := c.nc.Write(rest[:min(len(rest), writeChunkBytes)])
		if err != nil {
			return fmt.Errorf("write %s response: %w", r.key.Name(), err)
		}
		rest = rest[n:]
	}
	return nil
}

// isClosed reports whether err only says that one side went away or was idle.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, os.ErrDeadlineExceeded)
}
