// Package loopback finds ports of 127.0.0.1 for servers that are programs of others.
package loopback

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below those that systems give to connections, and to listeners that take any
// port (Linux: 32768 and above). One of those may be somebody else's before the server
// that it is meant for has it, or while that server is started again.
const (
	firstPort = 20_000
	ports     = 12_000
)

// FreePort returns a port that nobody listens on.
func FreePort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(ports)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no port of 127.0.0.1 from 20000 to 31999 is free")
}
