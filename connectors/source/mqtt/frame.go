package mqtt

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Packet types of MQTT 3.1.1 and 5, section 2.2.1 and 2.1.2.
const (
	typeConnack    = 2
	typePublish    = 3
	typePuback     = 4
	typePubrec     = 5
	typePubrel     = 6
	typePubcomp    = 7
	typeSuback     = 9
	typeUnsuback   = 11
	typePingreq    = 12
	typePingresp   = 13
	typeDisconnect = 14
)

// Values of mqtt.version.
const (
	version3 = 3 // 3.1.1
	version5 = 5
)

// maxRemainingLength is the largest length that a fixed header can state.
const maxRemainingLength = 268435455

// readBufferBytes is the read buffer of a connection. A packet that fits is
// looked at in it and copied once.
const readBufferBytes = 64 << 10

// maxControlBytes bounds the packets that paho gets, which PUBLISH is not.
const maxControlBytes = 16 << 10

// protocolError says that the other side does not speak MQTT as it should.
type protocolError struct{ reason string }

func (e *protocolError) Error() string { return "not valid MQTT: " + e.reason }

func invalid(format string, args ...any) error { return &protocolError{fmt.Sprintf(format, args...)} }

// packetSizeError says that a packet is larger than mqtt.max.packet.bytes.
type packetSizeError struct{ size, limit int }

func (e *packetSizeError) Error() string {
	return fmt.Sprintf("the broker sends a packet of %d bytes, more than the %d of %s", e.size, e.limit, optMaxPacket)
}

// frameReader takes the bytes of a broker apart. PUBLISH and PUBREL, which are
// the delivery of messages, go to the frameTaker and not to paho: paho sends
// PUBCOMP at once, and gives nobody the time to make it durable that the packet id
// is free again. What else there is is passed on packet by packet, and none of it
// before it is checked, so that bytes from outside cannot crash paho or make it
// allocate what they like (I5).
//
//	fixed header: type<<4 | flags, remaining length (1..4 bytes, 7 bits each, low first)
type frameReader struct {
	r        *bufio.Reader
	version  int // version3 or version5
	maxBytes int // largest packet
	taker    frameTaker
	// subackCodes is the number of codes that the next SUBACK must have: paho
	// indexes its filters with them unchecked.
	subackCodes func() int

	names     names
	payloads  arena
	message   message // while it is handed over
	connected bool    // CONNACK has passed
	left      int     // bytes of the checked packet that are not passed on yet
}

// frameTaker takes what is delivered, on the goroutine that reads.
type frameTaker interface {
	// connected comes first, when the broker has accepted the connection.
	connected(sessionPresent bool)
	publish(m *message) // whose memory is good until it returns
	// released says that the broker will not send the message again.
	released(id uint16)
}

func newFrameReader(r io.Reader, o *wireOptions) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, readBufferBytes), version: o.version, maxBytes: o.maxPacketBytes,
		taker: o.taker, subackCodes: o.subackCodes}
}

