package avrolibs

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
)

// fastavroLine is a record and what fastavro made of it.
type fastavroLine struct {
	Data  string `json:"data"`
	Again string `json:"again"`
	Value any    `json:"value"`
}

// The answers of fastavro to 500 records, recorded by test/conformance/avroconverter/fastavro.sh, which sets SLUICE_FASTAVRO_RECORDS to
// get the records.
func TestFastavro(t *testing.T) {
	if path := os.Getenv("SLUICE_FASTAVRO_RECORDS"); path != "" {
		writeRecords(t, path)
		return
	}
	file, err := os.Open("testdata/fastavro.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(bufio.NewReader(unzipped))
	eachRecord(t, func(e *connectavro.Encoder, s *connect.Schema, v connect.Value, data []byte) {
		var a fastavroLine
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if a.Data != hex.EncodeToString(data) {
			t.Fatalf("%v is written as %x; the recorded bytes are %s: record anew if that is right", v, data, a.Data)
		}
		if want := plain(s, v); !reflect.DeepEqual(a.Value, want) {
			t.Errorf("fastavro reads %v, want %v: %s", a.Value, want, e.Schema.Canonical())
		}
		again, err := hex.DecodeString(a.Again)
		if err != nil {
			t.Fatal(err)
		}
		d, err := connectavro.ToConnect(e.Schema, 0, connectavro.Options{Enhanced: true, FailOnTrailing: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Decode(connect.NewBatch(1, 1<<20), again); err != nil || !got.Equal(v) {
			t.Errorf("what fastavro writes is read as %v, %v; want %v: %s", got, err, v, e.Schema.Canonical())
		}
	})
}

func eachRecord(t *testing.T, f func(*connectavro.Encoder, *connect.Schema, connect.Value, []byte)) {
	g := &generator{t: t, state: 10}
	for range 500 {
		s := g.record(2, false)
		v := g.value(s)
		e, err := connectavro.FromConnect(s, connectavro.Options{Enhanced: true})
		if err != nil {
			t.Fatal(err)
		}
		data, err := e.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		f(e, s, v, data)
	}
}

func writeRecords(t *testing.T, path string) {
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	eachRecord(t, func(e *connectavro.Encoder, _ *connect.Schema, _ connect.Value, data []byte) {
		fmt.Fprintf(file, "{\"schema\":%s,\"data\":\"%x\"}\n", e.Schema.Canonical(), data)
	})
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// plain is a value in the form of the answers, in which no number loses a bit.
func plain(s *connect.Schema, v connect.Value) any {
	switch v.Type() {
	case connect.Null:
		return nil
	case connect.Boolean:
		return v.Boolean()
	case connect.Float32, connect.Float64:
		return fmt.Sprintf("f:%016x", math.Float64bits(v.Float()))
	case connect.String:
		return "s:" + v.Text()
	case connect.Bytes:
		return fmt.Sprintf("b:%x", v.Bytes())
	case connect.Array:
		list := []any{}
		for _, c := range v.Cells() {
			list = append(list, plain(s.Value(), c))
		}
		return list
	case connect.Map:
		return plainMap(s, v.Cells())
	case connect.Struct:
		return plainStruct(s, v.Cells())
	}
	return fmt.Sprintf("i:%d", v.Int())
}

func plainMap(s *connect.Schema, cells []connect.Value) any {
	texts, entries := map[string]any{}, []any{}
	for i := 0; i < len(cells); i += 2 {
		value := plain(s.Value(), cells[i+1])
		if s.Key() == connect.StringSchema {
			texts[cells[i].Text()] = value
		} else {
			entries = append(entries, map[string]any{"key": plain(s.Key(), cells[i]), "value": value})
		}
	}
	if s.Key() == connect.StringSchema {
		return texts
	}
	return entries
}

func plainStruct(s *connect.Schema, cells []connect.Value) any {
	record := map[string]any{}
	for i, f := range s.Fields() {
		value := plain(f.Schema, cells[i])
		if isUnion(s) && value != nil {
			return value
		}
		record[f.Name] = value
	}
	if isUnion(s) {
		return nil
	}
	return record
}
