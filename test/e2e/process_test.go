package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is a child that is ended with the test at the latest.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when it has ended
}

// output keeps what a process writes.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// spawn starts a program.
func spawn(env []string, name string, args ...string) (*process, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%w; `make test` installs what the tests need", err)
	}
	p := &process{name: name, cmd: exec.Command(path, args...), out: &output{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait() // what became of it is in cmd.ProcessState
	}()
	return p, nil
}

func (p *process) signal(s os.Signal) { p.cmd.Process.Signal(s) }

// kill ends the process as kill -9 does and waits for its end.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// exit waits for the process's end and returns its exit code.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%s runs after %v\n%s", p.name, patience, p.out)
	}
	return p.cmd.ProcessState.ExitCode()
}

// residentMB returns the resident memory of the process.
func (p *process) residentMB(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			return kb >> 10
		}
	}
	t.Fatal("no VmRSS in /proc/PID/status")
	return 0
}

// patience is how long a test waits for what must happen. It costs nothing when all is
// well, and machines that others use, too, may do nothing for many seconds.
const patience = 2 * time.Minute

// eventually polls until check returns nil. It fails with the last error.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	if err := poll(check); err != nil {
		t.Fatalf("after %v: %v", patience, err)
	}
}

// poll tries a check until it returns nil, with pauses of a few milliseconds or as long
// as the check takes.
func poll(check func() error) error {
	for deadline := time.Now().Add(patience); ; {
		began := time.Now()
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-time.After(max(20*time.Millisecond, time.Since(began)))
	}
}
