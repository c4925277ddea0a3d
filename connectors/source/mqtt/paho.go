package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/sluice-data/sluice/connect"
)

const (
	// filtersPerSubscribe is what the strictest broker takes at once (AWS IoT).
	filtersPerSubscribe = 8
	// sendTimeout is how long paho may wait to hand SUBSCRIBE over to a connection
	// that has just ended.
	sendTimeout = 2 * time.Second
	// Of the pieces that make up paho's Disconnect, the first is given a little
	// time for its DISCONNECT packet, the second for its goroutines to end.
	quiesceMs, teardownMs = 250, 2000
)

// pahoClient is a connection of paho.mqtt.golang.
type pahoClient struct {
	paho        paho.Client
	wire        *wire
	subackCodes atomic.Int32 // codes expected in the next SUBACK
	lost        chan struct{}
	lostErr     error // set before lost is closed
}

// connectPaho makes one attempt to connect to one server.
func connectPaho(ctx context.Context, o clientOptions) (client, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, o.config.ConnectTimeout)
	defer cancel()
	c := &pahoClient{lost: make(chan struct{})}
	options := c.options(o)
	var dialErr error
	var stopWatching func() bool
	options.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		conn, err := dial(ctx, o.server, o.config.tlsConfig)
		if err == nil && o.announce != nil {
			if err = o.announce(ctx); err != nil {
				conn.Close()
			}
		}
		if err != nil {
			dialErr = err
			return nil, err
		}
		c.wire = newWire(conn, wireOptions{version: version3, maxPacketBytes: o.config.MaxPacketBytes, taker: o.taker,
			subackCodes: func() int { return int(c.subackCodes.Load()) }})
		o.taker.attach(c.wire)
		stopWatching = context.AfterFunc(ctx, func() { c.wire.abort(context.Cause(ctx)) })
		return c.wire, nil
	})
	c.paho = paho.NewClient(options)
	token := c.paho.Connect().(*paho.ConnectToken)
	token.Wait() // not longer than ctx: it ends dialling and the connection
	if stopWatching != nil && !stopWatching() && token.Error() == nil {
		c.close() // aborted at the last moment
		return nil, false, ctx.Err()
	}
	if dialErr != nil {
		return nil, false, explainDial(o, dialErr)
	}
	if err := token.Error(); err != nil {
		return nil, false, explainRefusal(ctx, o, token.ReturnCode(), err)
	}
	return c, token.SessionPresent(), nil
}

func (c *pahoClient) options(o clientOptions) *paho.ClientOptions {
	options := paho.NewClientOptions()
	options.Servers = []*url.URL{o.server.url}
	options.SetClientID(o.clientID)
	options.SetCleanSession(o.cleanSession)
	options.SetProtocolVersion(4) // without the second attempt with MQTT 3.1
	options.SetAutoReconnect(false)
	options.SetConnectRetry(false)
	options.SetStore(noStore{})
	options.SetConnectTimeout(o.config.ConnectTimeout)
	options.SetKeepAlive(o.config.KeepAlive)
	options.SetPingTimeout(o.pingTimeout)
	options.SetWriteTimeout(sendTimeout)
	options.SetCredentialsProvider(o.credentials)
	options.SetConnectionLostHandler(func(_ paho.Client, err error) {
		c.lostErr = err
		close(c.lost)
	})
	if o.config.WillTopic != "" {
		options.SetBinaryWill(o.config.WillTopic, []byte(o.config.WillPayload), byte(o.config.WillQoS), o.config.WillRetained)
	}
	return options
}

// credentials are those of the options or else of the server's URI.
func (o clientOptions) credentials() (username, password string) {
	if o.config.Username.IsSet() || o.server.user == nil {
		return o.config.Username.Reveal(), o.config.Password.Reveal()
	}
	password, _ = o.server.user.Password()
	return o.server.user.Username(), password
}

func (c *pahoClient) subscribe(ctx context.Context, filters []string, o subscribeOptions) (map[string]byte, error) {
	codes := make(map[string]byte, len(filters))
	for len(filters) > 0 {
		n := min(len(filters), filtersPerSubscribe)
		group := make(map[string]byte, n)
		for _, f := range filters[:n] {
			group[f] = byte(o.qos)
		}
		filters = filters[n:]
		c.subackCodes.Store(int32(n))
		token := c.paho.SubscribeMultiple(group, nil).(*paho.SubscribeToken)
		if err := c.wait(ctx, token); err != nil {
			return nil, fmt.Errorf("subscribe: %w", err)
		}
		for f := range group {
			codes[f] = token.Result()[f]
		}
	}
	return codes, nil
}

