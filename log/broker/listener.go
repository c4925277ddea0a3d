package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-data/sluice/log/security"
)

// Listener is how clients reach the broker at one address, and who they have to
// be there.
type Listener struct {
	// Name in the log, and of what the broker says about itself. Default PLAINTEXT.
	Name string
	// AdvertisedAddr is the host:port that clients of this listener are told to dial. Default: Config.AdvertisedAddr.
	AdvertisedAddr string
	// TLS encrypts the connections. When it verifies client certificates and there is no SASL, the principal is the
	// certificate's distinguished name.
	TLS *tls.Config
	// PrincipalRules make that name shorter.
	PrincipalRules security.PrincipalRules
	// Mechanisms of SASL that clients can choose from: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 (sasl.enabled.mechanisms). Empty: no
	// SASL. SCRAM needs Config.Security.
	Mechanisms []string
	// PlainUsers are the passwords of PLAIN by user.
	PlainUsers map[string]string
	// MaxReauth is how long an authentication lasts (connections.max.reauth.ms, KIP-368). 0: as long as the connection.
	MaxReauth time.Duration
	// MaxConnections at a time on this listener (listener.name.NAME.max.connections). 0: as many as the broker takes.
	MaxConnections int
}

// listener is a Listener in use.
type listener struct {
	Listener
	host string // of AdvertisedAddr
	port int32
	// trusted connections come from this process: they are allowed everything and
	// count against no limit of clients.
	trusted bool
	open    int // connections; guarded by Broker.mu
}

func (b *Broker) newListener(l Listener) (*listener, error) {
	def(&l.Name, "PLAINTEXT")
	def(&l.AdvertisedAddr, b.cfg.AdvertisedAddr)
	host, portText, err := net.SplitHostPort(l.AdvertisedAddr)
	if err != nil {
		return nil, fmt.Errorf("parse advertised address %q: %w", l.AdvertisedAddr, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("parse port of advertised address %q: %w", l.AdvertisedAddr, err)
	}
	for _, name := range l.Mechanisms {
		_, isSCRAM := security.ParseMechanism(name)
		switch {
		case name != security.MechanismPlain && !isSCRAM:
			return nil, fmt.Errorf("listener %s: SASL mechanism %q is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", l.Name, name)
		case isSCRAM && b.cfg.Security == nil:
			return nil, fmt.Errorf("listener %s: %s needs a store of credentials", l.Name, name)
		}
	}
	return &listener{Listener: l, host: host, port: int32(port)}, nil
}

// describeListeners lists the listeners being served, as a broker's config has them.
func (b *Broker) describeListeners(describe func(*listener) string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, l := range b.listeners {
		all = append(all, describe(l))
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// protocol is Kafka's name of what is spoken.
func (l *listener) protocol() string {
	switch {
	case l.TLS != nil && len(l.Mechanisms) > 0:
		return "SASL_SSL"
	case l.TLS != nil:
		return "SSL"
	case len(l.Mechanisms) > 0:
		return "SASL_PLAINTEXT"
	}
	return "PLAINTEXT"
}

// Serve is ServeListener for clients that need not say who they are.
func (b *Broker) Serve(ctx context.Context, ln net.Listener) error {
	return b.ServeListener(ctx, ln, Listener{})
}

// ServeListener accepts connections on ln until ctx ends or the broker is shut
// down, and closes ln. It returns nil then, and otherwise the accept error or
// what is wrong with l. Connections outlive it; Shutdown ends them.
func (b *Broker) ServeListener(ctx context.Context, ln net.Listener, l Listener) error {
	defer ln.Close()
	served, err := b.newListener(l)
	if err != nil {
		return err
	}
	if !b.addListener(ln, served) {
		return ErrClosed
	}
	defer b.removeListener(ln)
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			_ = b.start(nc, served) // refused ones are closed and logged there
		case ctx.Err() != nil || b.isClosed():
			return nil
		case isTemporary(err):
			b.cfg.Logger.Warn("accept failed; trying again", "error", err)
			if !sleep(ctx, 100*time.Millisecond) {
				return nil
			}
		default:
			return fmt.Errorf("accept connection: %w", err)
		}
	}
}

// isTemporary reports errors such as running out of descriptors.
func isTemporary(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && !errors.Is(err, net.ErrClosed)
}

// sleep waits and reports whether it was not cut short.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// DialContext returns a connection to this broker that stays in memory, whatever
// the network and address: it fits kgo.Dialer. It belongs to this process, so it
// may do everything, whatever clients have to prove on the listeners.
func (b *Broker) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := newPipe()
	if err := b.start(server, b.memory); err != nil {
		client.Close()
		// kgo tells by this type that it has to wait before the next try.
		return nil, &net.OpError{Op: "dial", Net: "embedded broker", Err: err}
	}
	return client, nil
}

// errRefused is a connection beyond a limit.
var errRefused = errors.New("too many connections")

// start serves nc in goroutines of its own, or closes it and says why not.
func (b *Broker) start(nc net.Conn, l *listener) error {
	ctx, cancel := context.WithCancel(context.Background())
	c := newConn(b, nc, l, cancel)
	if err := b.addConn(c); err != nil {
		cancel()
		nc.Close()
		return err
	}
	go func() {
		defer b.tasks.Done()
		defer b.removeConn(c)
		c.run(ctx)
	}()
	return nil
}

// addConn counts c in, and in tasks.
func (b *Broker) addConn(c *conn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if limit, n := b.exceeded(c); limit != "" { // I5
		b.connsRefused.Add(1)
		b.refusals.warn(b.cfg.Logger, "connection refused: too many are open", "limit", limit, "value", n, "listener", c.listener.Name, "client", c.host)
		return errRefused
	}
	b.conns[c] = struct{}{}
	b.connsCreated.Add(1)
	c.listener.open++
	if !c.listener.trusted {
		b.perHost[c.host]++
	}
	b.tasks.Add(1)
	return nil
}

// exceeded returns the name and value of a limit that c would exceed. mu is held.
func (b *Broker) exceeded(c *conn) (string, int) {
	if c.listener.trusted {
		return "", 0
	}
	perHost, ok := b.cfg.MaxConnectionsPerIPOverrides[c.host]
	if !ok {
		perHost = b.cfg.MaxConnectionsPerIP
	}
	switch {
	case len(b.conns)-b.memory.open >= b.dynamic.Load().maxConnections:
		return maxConnectionsConfig, b.dynamic.Load().maxConnections
	case c.listener.MaxConnections > 0 && c.listener.open >= c.listener.MaxConnections:
		return "listener.name." + c.listener.Name + ".max.connections", c.listener.MaxConnections
	case (ok || perHost > 0) && b.perHost[c.host] >= perHost:
		return "max.connections.per.ip", perHost
	}
	if b.limiter != nil {
		if _, ok := b.limiter.Admit(security.Client{IP: c.host}, security.ConnectionRate, 1); !ok {
			rate, _ := b.limiter.Rate(security.Client{IP: c.host}, security.ConnectionRate)
			return security.ConnectionRate, int(rate)
		}
	}
	return "", 0
}

func (b *Broker) removeConn(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
	c.listener.open--
	if c.listener.trusted {
		return
	}
	if b.perHost[c.host]--; b.perHost[c.host] <= 0 {
		delete(b.perHost, c.host)
	}
}

func (b *Broker) addListener(ln net.Listener, l *listener) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.listeners[ln] = l
	}
	return !b.closed
}

func (b *Broker) removeListener(ln net.Listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, ln)
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
