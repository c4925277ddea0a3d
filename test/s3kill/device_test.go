package s3kill

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// device publishes numbered messages over MQTT 3.1.1, as the protocol wants it: what was not acknowledged is sent again on the next
// connection, under its packet id and with the DUP flag, and of QoS 2 only the second half where the first was. So a message of QoS 2 is
// published once, as long as the broker keeps the session.
type device struct {
	addr, id string
	qos      byte

	conn    net.Conn
	known   bool             // the broker has had a session
	waiting map[uint16]*sent // by packet id
	numbers int              // messages that are acknowledged: 0 to numbers-1
	again   int              // packets that were sent again
}

// sent is a message on its way.
type sent struct {
	number   int
	received bool // QoS 2: PUBREC has come
}

var errForgotten = errors.New("Mosquitto has forgotten the device's session, so the test shows nothing")

// deviceBatch is how many messages are on their way together.
const deviceBatch = 50

// run publishes until ctx ends, and fails when the broker lets it wait for a minute.
func (d *device) run(ctx context.Context) error {
	defer d.hangUp()
	for ctx.Err() == nil {
		if err := d.batch(); err != nil {
			return fmt.Errorf("%s: %w", d.id, err)
		}
		<-time.After(50 * time.Millisecond)
	}
	return nil
}

// batch publishes the next messages and returns when all are acknowledged.
func (d *device) batch() error {
	d.waiting = make(map[uint16]*sent)
	for i := range deviceBatch {
		d.waiting[uint16((d.numbers+i)%60_000+1)] = &sent{number: d.numbers + i}
	}
	deadline := time.Now().Add(time.Minute)
	for first := true; len(d.waiting) > 0; first = false {
		err := d.exchange(first)
		if err == nil {
			continue
		}
		d.hangUp()
		if errors.Is(err, errForgotten) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d messages are not acknowledged after a minute: %w", len(d.waiting), err)
		}
		<-time.After(20 * time.Millisecond)
	}
	d.numbers += deviceBatch
	return nil
}

// exchange sends what waits and reads answers until all is acknowledged or the connection ends.
func (d *device) exchange(first bool) error {
	if d.conn == nil {
		if err := d.connect(); err != nil {
			return err
		}
	}
	for id := range d.waiting {
		if !first {
			d.again++
		}
		if err := d.send(id, !first); err != nil {
			return err
		}
	}
	for len(d.waiting) > 0 {
		if err := d.answer(); err != nil {
			return err
		}
	}
	return nil
}

// send sends a message, or its release when the broker has it.
func (d *device) send(id uint16, dup bool) error {
	m := d.waiting[id]
	if m.received {
		return d.release(id)
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.Dup, p.MessageID = fmt.Sprintf("%s/%d", d.id, m.number%deviceBatch), d.qos, dup, id
	p.Payload = fmt.Appendf(nil, `{"n":%d}`, m.number)
	return d.write(p)
}

// release is the second half of a delivery of QoS 2.
func (d *device) release(id uint16) error {
	p := packets.NewControlPacket(packets.Pubrel).(*packets.PubrelPacket)
	p.MessageID = id
	return d.write(p)
}

// answer reads one packet.
func (d *device) answer() error {
	p, err := d.read()
	if err != nil {
		return err
	}
	switch p := p.(type) {
	case *packets.PubackPacket:
		delete(d.waiting, p.MessageID)
	case *packets.PubrecPacket:
		if m := d.waiting[p.MessageID]; m != nil {
			m.received = true
		}
		return d.release(p.MessageID)
	case *packets.PubcompPacket:
		delete(d.waiting, p.MessageID)
	default:
		return fmt.Errorf("an answer that is none: %s", p)
	}
	return nil
}

func (d *device) connect() error {
	var err error
	if d.conn, err = net.Dial("tcp", d.addr); err != nil {
		d.conn = nil
		return err
	}
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.ClientIdentifier = "MQTT", 4, d.id
	if err := d.write(p); err != nil {
		return err
	}
	got, err := d.read()
	if err != nil {
		return err
	}
	ack, ok := got.(*packets.ConnackPacket)
	if !ok || ack.ReturnCode != packets.Accepted {
		return fmt.Errorf("an answer to CONNECT: %s", got)
	}
	if d.known && !ack.SessionPresent {
		return errForgotten
	}
	d.known = true
	return nil
}

func (d *device) write(p packets.ControlPacket) error {
	_ = d.conn.SetDeadline(time.Now().Add(10 * time.Second))
	return p.Write(d.conn)
}

func (d *device) read() (packets.ControlPacket, error) {
	_ = d.conn.SetDeadline(time.Now().Add(10 * time.Second))
	return packets.ReadPacket(d.conn)
}

func (d *device) hangUp() {
	if d.conn != nil {
		_ = d.conn.Close()
		d.conn = nil
	}
}
