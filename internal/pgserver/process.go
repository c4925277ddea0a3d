package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// nobody is the user that PostgreSQL runs as when we are root, which it refuses.
const nobody = 65534

// A process is a postmaster, or a program that makes or copies data.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of Wait, once done is closed
}

// spawn starts a program with its output in a file. The goroutine keeps its thread
// until the process has ended, since the signal at our death is about the thread.
func spawn(log *os.File, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // ending with it locked would end the thread, and with it children that others have started on it
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// attributes of a PostgreSQL process: it is not root, and dies with us where the
// system can do that.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us: we end it in order
	endWithParent(a)
	if os.Geteuid() == 0 {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return a
}

// ended reports whether the process is no more.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends s to the process and waits for its end.
func (p *process) signal(s syscall.Signal) {
	p.cmd.Process.Signal(s) // an error says that it has ended
	<-p.done
}

// kill ends a postmaster and its children as a loss of power would and waits until
// none is left: a new postmaster does not start beside them.
func (p *process) kill(limit waiter) error {
	children := descendants(p.cmd.Process.Pid)
	p.signal(syscall.SIGKILL)
	for _, pid := range children {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	return limit.until(func() error {
		for _, pid := range children {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) && !zombie(pid) {
				return fmt.Errorf("process %d of PostgreSQL is still there", pid)
			}
		}
		return nil
	})
}
