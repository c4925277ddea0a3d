package connectproto_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert/connectproto"
)

// FuzzDecode reads any bytes. What dynamicpb reads is read, and is the same message when it is written; what it refuses is refused.
func FuzzDecode(f *testing.F) {
	s := parse(f, everything)
	md := descriptor(f, s, "All")
	d, err := connectproto.ToConnect(s, "all.All", 0, connectproto.Options{OptionalForNullables: true})
	if err != nil {
		f.Fatal(err)
	}
	e, err := connectproto.FromConnectTo(d.Schema, s, connectproto.Options{OptionalForNullables: true})
	if err != nil {
		f.Fatal(err)
	}
	for seed := range uint64(20) {
		fill := &filler{r: rand.New(rand.NewPCG(seed, 1)), depth: 2}
		m := dynamicpb.NewMessage(md)
		fill.message(m)
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	b := connect.NewBatch(1, 1<<20)
	f.Fuzz(func(t *testing.T, data []byte) {
		want := dynamicpb.NewMessage(md)
		oracleErr := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, want)
		b.Reset()
		v, err := d.Decode(b, data)
		if (err == nil) != (oracleErr == nil) {
			at := md.Fields().ByName("at")
			if oracleErr == nil && want.Has(at) {
				return // a timestamp may be out of range
			}
			t.Fatalf("%v, and dynamicpb %v: %x", err, oracleErr, data)
		}
		if err != nil {
			return
		}
		out, err := e.Append(nil, v)
		if err != nil {
			return // a symbol that nobody knows
		}
		got := dynamicpb.NewMessage(md)
		if err := proto.Unmarshal(out, got); err != nil {
			t.Fatalf("%v: %x", err, data)
		}
		if at := md.Fields().ByName("at"); want.Has(at) {
			got.Clear(at) // Connect has milliseconds
			want.Clear(at)
		}
		if !proto.Equal(got, want) {
			t.Fatalf("got\n%v\nwant\n%v\nof %x", got, want, data)
		}
	})
}
