package mqtt

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// startSilent accepts connections, answers the first byte that comes with a few bytes,
// or nothing, and says so in asked.
func startSilent(t *testing.T, answer string) (addr string, asked <-chan struct{}) {
	t.Helper()
	calls := make(chan struct{}, 100)
	b := startFakeBroker(t, func(_ int, c *fakeConn) {
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			return
		}
		io.WriteString(c, answer)
		calls <- struct{}{}
		io.Copy(io.Discard, c)
	})
	return b.ln.Addr().String(), calls
}

// A server that accepts and never gets done with TLS, WebSocket or CONNECT, or
// begins to and stops, takes mqtt.connect.timeout.seconds and no longer; the task
// goes on trying, and the next server is used.
func TestSilentServer(t *testing.T) { aloneInBothVersions(t, testSilentServer) }

func testSilentServer(t *testing.T, version string) {
	m := startMosquitto(t)
	t.Run("all", func(t *testing.T) { silentServers(t, m, version) })
	noLeaks(t)
}

func silentServers(t *testing.T, m *mosquitto, version string) {
	for scheme, answers := range map[string][]string{
		"tcp": {"", "\x20", "\x20\x02\x00"},
		"ssl": {"", "\x16\x03\x03"},
		"ws":  {"", "HTTP/1.1 101 Switching"},
		"wss": {"", "\x16\x03\x03"},
	} {
		if version == "5" && scheme != "tcp" {
			continue // what is below MQTT has no version
		}
		for _, answer := range answers {
			t.Run(scheme, func(t *testing.T) {
				t.Parallel()
				addr, asked := startSilent(t, answer)
				silent := scheme + "://" + addr
				began := time.Now()
				k := openTask(t, nil, fast(silent+","+m.uri(), optVersion, version, "mqtt.connect.timeout.seconds", "1"))
				k.connected(1)
				<-asked
				if took := time.Since(began); took < time.Second || took > time.Minute {
					t.Errorf("the second server was used after %v, want about a second", took)
				}
				k.close()
				k = openTask(t, nil, fast(silent, optVersion, version, "mqtt.connect.timeout.seconds", "3600"))
				<-asked
				began = time.Now()
				k.close()
				if took := time.Since(began); took > time.Minute {
					t.Errorf("Close took %v", took)
				}
			})
		}
	}
}

// A broker that stops in the middle of a packet is noticed by its missing answer to
// a ping.
func TestHalfAPacket(t *testing.T) {
	t.Parallel()
	b := startFakeBroker(t, func(n int, c *fakeConn) {
		c.welcome(n > 1)
		if n == 1 {
			c.publish(1, "whole")
			c.Write([]byte{0x32, 100, 0, 3, 't', '/'})
			c.SetReadDeadline(time.Now().Add(patience))
			io.Copy(io.Discard, c)
			return
		}
		c.publish(2, "after")
		c.drain()
	})
	k := openTask(t, nil, fast(b.uri(), "mqtt.keepalive.interval.seconds", "1"), func(s *Source) { s.pingTimeout = 300 * time.Millisecond })
	if got := values(k.read(2, true)); strings.Join(got, " ") != "whole after" {
		t.Errorf("got %v", got)
	}
}

// Credentials that are taken away end the task with an error that says so, after one
// attempt and not after a thousand; when they are back a new start works.
func TestCredentialsTakenAway(t *testing.T) { inBothVersions(t, testCredentialsTakenAway) }

func testCredentialsTakenAway(t *testing.T, version string) {
	users := filepath.Join(t.TempDir(), "users")
	setPassword(t, users, "right")
	m := startMosquitto(t, "allow_anonymous false", "password_file "+users)
	o := new(offsets)
	settings := fast(m.uri(), optVersion, version, optUsername, "u", optPassword, "right")
	k := openTask(t, o, settings)
	k.connected(1)
	setPassword(t, users, "another")
	m.stop()
	m.start()
	err := k.fails()
	var refused *connect.ConfigError
	if !errors.As(err, &refused) || refused.Option != optUsername || strings.Contains(err.Error(), "right") {
		t.Errorf("got %v, want an error of %s without the password", err, optUsername)
	}
	if n := k.log.count("mqtt connected"); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
	k.close()
	settings[optPassword] = "another"
	openTask(t, o, settings).connected(1)
}

// setPassword writes a password file of Mosquitto's in the form that it replaces at start.
func setPassword(t *testing.T, path, password string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("u:"+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mosquitto_passwd", "-U", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Each server is tried in turn, and each time from the first on: it is used again
// when it is back.
func TestServersInTurn(t *testing.T) { inBothVersions(t, testServersInTurn) }

func testServersInTurn(t *testing.T, version string) {
	first, second := startMosquitto(t), startMosquitto(t)
	k := openTask(t, nil, fast(first.uri()+","+second.uri(), optVersion, version))
	last := func() string {
		lines := strings.Split(strings.TrimSpace(k.log.String()), "\n")
		return lines[len(lines)-1]
	}
	k.connected(1)
	for i, step := range []struct {
		down, up *mosquitto
		uses     *mosquitto
	}{{first, nil, second}, {second, first, first}} {
		if step.up != nil {
			step.up.start()
		}
		step.down.stop()
		k.connected(i + 2)
		if !strings.Contains(last(), "server="+step.uses.uri()+" ") {
			t.Errorf("step %d: got %s, want %s", i, last(), step.uses.uri())
		}
	}
}

// A broker that refuses one filter of several says why, with the filter and what to do.
func TestFilterRefused(t *testing.T) {
	t.Parallel()
	b := startFakeBroker(t, func(_ int, conn *fakeConn) {
		buf := make([]byte, 1024)
		conn.Read(buf) // CONNECT
		conn.Write([]byte{0x20, 3, 0, 0, 0})
		conn.Read(buf) // SUBSCRIBE, whose packet id follows the header
		conn.Write([]byte{0x90, 5, buf[2], buf[3], 0, 1, 0x87})
		conn.Read(buf)
	})
	err := openTask(t, nil, fast(b.uri(), optVersion, "5", optTopics, "free,secret/#")).fails()
	if want := "mqtt.topics: the broker refuses to subscribe secret/# (reason code 0x87, not authorized): "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
