package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	paho5 "github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/log"
	"github.com/sluice-data/sluice/connect"
)

// paho5Client is a connection of paho.golang, so of MQTT 5.
type paho5Client struct {
	paho        *paho5.Client
	wire        *wire
	subackCodes atomic.Int32 // codes expected in the next SUBACK
	expiry      *uint32      // for which the broker keeps the session, in seconds; nil: as long as it was asked to
	reported    atomic.Bool  // lostErr is set, or being set
	lost        chan struct{}
	lostErr     error // set before lost is closed
}

// connectPaho5 makes one attempt to connect to one server with MQTT 5.
func connectPaho5(ctx context.Context, o clientOptions) (client, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, o.config.ConnectTimeout)
	defer cancel()
	conn, err := dial(ctx, o.server, o.config.tlsConfig)
	if err != nil {
		return nil, false, explainDial(o, err)
	}
	c := &paho5Client{lost: make(chan struct{})}
	c.wire = newWire(conn, wireOptions{version: version5, maxPacketBytes: o.config.MaxPacketBytes, taker: o.taker,
		subackCodes: func() int { return int(c.subackCodes.Load()) }})
	o.taker.attach(c.wire)
	stopWatching := context.AfterFunc(ctx, func() { c.wire.abort(context.Cause(ctx)) })
	c.paho = paho5.NewClient(paho5.ClientConfig{
		ClientID: o.clientID, Conn: c.wire, PacketTimeout: o.config.ConnectTimeout, PingHandler: newPinger(c.wire, o.pingTimeout),
		OnServerDisconnect: func(d *paho5.Disconnect) { c.end(explainDisconnect(o, d)) },
		OnClientError:      c.end,
	})
	ack, err := c.paho.Connect(ctx, connectPacket(o))
	if !stopWatching() && err == nil {
		c.close() // aborted at the last moment
		return nil, false, ctx.Err()
	}
	if err != nil {
		c.wire.abort(err)
		<-c.wire.flushed
		return nil, false, explainConnack(ctx, o, ack, err)
	}
	if ack.Properties != nil && !o.cleanSession {
		c.expiry = ack.Properties.SessionExpiryInterval
	}
	return c, ack.SessionPresent, nil
}

// connectPacket is the CONNECT of a connection. A topic alias is never allowed: the
// frames of messages are read without the state that it needs.
func connectPacket(o clientOptions) *paho5.Connect {
	expiry, most, largest := uint32(o.config.SessionExpiry), uint16(o.config.ReceiveMaximum), uint32(o.config.MaxPacketBytes)
	if o.cleanSession {
		expiry = 0
	}
	c := &paho5.Connect{ClientID: o.clientID, CleanStart: o.cleanSession, KeepAlive: uint16(o.config.KeepAlive / time.Second),
		Properties: &paho5.ConnectProperties{SessionExpiryInterval: &expiry, ReceiveMaximum: &most, MaximumPacketSize: &largest}}
	if username, password := o.credentials(); username != "" {
		c.Username, c.UsernameFlag = username, true
		c.Password, c.PasswordFlag = []byte(password), password != ""
	}
	if o.config.WillTopic != "" {
		c.WillMessage = &paho5.WillMessage{Topic: o.config.WillTopic, Payload: []byte(o.config.WillPayload),
			QoS: byte(o.config.WillQoS), Retain: o.config.WillRetained}
	}
	return c
}

// end notes why the connection is over. paho.golang may say so several times.
func (c *paho5Client) end(err error) {
	if c.reported.CompareAndSwap(false, true) {
		c.lostErr = err
		close(c.lost)
	}
}

// Retain handling (MQTT 5, section 3.8.3.1): retained messages are sent when the session
// did not have the subscription, or never.
const (
	retainWhenNew = 1
	retainNever   = 2
)

