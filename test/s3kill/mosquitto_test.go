package s3kill

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/process"
)

// broker is Mosquitto, which keeps its sessions.
type broker struct {
	*process.Process
	log   process.Tail
	conf  string
	addr  string
	trace string // file with every packet
}

// brokerConfig has the largest window that is not taken for none. Mosquitto before 2.0.13 sends more than its window, and what is beyond it when it ends
// is begun anew when it starts: it publishes again, with the DUP flag, messages of QoS 2 whose PUBREC it has answered. Without a window it does so with all.
const brokerConfig = `allow_anonymous true
user root
persistence true
persistence_location %[1]s/
max_queued_messages 0
max_inflight_messages 65534
log_dest file %[1]s/trace
log_type all
listener %[2]s 127.0.0.1
`

func newBroker(t *testing.T) *broker {
	t.Helper()
	dir, addr := t.TempDir(), freeAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	b := &broker{conf: filepath.Join(dir, "mosquitto.conf"), addr: addr, trace: filepath.Join(dir, "trace")}
	if err := os.WriteFile(b.conf, fmt.Appendf(nil, brokerConfig, dir, port), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.End(syscall.SIGKILL) })
	b.start(t)
	return b
}

// start returns when Mosquitto is in its main loop, where it hangs up on who begins with PINGREQ: before, it listens already and SIGTERM is lost on it.
func (b *broker) start(t *testing.T) {
	t.Helper()
	path := "mosquitto"
	if _, err := exec.LookPath(path); err != nil {
		path = "/usr/sbin/mosquitto" // not in every user's PATH
	}
	p, err := process.Start(&b.log, nil, path, "-c", b.conf)
	if err != nil {
		t.Fatal(err)
	}
	b.Process = p
	eventually(t, time.Minute, func() error {
		conn, err := net.Dial("tcp", b.addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = conn.Write([]byte{0xc0, 0})
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("Mosquitto does not hang up: %v", err)
		}
		return nil
	})
}

// lines returns the lines of the trace that match.
func (b *broker) lines(match *regexp.Regexp) (lines []string) {
	file, err := os.Open(b.trace)
	if err != nil {
		return nil
	}
	defer file.Close()
	for s := bufio.NewScanner(file); s.Scan(); {
		if match.MatchString(s.Text()) {
			lines = append(lines, s.Text())
		}
	}
	return lines
}
