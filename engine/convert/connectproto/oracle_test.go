package connectproto_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert/connectproto"
	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

const everything = `
syntax = "proto3";
package all;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message All {
  double f_double = 1; float f_float = 2; int32 f_int32 = 3; int64 f_int64 = 4; uint32 f_uint32 = 5; uint64 f_uint64 = 6;
  sint32 f_sint32 = 7; sint64 f_sint64 = 8; fixed32 f_fixed32 = 9; fixed64 f_fixed64 = 10; sfixed32 f_sfixed32 = 11; sfixed64 f_sfixed64 = 12;
  bool f_bool = 13; string f_string = 14; bytes f_bytes = 15; Color f_enum = 16; Inner f_inner = 17;
  optional int32 o_int32 = 21; optional string o_string = 22; optional Color o_enum = 23; optional bytes o_bytes = 24;
  repeated int32 r_int32 = 31; repeated sint64 r_sint64 = 32; repeated fixed32 r_fixed32 = 33; repeated double r_double = 34; repeated bool r_bool = 35;
  repeated string r_string = 36; repeated bytes r_bytes = 37; repeated Color r_enum = 38; repeated Inner r_inner = 39; repeated int32 u_int32 = 40 [packed = false];
  map<string, string> m_string = 41; map<int32, Inner> m_inner = 42; map<bool, Color> m_enum = 43; map<uint64, double> m_double = 44;
  oneof choice { string c_string = 51; int64 c_int64 = 52; Inner c_inner = 53; Color c_enum = 54; bytes c_bytes = 55; }
  oneof other { bool d_bool = 61; Inner d_inner = 62; }
  google.protobuf.Timestamp at = 200; google.protobuf.StringValue wrapped = 300; int32 far = 100000;
}
message Inner { int32 n = 1; string s = 2; Deep deep = 3; repeated int64 list = 4; }
message Deep { repeated Leaf leaves = 1; map<string, Leaf> named = 2; optional bool b = 3; }
message Leaf { sint32 v = 1; }
enum Color { RED = 0; GREEN = 1; BLUE = -5; }
`

