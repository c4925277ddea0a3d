package convert

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// addInputs adds the inputs of a kind as seeds.
func addInputs(f *testing.F, kind string) {
	file, err := os.ReadFile("testdata/inputs.txt")
	if err != nil {
		f.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(file)); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), kind+"\t"); ok {
			f.Add([]byte(text))
		}
	}
}

// FuzzEnvelope reads an envelope; what comes of it is written, read and written
// the same.
func FuzzEnvelope(f *testing.F) {
	addInputs(f, "env")
	f.Fuzz(func(t *testing.T, data []byte) { roundTrip(t, newConverter(t, JSONClass, nil), data) })
}

// FuzzHeader does the same with the text of a header.
// FuzzHeader leaves out bytes, which Kafka's header text has no sign for: their
// base64 may read as a number ("6e03").
func FuzzHeader(f *testing.F) {
	addInputs(f, "header")
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, v, _ := (simpleHeader{}).ToConnect(connect.NewBatch(1, 1<<20), "t", bytes.Clone(data)); v.Type() != connect.Bytes {
			roundTrip(t, simpleHeader{}, data)
		}
	})
}

// FuzzAuto adds that no data is an error and none changes but for white space.
func FuzzAuto(f *testing.F) {
	addInputs(f, "plain")
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if data == nil {
			data = []byte{}
		}
		roundTrip(t, NewAuto(false), data)
		s, v, err := NewAuto(false).ToConnect(connect.NewBatch(1, 1), "t", data)
		if err != nil {
			t.Fatal(err)
		}
		if out, _, _ := NewAuto(false).FromConnect(nil, "t", s, v); s.Name() == "" && !bytes.Equal(out, data) {
			t.Fatalf("%q became %q", data, out)
		}
	})
}

func roundTrip(t *testing.T, c Converter, data []byte) {
	b := connect.NewBatch(1, 1<<20)
	s, v, err := c.ToConnect(b, "t", bytes.Clone(data))
	if err != nil {
		return
	}
	written, null, err := c.FromConnect(nil, "t", s, v)
	if err != nil {
		t.Fatalf("%q was read as %v and cannot be written: %v", data, v, err)
	}
	if null {
		return
	}
	s2, v2, err := c.ToConnect(b, "t", written)
	if err != nil {
		t.Fatalf("%q was written as %q and cannot be read: %v", data, written, err)
	}
	again, _, err := c.FromConnect(nil, "t", s2, v2)
	if err != nil || !bytes.Equal(again, written) {
		t.Fatalf("%q was written as %q and then as %q, %v", data, written, again, err)
	}
}