// Read implements io.Reader. It does not read beyond the end of a packet.
func (f *frameReader) Read(p []byte) (int, error) {
	for f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.r.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

// next takes the packet that begins here, or checks it and leaves it to Read.
func (f *frameReader) next() error {
	header, length, err := f.header()
	if err != nil {
		return err
	}
	if header+length > f.maxBytes {
		return &packetSizeError{header + length, f.maxBytes}
	}
	first, err := f.r.Peek(1)
	if err != nil {
		return err
	}
	typ, flags := first[0]>>4, first[0]&0x0f
	if (typ == typeConnack) == f.connected {
		return invalid("packet type %d is out of place", typ)
	}
	if typ == typePublish {
		return f.takePublish(flags, header, length)
	}
	if header+length > maxControlBytes {
		return invalid("packet type %d has the length %d", typ, length)
	}
	p, err := f.r.Peek(header + length)
	if err != nil {
		return err
	}
	if typ == typePubrel {
		return f.takePubrel(flags, p[header:], header+length)
	}
	if err := f.check(typ, flags, p[header:]); err != nil {
		return err
	}
	f.left = header + length
	return nil
}

// header returns the size of the fixed header and the length after it.
func (f *frameReader) header() (size, length int, err error) {
	for size = 2; size <= 5; size++ {
		p, err := f.r.Peek(size)
		if err != nil {
			return 0, 0, err
		}
		b := p[size-1]
		length |= int(b&0x7f) << (7 * (size - 2))
		if b&0x80 == 0 {
			return size, length, nil
		}
	}
	return 0, 0, invalid("a packet's length has more than four bytes")
}

// takePublish hands over a message, in memory of its own.
func (f *frameReader) takePublish(flags byte, header, length int) error {
	var body []byte
	m := &f.message
	if header+length <= readBufferBytes {
		p, err := f.r.Peek(header + length)
		if err != nil {
			return err
		}
		body = p[header:]
	} else {
		if _, err := f.r.Discard(header); err != nil {
			return err
		}
		body = make([]byte, length)
		if _, err := io.ReadFull(f.r, body); err != nil {
			return err
		}
		header, length = 0, 0
	}
	if err := parsePublish(m, f.version, flags, body); err != nil {
		return err
	}
	m.topic = f.names.of(m.rawTopic)
	m.rawTopic = nil
	m.properties = f.payloads.copy(m.properties)
	m.payload = f.payloads.copy(m.payload)
	if _, err := f.r.Discard(header + length); err != nil {
		return err
	}
	f.taker.publish(m)
	*m = message{} // let go of what it points to
	return nil
}

func (f *frameReader) takePubrel(flags byte, body []byte, size int) error {
	if flags != 2 || len(body) < 2 || f.version == version3 && len(body) != 2 {
		return invalid("a PUBREL has the flags %d and the length %d", flags, len(body))
	}
	id := binary.BigEndian.Uint16(body)
	if id == 0 {
		return invalid("a PUBREL has the packet id 0")
	}
	if _, err := f.r.Discard(size); err != nil {
		return err
	}
	f.taker.released(id)
	return nil
}

// check checks a packet that paho gets.
func (f *frameReader) check(typ, flags byte, body []byte) error {
	if flags != 0 {
		return invalid("packet type %d has the flags %d", typ, flags)
	}
	switch typ {
	case typeConnack:
		return f.checkConnack(body)
	case typeSuback:
		return f.checkSuback(body)
	case typeUnsuback:
		if f.version == version3 && len(body) != 2 || len(body) < 3 && f.version == version5 {
			return invalid("an UNSUBACK has the length %d", len(body))
		}
		if f.version == version5 {
			_, err := skipProperties(body[2:])
			return err
		}
	case typePingresp:
		if len(body) != 0 {
			return invalid("a PINGRESP has the length %d instead of 0", len(body))
		}
	case typeDisconnect:
		return f.checkDisconnect(body)
	default: // what only clients send, and answers to what we do not send
		return invalid("packet type %d is out of place", typ)
	}
	return nil
}

func (f *frameReader) checkConnack(body []byte) error {
	if f.version == version5 && len(body) == 2 && body[1] == 1 {
		return errNoMQTT5 // the answer in the words of MQTT 3.1.1
	}
	if f.version == version3 && len(body) != 2 || len(body) < 2 {
		return invalid("a CONNACK has the length %d instead of 2", len(body))
	}
	// paho takes a code that it does not know for success.
	if code := body[1]; f.version == version3 && code > 5 {
		return invalid("a CONNACK has the unknown return code %d", code)
	}
	if f.version == version5 {
		rest, err := skipProperties(body[2:])
		if err == nil && len(rest) != 0 {
			err = invalid("a CONNACK goes on after its properties")
		}
		if err != nil {
			return err
		}
	}
	f.connected = true
	if body[1] == 0 { // a refusal says nothing of the session
		f.taker.connected(body[0]&1 != 0)
	}
	return nil
}

func (f *frameReader) checkSuback(body []byte) error {
	codes := len(body) - 2
	if f.version == version5 && codes > 0 {
		rest, err := skipProperties(body[2:])
		if err != nil {
			return err
		}
		codes = len(rest)
	}
	if want := f.subackCodes(); codes != want {
		return invalid("a SUBACK has %d codes instead of %d", max(codes, 0), want)
	}
	return nil
}

func (f *frameReader) checkDisconnect(body []byte) error {
	if f.version == version3 {
		return invalid("packet type %d is out of place", typeDisconnect)
	}
	if len(body) < 2 {
		return nil // a reason code at most
	}
	_, err := skipProperties(body[1:])
	return err
}
