package mqtt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"
)

// noter notes what is delivered.
type noter struct{ notes []string }

func (n *noter) attach(acknowledger)    {}
func (n *noter) connected(present bool) { n.notes = append(n.notes, fmt.Sprint("connected ", present)) }
func (n *noter) released(id uint16)     { n.notes = append(n.notes, fmt.Sprint("released ", id)) }
func (n *noter) publish(m *message) {
	n.notes = append(n.notes, fmt.Sprintf("%s=%s id %d qos %d dup %v retained %v %x", m.topic, m.payload, m.id, m.qos, m.duplicate, m.retained, m.properties))
}

func TestFrameReader(t *testing.T) {
	const connack, connack5 = "20020000", "2003000000"
	cases := []struct {
		name, in string
		version  int
		want     []string // what is delivered
		err      string   // part of the error; "" for none
		passed   string   // to paho
	}{
		{"publish", "20020100" + "30050001612122", 3, []string{"connected true", "a=!\" id 0 qos 0 dup false retained false "}, "", "20020100"},
		{"publish without payload", connack + "3b05000161" + "0102", 3, []string{"connected false", "a= id 258 qos 1 dup true retained true "}, "", connack},
		{"release", connack + "62020102", 3, []string{"connected false", "released 258"}, "", connack},
		{"all that paho gets", connack + "9003000101" + "b0020001" + "d000", 3, nil, "", connack + "9003000101" + "b0020001" + "d000"},
		{"no CONNACK", "3003000161", 3, nil, "out of place", ""},
		{"CONNACK twice", connack + connack, 3, nil, "out of place", connack},
		{"CONNACK too long", "2003000000", 3, nil, "length 3", ""},
		{"refusal", "20020003", 3, []string{}, "", "20020003"},
		{"unknown return code", "20020006", 3, nil, "return code 6", ""},
		{"QoS 3", connack + "3605000161" + "0001", 3, nil, "QoS 3", connack},
		{"topic longer than the packet", connack + "30030002616161", 3, nil, "longer topic", connack},
		{"empty topic", connack + "30020000", 3, nil, "topic of length 0", connack},
		{"no packet id", connack + "3203000161", 3, nil, "no packet id", connack},
		{"packet id 0", connack + "3205000161" + "0000", 3, nil, "packet id 0", connack},
		{"SUBACK with two codes", connack + "900400010101", 3, nil, "2 codes instead of 1", connack},
		{"PUBREL without id", connack + "6200", 3, nil, "length 0", connack},
		{"PUBREL of 0", connack + "62020000", 3, nil, "packet id 0", connack},
		{"PINGRESP with payload", connack + "d00101", 3, nil, "length 1", connack},
		{"PUBACK", connack + "40020001", 3, nil, "out of place", connack},
		{"DISCONNECT", connack + "e000", 3, nil, "out of place", connack},
		{"flags", connack + "d100", 3, nil, "flags 1", connack},
		{"length of five bytes", connack + "308080808001", 3, nil, "four bytes", connack},
		{"too large", connack + "30ffffff7f", 3, nil, "packet of 268435460 bytes", connack},
		{"control packet too large", connack + "90818001" + strings.Repeat("00", 20000), 3, nil, "length 16385", connack},

		{"5: publish", connack5 + "3209" + "000161" + "0007" + "020101" + "78", 5, []string{"connected false", "a=x id 7 qos 1 dup false retained false 020101"}, "", connack5},
		{"5: release with reason", connack5 + "6203" + "000792", 5, []string{"connected false", "released 7"}, "", connack5},
		{"5: all that paho gets", connack5 + "9004" + "00010001" + "b004" + "00010000" + "e0028e00", 5, nil, "", connack5 + "9004" + "00010001" + "b004" + "00010000" + "e0028e00"},
		{"5: CONNACK of 3.1.1", "20020001", 5, nil, errNoMQTT5.Error(), ""},
		{"5: refusal", "2003008900", 5, []string{}, "", "2003008900"},
		{"5: CONNACK with more", "200400000000", 5, nil, "goes on", ""},
		{"5: unknown property", connack5 + "3005" + "000161" + "027f", 5, nil, "properties are longer", connack5},
		{"5: unknown property", connack5 + "3006" + "000161" + "027f00", 5, nil, "unknown property", connack5},
		{"5: property cut off", connack5 + "3006" + "000161" + "020200", 5, nil, "property 2 is cut off", connack5},
		{"5: SUBACK with two codes", connack5 + "9005" + "0001000101", 5, nil, "2 codes instead of 1", connack5},
	}
	for _, c := range cases {
		in, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		var taken noter
		f := newFrameReader(bytes.NewReader(in), &wireOptions{version: c.version, maxPacketBytes: 1 << 20, taker: &taken, subackCodes: one})
		out, err := io.ReadAll(f)
		if hex.EncodeToString(out) != c.passed {
			t.Errorf("%s: %x is passed on, want %s", c.name, out, c.passed)
		}
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.err)
		}
		if c.want != nil && !slices.Equal(taken.notes, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, taken.notes, c.want)
		}
	}
}

