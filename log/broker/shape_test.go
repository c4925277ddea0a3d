package broker

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill sets every field that a client may set to something random.
func fill(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if rng.IntN(3) == 0 {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(rng, v.Elem())
	case reflect.Struct:
		if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
			for range rng.IntN(3) {
				tags.Set(100+rng.Uint32N(1000), []byte("tag"))
			}
			return
		}
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if name == "Version" || name == "ReplicaState" {
				continue // the test's, and a replica's
			}
			fill(rng, v.Field(i))
		}
	case reflect.Slice:
		n := rng.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rng, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	case reflect.String:
		v.SetString("string"[:rng.IntN(7)])
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int8(rng.Int())))
	case reflect.Float64:
		v.SetFloat(rng.Float64())
	case reflect.Uint8:
		v.SetUint(uint64(rng.IntN(256)))
	default:
		panic(v.Kind().String())
	}
}

// randomBody returns a request of the handler's key and version and its bytes.
func randomBody(rng *rand.Rand, h *handler, version int16) (kmsg.Request, []byte) {
	q := h.key.Request()
	q.SetVersion(version)
	fill(rng, reflect.ValueOf(q).Elem())
	return q, q.AppendTo(nil)
}

// Every request that kmsg can write has the shape that its handler states, and
// no shorter or longer one has.
func TestShapesMatchRequests(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, h := range handlers() {
		for version := h.min; version <= h.max; version++ {
			for range 200 {
				q, body := randomBody(rng, &h, version)
				rest, err := h.shape.check(append(body, 7), version, q.IsFlexible())
				if err != nil || len(rest) != 1 {
					t.Fatalf("%s v%d: %v, %d bytes are left, want the one behind it\nrequest %+v\nbytes %x", h.key.Name(), version, err, len(rest), q, body)
				}
				if len(body) > 0 {
					if _, err := h.shape.check(body[:len(body)-1], version, q.IsFlexible()); err == nil {
						t.Fatalf("%s v%d: accepted a missing byte: %+v", h.key.Name(), version, q)
					}
				}
			}
		}
	}
}

func TestShapeRefusesClaims(t *testing.T) {
	tests := []struct {
		name  string
		key   kmsg.Key
		v     int16
		body  []byte
		valid bool
	}{
		{"array longer than the bytes", kmsg.DeleteGroups, 0, binary.BigEndian.AppendUint32(nil, 1<<30), false},
		{"null array", kmsg.DeleteGroups, 0, binary.BigEndian.AppendUint32(nil, 1<<32-1), true},
		{"tag section of four billion", kmsg.DeleteGroups, 2, []byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f}, false},
		{"more elements than allowed", kmsg.DeleteGroups, 0,
			append(binary.BigEndian.AppendUint32(nil, maxElements+1), make([]byte, 2*(maxElements+1))...), false},
		{"replica state in a fetch", kmsg.Fetch, 15, fetchWithReplicaState(), false},
	}
	all := map[kmsg.Key]handler{}
	for _, h := range handlers() {
		all[h.key] = h
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, q := all[tt.key], tt.key.Request()
			q.SetVersion(tt.v)
			_, err := h.shape.check(tt.body, tt.v, q.IsFlexible())
			if got := err == nil; got != tt.valid {
				t.Errorf("check = %v, want valid %v", err, tt.valid)
			}
		})
	}
}

func fetchWithReplicaState() []byte {
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(15)
	q.ReplicaState.ID = 7
	return q.AppendTo(nil)
}

// FuzzParseRequest gives arbitrary frames to the decoder. It must neither panic
// nor take long; kmsg alone takes half a minute for some frames of 20 bytes.
func FuzzParseRequest(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	served := map[kmsg.Key]*handler{}
	for _, h := range handlers() {
		served[h.key] = &h
		for version := h.min; version <= h.max; version++ {
			q, body := randomBody(rng, &h, version)
			f.Add(requestFrame(q, body))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < minFrameBytes {
			return
		}
		r, err := parseRequest(served, frame)
		if err == nil && r.body == nil && r.key != kmsg.ApiVersions {
			t.Errorf("%s v%d: no body and no error", r.key.Name(), r.version)
		}
	})
}

// requestFrame is a request as a client frames it, without the size.
func requestFrame(q kmsg.Request, body []byte) []byte {
	frame := binary.BigEndian.AppendUint16(nil, uint16(q.Key()))
	frame = binary.BigEndian.AppendUint16(frame, uint16(q.GetVersion()))
	frame = binary.BigEndian.AppendUint32(frame, 42)
	frame = binary.BigEndian.AppendUint16(frame, 4)
	frame = append(frame, "test"...)
	if q.IsFlexible() {
		frame = append(frame, 0)
	}
	return append(frame, body...)
}
