package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	p := &program{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), exit: os.Exit}
	os.Exit(p.run(os.Args[1:]))
}

// program is what the commands know of the process that they run in.
type program struct {
	stdout, stderr io.Writer
	environ        []string
	exit           func(code int) // ends the process at once
}

// run runs a command and returns the exit code.
func (p *program) run(args []string) int {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	var err error
	switch name {
	case "server":
		err = p.server(args)
	case "demo":
		err = p.demo(args)
	case "log":
		err = p.logCommand(args)
	case "schema":
		err = p.schema(args)
	case "version", "--version", "-version":
		fmt.Fprintf(p.stdout, "sluice %s (%s)\n", version(), runtime.Version())
	case "help", "--help", "-help", "-h":
		fmt.Fprint(p.stdout, help)
	default:
		err = usageError{fmt.Errorf("unknown command %q; `sluice help` lists the commands", name)}
	}
	return p.exitCode(err)
}

// A usageError is a command line that cannot be understood.
type usageError struct{ error }

// errReported ends a command whose trouble was already told.
var errReported = errors.New("reported")

func (p *program) exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errReported):
		return exitUsage
	case errors.Is(err, errFound) || errors.Is(err, errIncompatible): // it has been printed
		return exitError
	}
	fmt.Fprintf(p.stderr, "sluice: %v\n", err)
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitError
}

const help = `Sluice moves data between systems through a durable log that speaks the Kafka
protocol. It runs Kafka Connect connector configs.

  sluice server [flags] [connector file ...]
        run the log, the worker and its REST API
  sluice demo [mqtt|cdc] [flags]
        simulated MQTT devices, or a shop on PostgreSQL -> log -> S3 files
  sluice log check DIR
        read the files of the log of a stopped server and compare everything
  sluice log dump [flags] FILE
        print a segment, index or producer snapshot file
  sluice schema COMMAND
        register, get, list, compare, export and import schemas of a registry
  sluice version
        print the version

sluice COMMAND -h shows the flags of a command.
`

// flags returns an empty flag set that prints usage before its flags.
func (p *program) flags(name, usage string) *flag.FlagSet {
	fs := flag.NewFlagSet("sluice "+name, flag.ContinueOnError)
	fs.SetOutput(p.stderr)
	fs.Usage = func() {
		fmt.Fprintf(p.stderr, "%s\n\nFlags:\n", usage)
		fs.PrintDefaults()
	}
	return fs
}

// parse parses a command's flags. The flag set tells what is wrong with them.
func parse(fs *flag.FlagSet, args []string) error {
	err := fs.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errReported
	}
	return err
}

// signals returns a context that ends with the first SIGINT or SIGTERM. The
// second one ends the process at once. stop gives the signals back.
func (p *program) signals() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan os.Signal, 2)
	quit, done := make(chan struct{}), make(chan struct{})
	signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer close(done)
		for n := 1; ; n++ {
			select {
			case s := <-got:
				p.signalled(s, n, cancel)
			case <-quit:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(quit)
		<-done
		cancel()
	}
}

func (p *program) signalled(s os.Signal, n int, cancel context.CancelFunc) {
	if n == 1 {
		cancel()
		return
	}
	fmt.Fprintln(p.stderr, "sluice: second signal: not waiting for an orderly end")
	code := 128
	if s, ok := s.(syscall.Signal); ok {
		code += int(s)
	}
	p.exit(code)
}

// version returns the module's version as the go command stamped it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