// A message that is larger than the read buffer, and those around it, arrive whole.
func TestFrameReaderLargeMessage(t *testing.T) {
	in := []byte{0x20, 2, 0, 0}
	var want []string
	for _, n := range []int{10, 100_000, 3, readBufferBytes - 10} {
		p := packets3.NewControlPacket(packets3.Publish).(*packets3.PublishPacket)
		p.TopicName, p.Payload = "t", bytes.Repeat([]byte{byte('a' + len(want))}, n)
		var b bytes.Buffer
		p.Write(&b)
		in = append(in, b.Bytes()...)
		want = append(want, string(p.Payload))
	}
	var taken taken
	if _, err := io.ReadAll(newFrameReader(bytes.NewReader(in), &wireOptions{version: 3, maxPacketBytes: 1 << 20, taker: &taken, subackCodes: one})); err != nil {
		t.Fatal(err)
	}
	for i, m := range taken {
		if string(m.payload) != want[i] {
			t.Errorf("message %d: got %d bytes, want %d of %q", i, len(m.payload), len(want[i]), want[i][:1])
		}
	}
	if len(taken) != len(want) {
		t.Errorf("got %d messages, want %d", len(taken), len(want))
	}
}

// taken keeps messages.
type taken []message

func (*taken) connected(bool)       {}
func (*taken) released(uint16)      {}
func (t *taken) publish(m *message) { *t = append(*t, *m) }

// What passes, paho can decode, and what is delivered is within its limits. The
// same holds of both versions.
func FuzzFrameReader(f *testing.F) {
	for _, seed := range []string{"20020000" + "30050001612122", "20020000" + "9003000101", "2002", "20020000" + "32ffffff7f0000",
		"2003000000" + "3209" + "000161" + "0007" + "020101" + "78", "2003000000" + "9004" + "00010001" + "b004" + "00010000" + "e0028e00",
		"2003000000" + "3011" + "000161" + "0b" + "26000161000162" + "09000101" + "78"} {
		b, _ := hex.DecodeString(seed)
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, in []byte, five bool) {
		const limit = 1 << 16
		version := version3
		if five {
			version = version5
		}
		var got taken
		r := newFrameReader(bytes.NewReader(in), &wireOptions{version: version, maxPacketBytes: limit, taker: &got, subackCodes: one})
		for {
			if err := readAsPaho(r, five); err != nil {
				var own *protocolError
				var size *packetSizeError
				if !errors.As(err, &own) && !errors.As(err, &size) && !errors.Is(err, errNoMQTT5) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					// paho.golang is stricter about which property may stand where; it says so and lives.
					if !five {
						t.Fatalf("paho finds what the frame reader does not: %v", err)
					}
				}
				break
			}
		}
		for i := range got {
			checkTaken(t, &got[i], limit)
		}
	})
}

func readAsPaho(r io.Reader, five bool) error {
	if five {
		_, err := packets.ReadPacket(r)
		return err
	}
	p, err := packets3.ReadPacket(r)
	if s, ok := p.(*packets3.SubackPacket); ok && len(s.ReturnCodes) != 1 {
		return fmt.Errorf("a SUBACK with %d codes passed", len(s.ReturnCodes))
	}
	return err
}

func checkTaken(t *testing.T, m *message, limit int) {
	t.Helper()
	if m.topic == "" || len(m.payload)+len(m.properties) > limit || m.qos > 2 || m.qos > 0 && m.id == 0 {
		t.Fatalf("delivered: %+v", m)
	}
	for props := m.propertyBytes(); len(props) > 0; {
		var err error
		if _, props, err = cutProperty(props); err != nil {
			t.Fatalf("delivered with properties that are not valid: %v", err)
		}
	}
}
