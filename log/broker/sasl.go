package broker

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// minReauthInterval is the time between two authentications of a connection
// (KIP-368).
const minReauthInterval = time.Second

// saslState is how far a connection is with its authentication:
//
//	        ┌───────────────────────── failed: closed
//	        │                              ▲
//	handshake ──mechanism──► exchange ─────┤
//	        ▲                              ▼
//	        └──── re-authentication ── authenticated
type saslState struct {
	mechanism     string
	exchange      security.Exchange // nil: no exchange in progress
	rawTokens     bool              // after a handshake of v0 tokens come without a header
	authenticated bool
	began         time.Time // the last exchange
	expires       time.Time // of the session; zero: never
}

// handshake does that of TLS and finds out who the client is where SASL will not.
func (c *conn) handshake(ctx context.Context) error {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, c.authBy)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.b.failures.warn(c.log, "TLS handshake failed", "listener", c.listener.Name, "client", c.host, "error", err)
		return fmt.Errorf("TLS handshake: %w", err)
	}
	if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 && c.sasl == nil {
		name, err := security.DistinguishedName(certs[0])
		if err != nil {
			return err
		}
		c.principal = security.User(name)
	}
	return nil
}

// isAuthenticated reports whether the client has said who it is, if it has to.
func (c *conn) isAuthenticated() bool { return c.sasl == nil || c.sasl.authenticated }

var (
	errNotAuthenticated = errors.New("request before authentication")
	errSessionExpired   = errors.New("request after the session has expired")
)

// admit looks at a request before any more of it is parsed: what a client may
// ask before it has authenticated, and after its session has expired (KIP-368).
func (c *conn) admit(frame []byte) error {
	key := kmsg.Key(int16(binary.BigEndian.Uint16(frame)))
	isSASL := key == kmsg.SASLHandshake || key == kmsg.SASLAuthenticate
	switch {
	case isSASL || c.sasl == nil:
		return nil
	case !c.sasl.authenticated && key != kmsg.ApiVersions:
		c.b.failures.warn(c.log, "connection closed: request before authentication", "listener", c.listener.Name, "client", c.host, "api", key.Name())
		return errNotAuthenticated
	case c.sasl.authenticated && !c.sasl.expires.IsZero() && !time.Now().Before(c.sasl.expires):
		return errSessionExpired
	}
	return nil
}

// begin starts an exchange with a mechanism of the listener.
func (c *conn) begin(mechanism string) {
	s := c.sasl
	s.mechanism, s.began = mechanism, time.Now()
	if m, ok := security.ParseMechanism(mechanism); ok {
		s.exchange = c.b.cfg.Security.SCRAM(m)
		return
	}
	s.exchange = security.NewPlain(c.listener.PlainUsers)
}

// next makes one step of the exchange. An error ends the connection, after a
// while: guessing shall take time, and the answer says nothing but that it failed.
func (c *conn) next(ctx context.Context, token []byte) (answer []byte, err error) {
	s := c.sasl
	answer, done, err := s.exchange.Next(token)
	if err == nil && done {
		err = c.authenticated(security.User(s.exchange.User()))
	}
	if err == nil {
		return answer, nil
	}
	s.exchange = nil
	c.b.failures.warn(c.log, "authentication failed", "listener", c.listener.Name, "mechanism", s.mechanism, "client", c.host, "error", err)
	sleep(ctx, c.b.cfg.FailedAuthDelay)
	return nil, err
}

// authenticated ends an exchange that went well. A connection keeps its
// principal when it authenticates again.
func (c *conn) authenticated(p security.Principal) error {
	s := c.sasl
	if s.authenticated && p != c.principal {
		return fmt.Errorf("cannot change principals during re-authentication from %s to %s", c.principal, p)
	}
	c.principal = p
	s.exchange, s.authenticated, s.rawTokens = nil, true, false
	s.expires = time.Time{}
	if c.listener.MaxReauth > 0 {
		s.expires = time.Now().Add(c.listener.MaxReauth)
	}
	return nil
}

// serveToken takes a token without a header, as it follows a handshake of v0.
func (c *conn) serveToken(ctx context.Context, token []byte) error {
	req := &request{key: kmsg.SASLAuthenticate, handler: c.b.handlers[kmsg.SASLAuthenticate], conn: c, received: time.Now(), ready: make(chan struct{})}
	c.pending <- req
	answer, err := c.next(ctx, token)
	if err != nil {
		req.noReply() // there is no answer to put an error in
		return net.ErrClosed
	}
	req.token = append([]byte{}, answer...)
	req.noReply()
	return nil
}
