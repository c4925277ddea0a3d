package mqtt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestFrameReader(t *testing.T) {
	const connack = "20020000"
	cases := []struct {
		name, in string
		want     string // part of the error; "" for none
	}{
		{"publish", connack + "30050001612122", ""},
		{"publish without payload, QoS 1", connack + "3205000161" + "0001", ""},
		{"all that a broker sends", connack + "9003000101" + "b0020001" + "62020001" + "d000", ""},
		{"no CONNACK", "3003000161", "out of place"},
		{"CONNACK twice", connack + connack, "out of place"},
		{"CONNACK too long", "2003000000", "length 3"},
		{"unknown return code", "20020006", "return code 6"},
		{"QoS 3", connack + "3605000161" + "0001", "QoS 3"},
		{"topic longer than the packet", connack + "30030002616161", "topic of length 2"},
		{"empty topic", connack + "30020000", "topic of length 0"},
		{"no packet id", connack + "3203000161", "length 3"},
		{"SUBACK with two codes", connack + "900400010101", "SUBACK has the length 4"},
		{"PUBREL without id", connack + "6200", "length 0"},
		{"PINGRESP with payload", connack + "d00101", "length 1"},
		{"PUBACK", connack + "40020001", "out of place"},
		{"length of five bytes", connack + "308080808001", "four bytes"},
		{"too large", connack + "30ffffff7f", "packet of 268435460 bytes"},
	}
	for _, c := range cases {
		in, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		f := newFrameReader(bytes.NewReader(in), 1<<20, func() int { return 1 })
		out, err := io.ReadAll(f)
		if c.want == "" && (err != nil || !bytes.Equal(out, in)) {
			t.Errorf("%s: got %x, %v, want all of it", c.name, out, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
		if c.want != "" && len(out) > len(connack)/2 {
			t.Errorf("%s: bytes of the wrong packet were passed on: %x", c.name, out)
		}
	}
}

// What passes, paho can decode, and no packet is larger than allowed.
func FuzzFrameReader(f *testing.F) {
	for _, seed := range []string{"20020000" + "30050001612122", "20020000" + "9003000101", "2002", "20020000" + "32ffffff7f0000"} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 1 << 16
		r := newFrameReader(bytes.NewReader(in), limit, func() int { return 1 })
		for {
			p, err := packets.ReadPacket(r)
			if err != nil {
				var own *protocolError
				var size *packetSizeError
				if !errors.As(err, &own) && !errors.As(err, &size) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("paho finds what the frame reader does not: %v", err)
				}
				return
			}
			if s, ok := p.(*packets.SubackPacket); ok && len(s.ReturnCodes) != 1 {
				t.Fatalf("a SUBACK with %d codes passed", len(s.ReturnCodes))
			}
			if m, ok := p.(*packets.PublishPacket); ok && len(m.TopicName)+len(m.Payload) > limit {
				t.Fatal("a packet above the limit passed")
			}
		}
	})
}