func parse(t testing.TB, text string) *protobuf.Schema {
	t.Helper()
	s, err := protobuf.Parse(text, protobuf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func descriptor(t testing.TB, s *protobuf.Schema, message string) protoreflect.MessageDescriptor {
	t.Helper()
	fd, err := s.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	return fd.Messages().ByName(protoreflect.Name(message))
}

// filler makes values up.
type filler struct {
	r     *rand.Rand
	depth int
	// What fields with the label optional are. The schema of a converter that does not keep the label does not tell their default from
	// nothing; one with wrappers for what may be null has no null for them.
	neverDefault, always bool
}

func (f *filler) message(m protoreflect.Message) {
	if m.Descriptor().FullName() == "google.protobuf.Timestamp" {
		fields := m.Descriptor().Fields()
		m.Set(fields.ByNumber(1), protoreflect.ValueOfInt64(f.r.Int64N(1<<40)-1<<39))
		m.Set(fields.ByNumber(2), protoreflect.ValueOfInt32(f.r.Int32N(1000)*1_000_000))
		return
	}
	f.depth++
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		if must := f.always && fd.HasOptionalKeyword(); !must && (f.r.IntN(3) == 0 || f.depth > 4) {
			continue
		}
		switch {
		case fd.IsList():
			for range f.r.IntN(4) {
				list := m.Mutable(fd).List()
				if fd.Message() != nil {
					f.message(list.AppendMutable().Message())
				} else {
					list.Append(f.scalar(fd))
				}
			}
		case fd.IsMap():
			f.entries(m.Mutable(fd).Map(), fd)
		case fd.Message() != nil:
			f.message(m.Mutable(fd).Message())
		default:
			m.Set(fd, f.scalar(fd))
		}
	}
	f.depth--
}

func (f *filler) entries(m protoreflect.Map, fd protoreflect.FieldDescriptor) {
	for range f.r.IntN(40) {
		key := f.scalar(fd.MapKey()).MapKey()
		if fd.MapValue().Message() == nil {
			m.Set(key, f.scalar(fd.MapValue()))
		} else {
			f.message(m.Mutable(key).Message())
		}
	}
}

func (f *filler) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	full := fd.HasOptionalKeyword() && f.neverDefault
	if f.r.IntN(4) == 0 && !full && !fd.IsList() && fd.Kind() != protoreflect.EnumKind {
		return fd.Default()
	}
	n := f.r.Uint64()>>f.r.IntN(64) | 1
	switch fd.Kind() {
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(f.r.NormFloat64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(f.r.NormFloat64()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(n)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprintf("é%x", n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{byte(n), byte(n >> 8), 0xff})
	}
	first := 0
	if full {
		first = 1
	}
	return protoreflect.ValueOfEnum(fd.Enum().Values().Get(first + f.r.IntN(fd.Enum().Values().Len()-first)).Number())
}

// oracle compares what this package reads and writes with dynamicpb: a message that is read and written again is the same message.
type oracle struct {
	md      protoreflect.MessageDescriptor
	decoder *connectproto.Decoder
	encoder *connectproto.Encoder
	to      *connectproto.Encoder // by the original schema
	back    *connectproto.Decoder // of what the encoder writes
	// ownSchemaDiffers says that the original schema cannot read what is written by the schema that its Connect schema becomes.
	ownSchemaDiffers bool
	// keepsNull says that null is read as null again, and not as the default.
	keepsNull bool
}

func newOracle(t testing.TB, text, message string, o connectproto.Options) *oracle {
	t.Helper()
	s := parse(t, text)
	c := &oracle{md: descriptor(t, s, message)}
	var err error
	if c.decoder, err = connectproto.ToConnect(s, string(c.md.FullName()), 1, o); err != nil {
		t.Fatal(err)
	}
	if c.encoder, err = connectproto.FromConnect(c.decoder.Schema, o); err != nil {
		t.Fatal(err)
	}
	if c.back, err = connectproto.ToConnect(c.encoder.Schema, c.encoder.Message, 1, o); err != nil {
		t.Fatal(err)
	}
	if c.to, err = connectproto.FromConnectTo(c.decoder.Schema, s, o); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *oracle) check(t *testing.T, want protoreflect.ProtoMessage) {
	t.Helper()
	data, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.decoder.Decode(connect.NewBatch(1, 1<<20), data)
	if err != nil {
		t.Fatalf("%v\n%s", err, prototext.Format(want))
	}
	if c.keepsNull {
		c.checkBack(t, v)
	}
	for name, e := range map[string]*connectproto.Encoder{"its own schema": c.encoder, "the registered schema": c.to} {
		if c.ownSchemaDiffers && e == c.encoder {
			continue
		}
		out, err := e.Append(nil, v)
		if err != nil {
			t.Fatalf("by %s: %v\n%s", name, err, prototext.Format(want))
		}
		got := dynamicpb.NewMessage(c.md)
		if err := proto.Unmarshal(out, got); err != nil {
			t.Fatalf("by %s: %v", name, err)
		}
		if !proto.Equal(got, want) {
			t.Fatalf("by %s\ngot\n%s\nwant\n%s", name, prototext.Format(got), prototext.Format(want))
		}
	}
}

// checkBack writes a value and reads it again.
func (c *oracle) checkBack(t *testing.T, v connect.Value) {
	t.Helper()
	data, err := c.encoder.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.back.Decode(connect.NewBatch(1, 1<<20), data)
	if err != nil || !got.Equal(v) {
		t.Fatalf("read back %v\ngot  %v\nwant %v", err, got, v)
	}
}

func TestOracle(t *testing.T) {
	for name, o := range map[string]connectproto.Options{
		"defaults": {},
		"optional": {OptionalForNullables: true, Enhanced: true},
		"wrapper":  {WrapperForNullables: true},
		"numbers":  {IntForEnums: true, NoUnionIndex: true},
		"general":  {Generalized: true},
		"flat":     {FlattenUnions: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newOracle(t, everything, "All", o)
			// Wrappers are for items of lists too; a default that a oneof keeps is nothing without one.
			c.ownSchemaDiffers = o.WrapperForNullables || o.FlattenUnions
			c.keepsNull = o.WrapperForNullables || o.OptionalForNullables
			for seed := range uint64(100) {
				f := &filler{r: rand.New(rand.NewPCG(seed, 7)), neverDefault: !o.OptionalForNullables, always: o.WrapperForNullables}
				m := dynamicpb.NewMessage(c.md)
				f.message(m)
				c.check(t, m)
			}
		})
	}
}

// Groups are read and written as dynamicpb has them, in proto2 and as the delimited encoding of edition 2023.
func TestGroupsOracle(t *testing.T) {
	for name, text := range map[string]string{
		"proto2": `syntax = "proto2"; message M { optional group One = 1 { optional int64 n = 1; repeated group Inner = 2 { optional string s = 1; optional N plain = 2; } }
			repeated group Many = 3 { repeated sint32 v = 1; optional bytes b = 2; } oneof choice { group Pick = 200 { optional bool x = 1; } string other = 5; } optional M.One again = 6; map<string, N> named = 7; }
			message N { optional group Deep = 300 { optional double d = 1; } }`,
		"edition 2023": `edition = "2023"; message M { N n = 1 [features.message_encoding = DELIMITED]; repeated N all = 2 [features.message_encoding = DELIMITED]; N plain = 3; } message N { repeated int32 v = 1; N.O o = 2; message O { repeated string s = 1; } }`,
	} {
		for flat, o := range []connectproto.Options{{}, {FlattenUnions: true}} {
			c := newOracle(t, text, "M", o)
			c.ownSchemaDiffers = true // it has messages
			for seed := range uint64(200) {
				f := &filler{r: rand.New(rand.NewPCG(seed, uint64(flat))), neverDefault: true}
				m := dynamicpb.NewMessage(c.md)
				f.message(m)
				c.check(t, m)
			}
			if t.Failed() {
				t.Fatal(name)
			}
		}
	}
}
