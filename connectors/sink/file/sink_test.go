package file

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

func TestConformance(t *testing.T) {
	connecttest.Spec(t, Spec, map[string]string{"file": "/tmp/out.txt"})
	connecttest.Sink(t, func(t testing.TB) connecttest.SinkFixture {
		path := filepath.Join(t.TempDir(), "out")
		return connecttest.SinkFixture{
			Spec:     Spec,
			Settings: map[string]string{"file": path},
			Fill: func(b *connect.Batch, r *connect.Record, n int) {
				r.ValueSchema, r.Value = connect.StringSchema, connect.StringValue(b.Text(strconv.AppendInt(nil, int64(n), 10)))
			},
			Visible: func() []int {
				numbers := []int{}
				for _, line := range fileLines(t, path) {
					n, err := strconv.Atoi(line)
					if err != nil {
						t.Fatal(err)
					}
					numbers = append(numbers, n)
				}
				return numbers
			},
		}
	})
}

func fileLines(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// batch returns values of a partition from an offset on.
func batch(partition int32, offset int64, values ...connect.Value) *connect.Batch {
	b := connect.NewBatch(100, 1<<20)
	b.From = connect.TopicPartition{Topic: "t", Partition: partition}
	for i, v := range values {
		r := b.Append()
		r.Offset, r.Value = offset+int64(i), v
	}
	return b
}

func text(s string) connect.Value { return connect.StringValue(s) }

// TestText has what Kafka prints of Java's objects.
func TestText(t *testing.T) {
	point := connect.MustStruct("point", connect.Field{Name: "x", Schema: connect.Int32Schema},
		connect.Field{Name: "y", Schema: connect.OptionalFloat64Schema})
	decimal, err := connect.NewPrimitive(connect.Bytes, connect.Attrs{Name: connect.DecimalName, Parameters: map[string]string{"scale": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		schema *connect.Schema
		value  connect.Value
		want   string
	}{
		{connect.StringSchema, text("a line"), "a line\n"},
		{nil, connect.Value{}, "null\n"},
		{nil, connect.Int64Value(42), "42\n"},
		{nil, connect.Float64Value(1), "1.0\n"},
		{nil, connect.ArrayValue([]connect.Value{text("a"), connect.Int64Value(1)}), "[a, 1]\n"},
		{nil, connect.MapValue([]connect.Value{text("k"), connect.BooleanValue(true)}), "{k=true}\n"},
		{point, connect.StructValue([]connect.Value{connect.Int32Value(1), connect.Float64Value(2.5)}), "Struct{x=1,y=2.5}\n"},
		{point, connect.StructValue([]connect.Value{connect.Int32Value(1), {}}), "Struct{x=1}\n"},
		{decimal, connect.BytesValue([]byte{0x04, 0xd2}), "12.34\n"},
		{connect.BytesSchema, connect.BytesValue([]byte{0xff, 0}), "\xff\x00\n"},
	} {
		s := &Sink{text: (&Config{}).Sink().(*Sink).text}
		b := batch(0, 0, c.value)
		b.Records()[0].ValueSchema = c.schema
		s.encode(b)
		if got := string(s.rest); got != c.want {
			t.Errorf("%v: got %q, want %q", c.value, got, c.want)
		}
	}
}

// disk is a file that takes some bytes and then has no room.
type disk struct {
	data    []byte
	room    int
	syncErr error
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(d.room, len(p))
	d.data = append(d.data, p[:n]...)
	d.room -= n
	if n < len(p) {
		return n, &os.PathError{Op: "write", Path: "out", Err: syscall.ENOSPC}
	}
	return n, nil
}

func (d *disk) Sync() error  { return d.syncErr }
func (d *disk) Close() error { return nil }

func open(d file) *Sink {
	s := (&Config{}).Sink().(*Sink)
	s.out = d
	return s
}

func TestFullDiskTearsNoLine(t *testing.T) {
	d := &disk{room: 7}
	s := open(d)
	b := batch(0, 0, text("first"), text("second"), text("third"))
	if err := s.Write(context.Background(), b); !connect.IsRetriable(err) {
		t.Fatalf("got error %v, want a retriable one", err)
	}
	if done, err := s.Flush(context.Background()); len(done) > 0 || err != nil {
		t.Fatalf("Flush of half a batch: %v, %v", done, err)
	}
	d.room = 1000
	if err := s.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if want := "first\nsecond\nthird\n"; string(d.data) != want {
		t.Errorf("got %q, want %q", d.data, want)
	}
}

// TestFullDiskAndRebalance comes with another batch after one that was cut short.
func TestFullDiskAndRebalance(t *testing.T) {
	d := &disk{room: 7}
	s := open(d)
	if err := s.Write(context.Background(), batch(0, 0, text("first"), text("second"))); !connect.IsRetriable(err) {
		t.Fatalf("got error %v, want a retriable one", err)
	}
	d.room = 1000
	if err := s.Write(context.Background(), batch(1, 5, text("other"))); err != nil {
		t.Fatal(err)
	}
	if want := "first\nsecond\nother\n"; string(d.data) != want {
		t.Errorf("got %q, want %q", d.data, want)
	}
	done, err := s.Flush(context.Background())
	if err != nil || len(done) != 1 || done[0].Partition != 1 || done[0].Offset != 6 {
		t.Errorf("Flush: got %v, %v, want offset 6 of partition 1 only", done, err)
	}
}

// TestOffsetsWaitForSync is I3: what is not synced is not reported.
func TestOffsetsWaitForSync(t *testing.T) {
	d := &disk{room: 1000, syncErr: io.ErrUnexpectedEOF}
	s := open(d)
	if err := s.Write(context.Background(), batch(0, 0, text("x"))); err != nil {
		t.Fatal(err)
	}
	if done, err := s.Flush(context.Background()); len(done) > 0 || err == nil || connect.IsRetriable(err) {
		t.Errorf("Flush after a failed sync: got %v, %v, want an error that fails the task", done, err)
	}
}

// TestRecordWithoutText leaves a record out that has no text, and names it.
func TestRecordWithoutText(t *testing.T) {
	d := &disk{room: 1000}
	s := open(d)
	b := batch(0, 0, text("a"), connect.StructValue([]connect.Value{{}}), text("c"))
	var failed *connect.BatchError
	if err := s.Write(context.Background(), b); !errors.As(err, &failed) || len(failed.Failed) != 1 || failed.Failed[0].Index != 1 {
		t.Fatalf("got error %v, want a BatchError about record 1", err)
	}
	if want := "a\nc\n"; string(d.data) != want {
		t.Errorf("got %q, want %q", d.data, want)
	}
}
