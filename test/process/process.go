// Package process runs programs as children that tests kill and start again: the
// server itself, and what it talks to.
package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// A Process is a child. It does not outlive the test, however that ends.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Start starts a program with further variables in its environment. What it writes
// goes to out, where one writer is called by one goroutine at a time.
func Start(out io.Writer, env []string, name string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = out, out, append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // what became of it is in ProcessState
	}()
	return p, nil
}

// Signal sends a signal. One that has ended does not hear it.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// End sends a signal and waits for the end.
func (p *Process) End(s os.Signal) {
	p.Signal(s)
	<-p.done
}

// Kill ends the process as kill -9 does and waits for its end.
func (p *Process) Kill() { p.End(syscall.SIGKILL) }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// ExitCode is that of a process that has ended; -1 after a signal.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Addresses are where a server listens.
type Addresses struct {
	PID      int
	REST     string
	Kafka    string
	Registry string
}

// ErrEnded says that a process has ended by itself.
var ErrEnded = errors.New("the process has ended")

// Addresses reads where a server listens that was started on a data directory: an
// error until it does, ErrEnded if it never will.
func (p *Process) Addresses(dataDir string) (Addresses, error) {
	var a Addresses
	text, err := os.ReadFile(filepath.Join(dataDir, "addresses.json"))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err == nil && a.PID != p.PID() {
		err = fmt.Errorf("the addresses are those of process %d", a.PID)
	}
	if err != nil && !p.Running() {
		err = ErrEnded
	}
	return a, err
}

// Tail keeps the last of what processes write, for the log of a test that fails.
type Tail struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

const maxTail = 256 << 10

// Write implements io.Writer.
func (w *Tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	w.buf = w.buf[max(0, len(w.buf)-maxTail):]
	return len(p), nil
}

// String returns what is kept.
func (w *Tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.ToValidUTF8(w.buf, nil))
}