func (c *paho5Client) subscribe(ctx context.Context, filters []string, o subscribeOptions) (map[string]byte, error) {
	codes := make(map[string]byte, len(filters))
	for len(filters) > 0 {
		group := filters[:min(len(filters), filtersPerSubscribe)]
		filters = filters[len(group):]
		request := new(paho5.Subscribe)
		for _, f := range group {
			s := paho5.SubscribeOptions{Topic: f, QoS: byte(o.qos)}
			switch {
			case o.noRetained:
				s.RetainHandling = retainNever
			case o.again:
				s.RetainHandling = retainWhenNew
			}
			request.Subscriptions = append(request.Subscriptions, s)
		}
		c.subackCodes.Store(int32(len(group)))
		ack, err := c.paho.Subscribe(ctx, request)
		if ack == nil {
			return nil, fmt.Errorf("subscribe: %w", c.reason(err))
		}
		for i, f := range group {
			codes[f] = ack.Reasons[i]
		}
	}
	return codes, nil
}

func (c *paho5Client) unsubscribe(ctx context.Context, filters []string) error {
	for len(filters) > 0 {
		group := filters[:min(len(filters), filtersPerSubscribe)]
		filters = filters[len(group):]
		if ack, err := c.paho.Unsubscribe(ctx, &paho5.Unsubscribe{Topics: group}); err != nil && ack == nil {
			return fmt.Errorf("unsubscribe: %w", c.reason(err))
		}
	}
	return nil
}

// reason prefers why the connection was lost to what that has led to.
func (c *paho5Client) reason(err error) error {
	select {
	case <-c.lost:
		return c.lostErr
	default:
		return err
	}
}

func (c *paho5Client) keptFor() (seconds int64, fewer bool) {
	if c.expiry == nil {
		return 0, false
	}
	return int64(*c.expiry), true
}

func (c *paho5Client) ended() <-chan struct{} { return c.lost }

func (c *paho5Client) err() error { return c.lostErr }

// close disconnects and waits until nothing of the client runs.
func (c *paho5Client) close() {
	_ = c.paho.Disconnect(&paho5.Disconnect{}) // a connection that is gone needs none
	c.wire.abort(net.ErrClosed)
	<-c.paho.Done()
	<-c.wire.flushed
}

// pinger keeps a connection alive. A server that does not answer in time is gone.
type pinger struct {
	wire    *wire
	timeout time.Duration
	answers chan struct{} // capacity 1
}

func newPinger(w *wire, timeout time.Duration) *pinger {
	return &pinger{wire: w, timeout: timeout, answers: make(chan struct{}, 1)}
}

var errNoPingresp = errors.New("the broker does not answer pings")

