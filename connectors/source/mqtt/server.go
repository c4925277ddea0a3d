package mqtt

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// transport is how MQTT packets travel.
type transport uint8

const (
	overTCP transport = iota
	overTLS
	overWebSocket
	overWebSocketTLS
)

// server is one element of mqtt.server.uri.
type server struct {
	transport transport
	address   string   // host:port
	url       *url.URL // without user information
	user      *url.Userinfo
}

func (s server) String() string { return s.url.String() }

func (s server) secure() bool { return s.transport == overTLS || s.transport == overWebSocketTLS }

// parseServer reads a server URI.
func parseServer(text string) (server, error) {
	if !strings.Contains(text, "://") {
		return server{}, errors.New("a server starts with a scheme such as tcp://, as in tcp://broker:1883")
	}
	u, err := url.Parse(text)
	if err != nil {
		return server{}, errors.New("not a URI: use the form tcp://broker:1883")
	}
	t, port, err := parseScheme(u.Scheme)
	if err != nil {
		return server{}, err
	}
	if u.Hostname() == "" {
		return server{}, errors.New("the host is missing: use the form tcp://broker:1883")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	s := server{transport: t, address: net.JoinHostPort(u.Hostname(), port), url: u, user: u.User}
	u.User = nil
	return s, nil
}

// parseScheme returns the transport of a scheme and its default port.
func parseScheme(scheme string) (t transport, port string, err error) {
	switch strings.ToLower(scheme) {
	case "tcp", "mqtt":
		return overTCP, "1883", nil
	case "ssl", "tls", "mqtts":
		return overTLS, "8883", nil
	case "ws":
		return overWebSocket, "80", nil
	case "wss":
		return overWebSocketTLS, "443", nil
	}
	return 0, "", fmt.Errorf("unknown scheme %q: use tcp, mqtt, ssl, tls, mqtts, ws or wss", scheme)
}
