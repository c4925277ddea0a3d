package loopback

import (
	"net"
	"strconv"
	"testing"
)

// TestFreePort listens on the ports that it is given.
func TestFreePort(t *testing.T) {
	for range 20 {
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if port < firstPort || port >= firstPort+ports {
			t.Errorf("port %d is one that connections get", port)
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}
