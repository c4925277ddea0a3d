package mqtt

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/net/proxy"
)

// dial opens the network connection to a server. It heeds the environment's
// proxies: ALL_PROXY for TCP and TLS, HTTP_PROXY and HTTPS_PROXY for WebSockets.
func dial(ctx context.Context, s server, cfg *tls.Config) (net.Conn, error) {
	switch s.transport {
	case overTLS:
		return dialTLS(ctx, s, cfg)
	case overWebSocket, overWebSocketTLS:
		return dialWebSocket(ctx, s, cfg)
	default:
		return proxy.Dial(ctx, "tcp", s.address)
	}
}

func dialTLS(ctx context.Context, s server, cfg *tls.Config) (net.Conn, error) {
	conn, err := proxy.Dial(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	cfg = cfg.Clone()
	cfg.ServerName = s.url.Hostname()
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error is the one to report
		return nil, err
	}
	return secure, nil
}

// dialWebSocket ends with ctx also between the connection and the answer to its
// request, where the library waits for the deadline of ctx alone.
func dialWebSocket(ctx context.Context, s server, cfg *tls.Config) (net.Conn, error) {
	d := websocket.Dialer{Proxy: http.ProxyFromEnvironment, TLSClientConfig: cfg, Subprotocols: []string{"mqtt"}}
	stop := func() bool { return true }
	d.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			stop = context.AfterFunc(ctx, func() { _ = conn.Close() }) // the error of ctx is the one to report
		}
		return conn, err
	}
	conn, resp, err := d.DialContext(ctx, s.url.String(), nil)
	if !stop() {
		if err == nil {
			_ = conn.Close() // it is closed already, or will be at once
		}
		return nil, context.Cause(ctx)
	}
	if resp != nil {
		_ = resp.Body.Close() // the library has read what there is of it
	}
	if err != nil {
		return nil, err
	}
	return &wsConn{Conn: conn}, nil
}

// wsConn makes a byte stream of a WebSocket: MQTT packets need not coincide with
// its messages (MQTT 3.1.1, section 6).
type wsConn struct {
	*websocket.Conn
	message io.Reader // being read, nil between messages
}

// Read reads from the messages one after another.
func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.message == nil {
			_, r, err := c.NextReader()
			if err != nil {
				return 0, err
			}
			c.message = r
		}
		n, err := c.message.Read(p)
		if err == io.EOF {
			c.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends p as one binary message. Only the wire's flusher calls it.
func (c *wsConn) Write(p []byte) (int, error) {
	if err := c.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetDeadline sets the deadlines of reading and writing.
func (c *wsConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
