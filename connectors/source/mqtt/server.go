package mqtt

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode/utf8"
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

// checkFilter checks a topic filter by MQTT 3.1.1, section 4.7.
func checkFilter(filter string) error {
	switch {
	case filter == "":
		return errors.New("an empty topic filter")
	case len(filter) > 65535:
		return errors.New("a topic filter is longer than 65535 bytes")
	case !utf8.ValidString(filter) || strings.ContainsRune(filter, 0):
		return fmt.Errorf("topic filter %q must be UTF-8 without NUL", filter)
	}
	levels := strings.Split(filter, "/")
	if levels[0] == "$share" && (len(levels) < 3 || levels[1] == "") {
		return fmt.Errorf("shared subscription %q must have the form $share/group/filter", filter)
	}
	for i, level := range levels {
		if err := checkLevel(level, i == len(levels)-1); err != nil {
			return fmt.Errorf("topic filter %q: %w", filter, err)
		}
	}
	return nil
}

func checkLevel(level string, last bool) error {
	if level == "#" && last || level == "+" {
		return nil
	}
	if strings.ContainsAny(level, "#+") {
		return errors.New("+ must be a whole level, and # the whole last level")
	}
	return nil
}

// withoutCovered leaves out filters whose topics another one has all of. Brokers
// may send a message once for each filter that it matches, and with MQTT 5 they do.
func withoutCovered(filters []string) []string {
	var out []string
	for i, f := range filters {
		covered := false
		for j, other := range filters {
			covered = covered || i != j && covers(other, f)
		}
		if !covered {
			out = append(out, f)
		}
	}
	return out
}

// covers tells whether a filter matches every topic that b, a different one, does.
// Shared subscriptions stand for themselves.
func covers(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	if x[0] == "$share" || y[0] == "$share" || strings.HasPrefix(y[0], "$") && x[0] != y[0] {
		return false
	}
	for i, level := range x {
		switch {
		case level == "#":
			return true
		case i == len(y) || y[i] == "#":
			return false
		case level != "+" && level != y[i]:
			return false
		}
	}
	return len(x) == len(y)
}