// Run implements paho.Pinger.
func (p *pinger) Run(ctx context.Context, _ net.Conn, keepAlive uint16) error {
	if keepAlive == 0 { // the server wants none
		return nil
	}
	tick := time.NewTicker(time.Duration(keepAlive) * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := p.ping(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *pinger) ping(ctx context.Context) error {
	select { // a late answer to an earlier ping
	case <-p.answers:
	default:
	}
	p.wire.Lock()
	_, err := p.wire.Write([]byte{typePingreq << 4, 0})
	p.wire.Unlock()
	if err != nil {
		return err
	}
	timeout := time.NewTimer(p.timeout)
	defer timeout.Stop()
	select {
	case <-p.answers:
		return nil
	case <-timeout.C:
		return errNoPingresp
	case <-ctx.Done():
		return nil
	}
}

// PingResp and what follows implement paho.Pinger.
func (p *pinger) PingResp()         { notify(p.answers) }
func (*pinger) PacketSent()         {}
func (*pinger) PacketReceived()     {}
func (*pinger) SetDebug(log.Logger) {}

// reasonTexts are the reasons of MQTT 5, section 2.4, that a broker gives for
// refusing or ending a connection.
var reasonTexts = map[byte]string{
	0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error", 0x83: "implementation specific error",
	0x84: "unsupported protocol version", 0x85: "client identifier not valid", 0x86: "bad user name or password", 0x87: "not authorized",
	0x88: "server unavailable", 0x89: "server busy", 0x8a: "banned", 0x8b: "server shutting down", 0x8c: "bad authentication method",
	0x8d: "keep alive timeout", 0x8e: "session taken over", 0x8f: "topic filter invalid", 0x90: "topic name invalid",
	0x93: "receive maximum exceeded", 0x94: "topic alias invalid", 0x95: "packet too large", 0x96: "message rate too high",
	0x97: "quota exceeded", 0x98: "administrative action", 0x99: "payload format invalid", 0x9a: "retain not supported",
	0x9b: "qos not supported", 0x9c: "use another server", 0x9d: "server moved", 0x9e: "shared subscriptions not supported",
	0x9f: "connection rate exceeded", 0xa0: "maximum connect time", 0xa1: "subscription identifiers not supported",
	0xa2: "wildcard subscriptions not supported",
}

// reasonText is a code with its meaning and what the broker adds.
func reasonText(code byte, detail string) string {
	text := fmt.Sprintf("reason code 0x%02x", code)
	if t := reasonTexts[code]; t != "" {
		text += ", " + t
	}
	if detail != "" {
		text += fmt.Sprintf(": %.200q", detail)
	}
	return text
}

func explainDisconnect(o clientOptions, d *paho5.Disconnect) error {
	detail := ""
	if d.Properties != nil {
		detail = d.Properties.ReasonString
	}
	return fmt.Errorf("%s has ended the connection (%s)", o.server, reasonText(d.ReasonCode, detail))
}

// explainConnack makes a *connect.ConfigError of a refusal that waiting does not
// mend.
func explainConnack(ctx context.Context, o clientOptions, ack *paho5.Connack, err error) error {
	if ack == nil || ack.ReasonCode < 0x80 {
		return explainNoConnack(ctx, o, err)
	}
	detail := ""
	if ack.Properties != nil {
		detail = ack.Properties.ReasonString
	}
	why := reasonText(ack.ReasonCode, detail)
	switch ack.ReasonCode {
	case 0x84:
		return refusesVersion(o)
	case 0x85:
		return &connect.ConfigError{Option: optClientID, Reason: fmt.Sprintf("%s refuses the client id %q (%s): set one that it allows", o.server, o.clientID, why)}
	case 0x86, 0x87, 0x8a, 0x8c:
		return &connect.ConfigError{Option: optUsername, Reason: fmt.Sprintf(
			"%s refuses the credentials (%s): check %s and %s, and that this user may use the client id %q", o.server, why, optUsername, optPassword, o.clientID)}
	case 0x90, 0x99, 0x9a, 0x9b:
		return &connect.ConfigError{Option: optWillTopic, Reason: fmt.Sprintf("%s refuses the last will (%s)", o.server, why)}
	}
	return fmt.Errorf("connect to %s: refused (%s)", o.server, why)
}

func refusesVersion(o clientOptions) error {
	return &connect.ConfigError{Option: optVersion, Reason: fmt.Sprintf("%s does not speak MQTT 5: set %s=3", o.server, optVersion)}
}

func explainNoConnack(ctx context.Context, o clientOptions, err error) error {
	if refused := explainAlert(o, err); refused != nil {
		return refused
	}
	var garbage *protocolError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errNoMQTT5):
		return refusesVersion(o)
	case errors.As(err, &garbage):
		err = fmt.Errorf("this is no MQTT broker, check %s: %w", optServerURI, garbage)
	case errors.As(err, &record):
		return explainDial(o, err)
	case ctx.Err() != nil:
		err = fmt.Errorf("no answer to CONNECT: %w", context.Cause(ctx))
	case errors.Is(err, io.EOF):
		err = errors.New("the connection was closed instead of an answer to CONNECT; a broker that does not speak MQTT 5 may do that")
	}
	return fmt.Errorf("connect to %s: %w", o.server, err)
}