func (c *pahoClient) unsubscribe(ctx context.Context, filters []string) error {
	for len(filters) > 0 {
		n := min(len(filters), filtersPerSubscribe)
		if err := c.wait(ctx, c.paho.Unsubscribe(filters[:n]...)); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
		filters = filters[n:]
	}
	return nil
}

// wait waits for the broker's answer.
func (c *pahoClient) wait(ctx context.Context, token paho.Token) error {
	select {
	case <-token.Done():
		return token.Error()
	case <-c.lost:
		return c.lostErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keptFor is nothing that a broker of MQTT 3.1.1 says.
func (*pahoClient) keptFor() (int64, bool) { return 0, false }

func (c *pahoClient) ended() <-chan struct{} { return c.lost }

func (c *pahoClient) err() error { return c.lostErr }

// close disconnects. paho's Disconnect returns when its time is up, even if its
// goroutines still run; a second one waits for the first.
func (c *pahoClient) close() {
	c.paho.Disconnect(quiesceMs)
	c.wire.abort(net.ErrClosed)
	c.paho.Disconnect(teardownMs)
	<-c.wire.flushed
}

// explainDial makes a *connect.ConfigError of what waiting does not mend.
func explainDial(o clientOptions, err error) error {
	if refused := explainAlert(o, err); refused != nil {
		return refused
	}
	var unverified *tls.CertificateVerificationError
	var hostname x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &hostname):
		return &connect.ConfigError{Option: optServerURI, Reason: fmt.Sprintf(
			"the certificate of %s is for another name (%s): use a name that it has", o.server, trimTLS(hostname))}
	case errors.As(err, &unverified):
		return &connect.ConfigError{Option: optTLSCA, Reason: fmt.Sprintf(
			"the certificate of %s is not trusted (%s): give the certificate of its authority in %s", o.server, trimTLS(err), optTLSCA)}
	case errors.As(err, &record):
		return &connect.ConfigError{Option: optServerURI, Reason: fmt.Sprintf(
			"%s does not speak TLS: use the broker's TLS port, or tcp:// or ws://", o.server)}
	}
	return fmt.Errorf("connect to %s: %w", o.server, err)
}

// explainAlert returns what to do when the broker ended TLS because of the client
// certificate. With TLS 1.3 that comes after the handshake, instead of a CONNACK.
func explainAlert(o clientOptions, err error) error {
	var alert *net.OpError
	if !errors.As(err, &alert) || alert.Op != "remote error" || !strings.Contains(alert.Err.Error(), "certificate") {
		return nil
	}
	return &connect.ConfigError{Option: optTLSCert, Reason: fmt.Sprintf(
		"%s does not accept the client certificate (%s): give one that it trusts in %s and %s", o.server, trimTLS(alert.Err), optTLSCert, optTLSKey)}
}

func trimTLS(err error) string {
	text := strings.TrimPrefix(err.Error(), "tls: ")
	return strings.TrimPrefix(strings.TrimPrefix(text, "failed to verify certificate: "), "x509: ")
}

// explainRefusal makes a *connect.ConfigError of a CONNACK that says that the
// client may not connect (MQTT 3.1.1, section 3.2.2.3).
func explainRefusal(ctx context.Context, o clientOptions, code byte, err error) error {
	switch code {
	case packets.ErrRefusedBadProtocolVersion:
		return &connect.ConfigError{Option: optServerURI, Reason: fmt.Sprintf("%s does not accept MQTT 3.1.1: use a broker that does", o.server)}
	case packets.ErrRefusedIDRejected:
		return &connect.ConfigError{Option: optClientID, Reason: fmt.Sprintf("%s refuses the client id %q: set one that it allows", o.server, o.clientID)}
	case packets.ErrRefusedBadUsernameOrPassword, packets.ErrRefusedNotAuthorised:
		return &connect.ConfigError{Option: optUsername, Reason: fmt.Sprintf(
			"%s refuses the credentials (CONNACK code %d): check %s and %s, and that this user may use the client id %q",
			o.server, code, optUsername, optPassword, o.clientID)}
	case packets.ErrRefusedServerUnavailable:
		return fmt.Errorf("connect to %s: the broker says that it is unavailable (CONNACK code 3)", o.server)
	}
	if refused := explainAlert(o, err); refused != nil {
		return refused
	}
	var garbage *protocolError
	switch {
	case errors.As(err, &garbage):
		err = fmt.Errorf("this is no MQTT broker, check %s: %w", optServerURI, garbage)
	case ctx.Err() != nil:
		err = fmt.Errorf("no answer to CONNECT: %w", context.Cause(ctx))
	case errors.Is(err, io.EOF):
		err = errors.New("the connection was closed instead of an answer to CONNECT")
	}
	return fmt.Errorf("connect to %s: %w", o.server, err)
}

// noStore keeps no packets: a client lives as long as its connection, publishes
// nothing, and the broker keeps what is not acknowledged.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
