package connectproto_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert/connectproto"
)

// hot are a record of twenty fields, and how it is written and read.
func hot(t testing.TB) (e *connectproto.Encoder, d *connectproto.Decoder, v connect.Value, data []byte) {
	e, err := connectproto.FromConnect(order(t), connectproto.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d, err = connectproto.ToConnect(e.Schema, e.Message, 1, connectproto.Options{}); err != nil {
		t.Fatal(err)
	}
	v = orderValue()
	if data, err = e.Append(nil, v); err != nil {
		t.Fatal(err)
	}
	return e, d, v, data
}

// Nothing is allocated for a record once the batch has grown.
func TestNoAllocations(t *testing.T) {
	e, d, v, data := hot(t)
	b := connect.NewBatch(1, 1<<20)
	buf := make([]byte, 0, 4096)
	for name, f := range map[string]func() error{
		"write": func() error { _, err := e.Append(buf, v); return err },
		"read":  func() error { b.Reset(); _, err := d.Decode(b, data); return err },
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	e, _, v, data := hot(b)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := e.Append(buf, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	_, d, _, data := hot(b)
	batch := connect.NewBatch(1, 1<<20)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		batch.Reset()
		if _, err := d.Decode(batch, data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDynamic is what reading with dynamicpb costs, without any conversion.
func BenchmarkDynamic(b *testing.B) {
	e, _, _, data := hot(b)
	md := descriptor(b, e.Schema, "Order")
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := proto.Unmarshal(data, dynamicpb.NewMessage(md)); err != nil {
			b.Fatal(err)
		}
	}
}
