package e2e

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Times of the demo, in seconds since its start as it prints them: about ten times of
// what it takes where nothing else runs.
const (
	maxFirstRecord = 20.0
	maxFirstObject = 60.0
)

var demoLine = regexp.MustCompile(`(?m)^ *([0-9.]+) s  (record|object) (\S+)`)

// TestDemo runs the demo until its second object, with the usual ports taken, and
// wants nothing to be left of it.
func TestDemo(t *testing.T) {
	for _, port := range []string{"1883", "8083", "9000", "9092"} {
		ln, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
	}
	tmp := t.TempDir()
	p := startDemo(t, []string{"TMPDIR=" + tmp}, "demo")
	lines := demoLine.FindAllStringSubmatch(p.out.String(), -1)
	wantDemo(t, lines)
	for _, want := range []string{"tcp://127.0.0.1:", "http://127.0.0.1:", "rotate.max.age.ms = 3000", "[hidden]"} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("the demo does not print %q", want)
		}
	}
	if strings.Contains(p.out.String(), "\x1b") {
		t.Error("control sequences without a terminal")
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// startDemo runs the demo until its second object and ends it with Ctrl-C.
func startDemo(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p, err := spawn(env, os.Getenv(envBinary), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.running() {
			p.kill()
		}
		if t.Failed() {
			t.Log(p.out)
		}
	})
	eventually(t, func() error {
		if n := strings.Count(p.out.String(), " s  object "); n < 2 {
			return fmt.Errorf("%d objects", n)
		}
		return nil
	})
	t.Logf("%d MB resident", p.residentMB(t))
	p.signal(syscall.SIGINT)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	return p
}

// wantDemo wants three records, then objects, in time.
func wantDemo(t *testing.T, lines [][]string) {
	t.Helper()
	if len(lines) < 5 {
		t.Fatalf("%d records and objects, want 3 and 2", len(lines))
	}
	for i, want := range []string{"iot-sensors[0]@0", "iot-sensors[0]@1", "iot-sensors[0]@2", "topics/iot-sensors/partition=0/iot-sensors+0+0000000000.json"} {
		if lines[i][3] != want {
			t.Errorf("line %d shows %s, want %s", i, lines[i][3], want)
		}
	}
	record, _ := strconv.ParseFloat(lines[0][1], 64)
	object, _ := strconv.ParseFloat(lines[3][1], 64)
	t.Logf("first record after %.2f s, first object after %.2f s", record, object)
	if record > maxFirstRecord || object > maxFirstObject {
		t.Errorf("first record after %.2f s, first object after %.2f s; want at most %.0f and %.0f", record, object, maxFirstRecord, maxFirstObject)
	}
}

// TestDemoKeep wants a kept demo to go on with `sluice server`.
func TestDemoKeep(t *testing.T) {
	dir := t.TempDir() + "/kept"
	startDemo(t, nil, "demo", "--keep", dir)
	s := &sluice{dataDir: dir + "/data", log: &strings.Builder{}, args: []string{dir + "/mqtt-source.json", dir + "/s3-sink.json"}}
	s.start(t)
	t.Cleanup(s.kill)
	if n := len(s.records(t, "iot-sensors")); n < 30 {
		t.Errorf("%d records kept, want at least 30", n)
	}
	eventually(t, func() error {
		if _, body := s.request(t, "GET", "/connectors", ""); !strings.Contains(body, "mqtt-source-connector") || !strings.Contains(body, "s3-sink-connector") {
			return fmt.Errorf("connectors %s", body)
		}
		return nil
	})
}
