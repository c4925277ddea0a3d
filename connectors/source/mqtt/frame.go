package mqtt

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Packet types of MQTT 3.1.1, section 2.2.1: those that a broker sends, and
// DISCONNECT.
const (
	typeConnack    = 2
	typePublish    = 3
	typePubrel     = 6
	typeSuback     = 9
	typeUnsuback   = 11
	typePingresp   = 13
	typeDisconnect = 14
)

// maxRemainingLength is the largest length that a fixed header can state.
const maxRemainingLength = 268435455

// readBufferBytes is the read buffer of a connection. Header checks look ahead in
// it, so it must be longer than any packet but PUBLISH; it also saves paho, which
// reads a packet in three pieces, two of three system calls.
const readBufferBytes = 64 << 10

// protocolError says that the other side does not speak MQTT as it should.
type protocolError struct{ reason string }

func (e *protocolError) Error() string { return "not valid MQTT 3.1.1: " + e.reason }

func invalid(format string, args ...any) error { return &protocolError{fmt.Sprintf(format, args...)} }

// packetSizeError says that a packet is larger than mqtt.max.packet.bytes.
type packetSizeError struct{ size, limit int }

func (e *packetSizeError) Error() string {
	return fmt.Sprintf("the broker sends a packet of %d bytes, more than the %d of %s", e.size, e.limit, optMaxPacket)
}

// frameReader passes on the bytes of a broker packet by packet, and none of a
// packet before it is checked, so that bytes from outside cannot crash paho or
// make it allocate what they like (I5).
//
//	fixed header: type<<4 | flags, remaining length (1..4 bytes, 7 bits each, low first)
type frameReader struct {
	r        *bufio.Reader
	maxBytes int // largest packet
	// subackCodes is the number of codes that the next SUBACK must have: paho
	// indexes its filters with them unchecked.
	subackCodes func() int

	connected bool // CONNACK has passed
	left      int  // bytes of the checked packet that are not passed on yet
}

func newFrameReader(r io.Reader, maxBytes int, subackCodes func() int) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, readBufferBytes), maxBytes: maxBytes, subackCodes: subackCodes}
}

// Read implements io.Reader. It does not read beyond the end of a packet.
func (f *frameReader) Read(p []byte) (int, error) {
	if f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.r.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

// next checks the packet that begins here.
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
	if err := f.check(first[0]>>4, first[0]&0x0f, header, length); err != nil {
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

func (f *frameReader) check(typ, flags byte, header, length int) error {
	if (typ == typeConnack) == f.connected {
		return invalid("packet type %d is out of place", typ)
	}
	switch typ {
	case typeConnack:
		return f.checkConnack(header, length)
	case typePublish:
		return f.checkPublish(flags, header, length)
	case typeSuback:
		if want := 2 + f.subackCodes(); length != want {
			return invalid("a SUBACK has the length %d instead of %d", length, want)
		}
	case typePubrel, typeUnsuback:
		if length != 2 {
			return invalid("packet type %d has the length %d instead of 2", typ, length)
		}
	case typePingresp:
		if length != 0 {
			return invalid("a PINGRESP has the length %d instead of 0", length)
		}
	default: // what only clients send, and answers to what we do not send
		return invalid("packet type %d is out of place", typ)
	}
	return nil
}

func (f *frameReader) checkConnack(header, length int) error {
	if length != 2 {
		return invalid("a CONNACK has the length %d instead of 2", length)
	}
	p, err := f.r.Peek(header + length)
	if err != nil {
		return err
	}
	// paho takes a code that it does not know for success.
	if code := p[header+1]; code > 5 {
		return invalid("a CONNACK has the unknown return code %d", code)
	}
	f.connected = true
	return nil
}

func (f *frameReader) checkPublish(flags byte, header, length int) error {
	qos := flags >> 1 & 3
	if qos == 3 {
		return invalid("a PUBLISH has QoS 3")
	}
	need := 2
	if qos > 0 {
		need += 2
	}
	if length < need {
		return invalid("a PUBLISH has the length %d", length)
	}
	p, err := f.r.Peek(header + 2)
	if err != nil {
		return err
	}
	topic := int(binary.BigEndian.Uint16(p[header:]))
	if topic == 0 || need+topic > length {
		return invalid("a PUBLISH of length %d has a topic of length %d", length, topic)
	}
	return nil
}
