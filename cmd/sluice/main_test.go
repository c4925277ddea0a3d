package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandLine wants each command line to answer with one exit code and text.
func TestCommandLine(t *testing.T) {
	tests := []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{nil, exitOK, "sluice server", ""},
		{[]string{"help"}, exitOK, "sluice demo", ""},
		{[]string{"version"}, exitOK, "sluice ", ""},
		{[]string{"server", "-h"}, exitOK, "", "-data-dir"},
		{[]string{"demo", "-h"}, exitOK, "", "-keep"},
		{[]string{"log"}, exitOK, "sluice log check DIR", ""},
		{[]string{"log", "fix"}, exitUsage, "", `unknown command "log fix"`},
		{[]string{"serve"}, exitUsage, "", `unknown command "serve"`},
		{[]string{"server", "--nope"}, exitUsage, "", "-nope"},
		{[]string{"server", "--log-format", "xml"}, exitUsage, "", "--log-format xml: use text or json"},
		{[]string{"server", "--log-level", "loud"}, exitUsage, "", "log-level"},
		{[]string{"server", "--rest", "x"}, exitError, "", "--rest x: want host:port"},
		{[]string{"server", "/none.json"}, exitError, "", "connector file: open /none.json"},
		{[]string{"demo", "x"}, exitUsage, "", `there is no demo "x", only mqtt and cdc`},
		{[]string{"demo", "cdc", "mqtt"}, exitUsage, "", "demo takes one argument"},
		{[]string{"demo", "cdc", "--format", "csv"}, exitUsage, "", "--format is parquet or json"},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		p := &program{stdout: &stdout, stderr: &stderr, exit: func(int) { t.Error("exit called") }}
		code := p.run(tt.args)
		if code != tt.code || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
			t.Errorf("%q: code %d, stdout %q, stderr %q; want %d, %q, %q", tt.args, code, &stdout, &stderr, tt.code, tt.stdout, tt.stderr)
		}
	}
}

func TestListen(t *testing.T) {
	ln, err := listen("rest", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = listen("rest", ln.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "--rest "+ln.Addr().String()+": the port is in use") {
		t.Errorf("port in use: %v", err)
	}
	_, err = listen("kafka", "192.0.2.1:1")
	if err == nil || !strings.Contains(err.Error(), "this machine does not have the address") {
		t.Errorf("foreign address: %v", err)
	}
	if got := near(ln.Addr().String()); got != "127.0.0.1:0" {
		t.Errorf("near a taken port: %s", got)
	}
}

// TestOpenListenersAllOrNone wants no port to stay open when one is taken.
func TestOpenListenersAllOrNone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rest := free.Addr().String()
	free.Close()
	c := &Config{REST: rest, Registry: "127.0.0.1:0", Kafka: taken.Addr().String()}
	if _, err := openListeners(c); err == nil || !strings.Contains(err.Error(), "--kafka") {
		t.Fatalf("got %v, want an error that names --kafka", err)
	}
	again, err := net.Listen("tcp", rest)
	if err != nil {
		t.Fatalf("the REST port stayed open: %v", err)
	}
	again.Close()
}

func TestAddressesFile(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []Addresses{{REST: "a:1", Kafka: "b:2", Registry: "c:3", Admin: "d:5", PID: 4}, {REST: "a:9", Registry: "c:3", PID: 5}} {
		if err := want.write(dir); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, addressesFile))
		if err != nil {
			t.Fatal(err)
		}
		var got Addresses
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files left, want 1", len(left))
	}
}

func TestDataDirErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := makeDataDir(filepath.Join(file, "dir"))
	if err == nil || !strings.Contains(err.Error(), "--data-dir "+file) || !strings.Contains(err.Error(), "cannot be written (not a directory)") {
		t.Errorf("got %v", err)
	}
}
