package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluice-data/sluice/log"
)

// errFound ends a command that has done its work, and found damage.
var errFound = errors.New("damage was found")

// logCommand looks at the files of a log.
func (p *program) logCommand(args []string) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "check":
		return p.logCheck(args)
	case "dump":
		return p.logDump(args)
	case "", "help", "-h", "-help", "--help":
		fmt.Fprint(p.stdout, logHelp)
		return nil
	}
	return usageError{fmt.Errorf("unknown command \"log %s\"; `sluice log help` lists the commands", name)}
}

const logHelp = `Looks at the files of the embedded log.

  sluice log check DIR
        read everything in a data directory and compare it
  sluice log dump [flags] FILE
        print a .log, .index, .timeindex, .txnindex or .snapshot file
`

// parseAround parses flags that may stand before and after the other arguments, which it returns.
func parseAround(fs *flag.FlagSet, args []string) ([]string, error) {
	var others []string
	for {
		if err := parse(fs, args); err != nil {
			return nil, err
		}
		if args = fs.Args(); len(args) == 0 {
			return others, nil
		}
		others, args = append(others, args[0]), args[1:]
	}
}

// logCheck prints what log.Check finds.
func (p *program) logCheck(args []string) error {
	fs := p.flags("log check", "Usage: sluice log check DIR\n\nDIR is the data directory of a server that does not run, or the folder log in it.\nThe exit code is 1 when something is damaged.")
	dirs, err := parseAround(fs, args)
	if err != nil {
		return err
	}
	if len(dirs) != 1 {
		return usageError{fmt.Errorf("log check takes one directory, got %d", len(dirs))}
	}
	dir, err := findLog(dirs[0])
	if err != nil {
		return err
	}
	r, err := log.Check(dir, nil)
	if errors.Is(err, log.ErrLocked) {
		return fmt.Errorf("%s is in use by a running sluice, which checks what it reads itself; stop it first, or check a copy of the directory", dir)
	}
	if err != nil {
		return err
	}
	for _, f := range r.Problems {
		fmt.Fprintln(p.stdout, f)
	}
	for _, f := range r.Notes {
		fmt.Fprintf(p.stdout, "note: %s\n", f)
	}
	fmt.Fprintf(p.stdout, "%d topics, %d partitions, %d segments, %d batches, %d records, %d bytes: %d problems, %d notes\n",
		r.Topics, r.Partitions, r.Segments, r.Batches, r.Records, r.Bytes, len(r.Problems), len(r.Notes))
	if !r.OK() {
		return errFound
	}
	return nil
}

// findLog returns the folder of the log: a data directory has it in the folder log.
func findLog(dir string) (string, error) {
	const mark = "meta.properties"
	for _, d := range []string{dir, filepath.Join(dir, logDir)} {
		if _, err := os.Stat(filepath.Join(d, mark)); err == nil {
			return d, nil
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("find log: %w", err)
	}
	return "", fmt.Errorf("%s is no data directory: neither it nor the folder %s in it has a file %s", dir, logDir, mark)
}

// logDump prints a file of the log.
func (p *program) logDump(args []string) error {
	fs := p.flags("log dump", "Usage: sluice log dump [flags] FILE\n\nFILE is a .log, .index, .timeindex, .txnindex or .snapshot file. The exit code is 1 when something\nin it is damaged; the dump says where, and goes on after it.")
	o := log.DumpOptions{}
	fs.BoolVar(&o.Records, "records", false, "print the records of batches too")
	format := fs.String("format", "text", "text, or json for an object in each line")
	decode := fs.String("decode", "", "what the records are: offsets for __consumer_offsets, transactions for\n__transaction_state; implies -records")
	files, err := parseAround(fs, args)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return usageError{fmt.Errorf("log dump takes one file, got %d", len(files))}
	}
	switch *format {
	case "text":
	case "json":
		o.JSON = true
	default:
		return usageError{fmt.Errorf("--format %s: use text or json", *format)}
	}
	switch *decode {
	case "":
	case "offsets":
		o.Records, o.Decode = true, decodeOffsets
	case "transactions":
		o.Records, o.Decode = true, decodeTransactions
	default:
		return usageError{fmt.Errorf("--decode %s: use offsets or transactions", *decode)}
	}
	out := bufio.NewWriter(p.stdout)
	damaged, err := log.Dump(out, files[0], o)
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if damaged > 0 {
		fmt.Fprintf(p.stderr, "sluice: %s: damaged in %d places\n", files[0], damaged)
		return errFound
	}
	return nil
}
