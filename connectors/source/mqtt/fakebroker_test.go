package mqtt

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// fakeBroker does what a test says on each connection, with the packets that no
// real broker sends.
type fakeBroker struct {
	t  *testing.T
	ln net.Listener
	wg sync.WaitGroup
}

// startFakeBroker serves every connection with serve, which gets its number from
// 1 and after which the connection is closed.
func startFakeBroker(t *testing.T, serve func(n int, c *fakeConn)) *fakeBroker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &fakeBroker{t: t, ln: ln}
	b.wg.Go(func() {
		for n := 1; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serve(n, &fakeConn{t: t, Conn: conn})
			conn.Close()
		}
	})
	t.Cleanup(func() {
		ln.Close()
		b.wg.Wait()
	})
	return b
}

func (b *fakeBroker) uri() string { return "tcp://" + b.ln.Addr().String() }

type fakeConn struct {
	net.Conn
	t *testing.T
}

// next returns the next packet of the client, nil when it leaves.
func (c *fakeConn) next() packets.ControlPacket {
	c.SetReadDeadline(time.Now().Add(patience))
	p, err := packets.ReadPacket(c)
	if _, leaves := p.(*packets.DisconnectPacket); err != nil || leaves {
		return nil
	}
	return p
}

// welcome answers CONNECT, and SUBSCRIBE if there is no session.
func (c *fakeConn) welcome(sessionPresent bool) {
	c.connack(sessionPresent)
	if !sessionPresent {
		c.suback(1)
	}
}

// connack answers CONNECT.
func (c *fakeConn) connack(sessionPresent bool) {
	if _, ok := c.next().(*packets.ConnectPacket); !ok {
		c.t.Error("the first packet is no CONNECT")
	}
	ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	ack.SessionPresent = sessionPresent
	ack.Write(c)
}

// suback answers a SUBSCRIBE with codes.
func (c *fakeConn) suback(codes ...byte) {
	s, ok := c.next().(*packets.SubscribePacket)
	if !ok {
		c.t.Error("no SUBSCRIBE where one was expected")
		return
	}
	ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	ack.MessageID, ack.ReturnCodes = s.MessageID, codes
	ack.Write(c)
}

func (c *fakeConn) publish(id uint16, payload string) {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload = "t/x", 1, id, []byte(payload)
	p.Write(c)
}

// drain reads until the client ends the connection.
func (c *fakeConn) drain() {
	for c.next() != nil {
	}
}

// Acknowledgements are sent in the order of arrival, and none before Commit.
func TestAcksInOrderAfterCommit(t *testing.T) {
	t.Parallel()
	const n = 1000
	acks := make(chan uint16, n+1)
	b := startFakeBroker(t, func(_ int, c *fakeConn) {
		c.welcome(false)
		for id := range n {
			c.publish(uint16(id+1), "x")
		}
		for {
			switch p := c.next().(type) {
			case *packets.PubackPacket:
				acks <- p.MessageID
			case *packets.PingreqPacket: // shows that nothing came before it
				acks <- 0
				packets.NewControlPacket(packets.Pingresp).Write(c)
			case nil:
				return
			}
		}
	})
	k := openTask(t, nil, fast(b.uri(), "mqtt.keepalive.interval.seconds", "1"))
	k.read(n, false)
	if first := <-acks; first != 0 {
		t.Fatalf("message %d is acknowledged before Commit", first)
	}
	k.commit()
	for want := uint16(1); want <= n; want++ {
		got := <-acks
		for got == 0 {
			got = <-acks
		}
		if got != want {
			t.Fatalf("acknowledgement %d has the packet id %d", want, got)
		}
	}
}

// A mark covers its Read and no more.
func TestCommitOfOneRead(t *testing.T) {
	t.Parallel()
	acks := make(chan uint16, 10)
	second := make(chan struct{})
	b := startFakeBroker(t, func(_ int, c *fakeConn) {
		c.welcome(false)
		c.publish(7, "a")
		<-second
		c.publish(8, "b")
		for p := c.next(); p != nil; p = c.next() {
			if ack, ok := p.(*packets.PubackPacket); ok {
				acks <- ack.MessageID
			}
		}
		close(acks)
	})
	k := openTask(t, nil, fast(b.uri()))
	k.read(1, false)
	first := slices.Clone(k.marks)
	close(second)
	k.read(1, false)
	for _, m := range first {
		k.src.Commit(m)
	}
	k.close()
	if got := <-acks; got != 7 {
		t.Errorf("got the acknowledgement of %d, want that of 7", got)
	}
	if got, more := <-acks; more {
		t.Errorf("message %d is acknowledged without Commit", got)
	}
}

// What came on an old connection is not acknowledged on the next, where the same
// packet id may be another message's.
func TestLateAcksAreVoid(t *testing.T) {
	t.Parallel()
	acks := make(chan string, 10)
	b := startFakeBroker(t, func(n int, c *fakeConn) {
		if n == 1 {
			c.welcome(false)
			c.publish(7, "old")
			c.publish(8, "old too")
			<-acks // the test has read
			return
		}
		c.welcome(true)
		c.publish(8, "new")
		for p := c.next(); p != nil; p = c.next() {
			if ack, ok := p.(*packets.PubackPacket); ok {
				acks <- string('0' + rune(ack.MessageID))
			}
		}
		close(acks)
	})
	k := openTask(t, nil, fast(b.uri()))
	k.read(2, false)
	old := slices.Clone(k.marks)
	k.marks = nil
	acks <- ""
	k.connected(2)
	k.read(1, false)
	for _, m := range old {
		k.src.Commit(m)
	}
	eventually(t, "release of what was committed", func() bool { return k.src.queue.waiting() == 1 })
	k.commit()
	k.close()
	var got []string
	for id := range acks {
		got = append(got, id)
	}
	if want := []string{"8"}; !slices.Equal(got, want) {
		t.Errorf("got acknowledgements %v, want %v, that of the new message", got, want)
	}
}

func TestSubscribeRefused(t *testing.T) {
	t.Parallel()
	b := startFakeBroker(t, func(_ int, c *fakeConn) {
		c.welcome(true) // of a session that the connector knows nothing about
		c.suback(subscribeRefused)
		c.drain()
	})
	err := openTask(t, nil, fast(b.uri(), optTopics, "no/entry")).fails()
	if want := "mqtt.topics: the broker refuses to subscribe no/entry"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestGrantedLowerQoS(t *testing.T) {
	t.Parallel()
	b := startFakeBroker(t, func(_ int, c *fakeConn) {
		c.welcome(true)
		c.suback(0)
		c.drain()
	})
	k := openTask(t, nil, fast(b.uri()))
	k.connected(1)
	if k.log.count("grants a lower QoS") != 1 {
		t.Errorf("want a warning:\n%s", k.log)
	}
}

// Whatever a broker sends, the connector warns and tries again.
func TestHostileBroker(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*fakeConn){
		"nonsense":              func(c *fakeConn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
		"silence":               func(c *fakeConn) { c.next() },
		"unknown CONNACK code":  func(c *fakeConn) { c.next(); c.Write([]byte{0x20, 2, 0, 77}) },
		"PUBLISH before":        func(c *fakeConn) { c.next(); c.publish(1, "early") },
		"broker unavailable":    func(c *fakeConn) { c.next(); c.Write([]byte{0x20, 2, 0, 3}) },
		"SUBACK too long":       func(c *fakeConn) { c.welcome(true); c.suback(1, 1, 1) },
		"SUBACK too short":      func(c *fakeConn) { c.welcome(true); c.suback() },
		"topic beyond PUBLISH":  func(c *fakeConn) { c.welcome(false); c.Write([]byte{0x32, 4, 0xff, 0xff, 0, 1}) },
		"endless length":        func(c *fakeConn) { c.welcome(false); c.Write([]byte{0x32, 0xff, 0xff, 0xff, 0xff, 0x7f}) },
		"packet of a client":    func(c *fakeConn) { c.welcome(false); c.Write([]byte{0x10, 0}) },
		"UNSUBACK of SUBSCRIBE": func(c *fakeConn) { c.welcome(true); c.next(); c.Write([]byte{0xb0, 2, 0, 1, 0xb0, 2, 0, 1}) },
	}
	for name, hostile := range cases {
		t.Run(name, func(t *testing.T) {
			b := startFakeBroker(t, func(n int, c *fakeConn) {
				if n > 1 { // then it behaves
					c.welcome(false)
					c.publish(1, "good")
					c.drain()
					return
				}
				hostile(c)
			})
			k := openTask(t, nil, fast(b.uri(), optClientID, "id"))
			if got := k.read(1, false); got[0].value != "good" {
				t.Errorf("got %+v", got[0])
			}
			if name != "UNSUBACK of SUBSCRIBE" && k.log.count("level=WARN") == 0 {
				t.Errorf("want a warning:\n%s", k.log)
			}
		})
	}
}

func TestConnackRefusals(t *testing.T) {
	t.Parallel()
	for code, option := range map[byte]string{1: optServerURI, 2: optClientID, 4: optUsername, 5: optUsername} {
		b := startFakeBroker(t, func(n int, c *fakeConn) {
			c.next()
			c.Write([]byte{0x20, 2, 0, code})
			if n > 1 {
				t.Errorf("CONNACK code %d: it tries a second time", code)
			}
		})
		if err := openTask(t, nil, fast(b.uri())).fails(); !strings.HasPrefix(err.Error(), option+": ") {
			t.Errorf("CONNACK code %d: got %v, want an error of %s", code, err, option)
		}
	}
}

func TestPacketTooLarge(t *testing.T) {
	t.Parallel()
	b := startFakeBroker(t, func(_ int, c *fakeConn) {
		c.welcome(false)
		c.publish(1, strings.Repeat("x", 2000))
		c.drain()
	})
	err := openTask(t, nil, fast(b.uri(), optMaxPacket, "1024")).fails()
	if want := "mqtt.max.packet.bytes: the broker sends a packet of 2010 bytes, the limit is 1024"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A broker that sends more than it may, to a log that stands still, loses its
// connection, not the messages; it is not asked for more until there is room.
func TestQueueOverflow(t *testing.T) {
	t.Parallel()
	again := make(chan struct{})
	b := startFakeBroker(t, func(n int, c *fakeConn) {
		if n > 1 {
			c.welcome(true)
			close(again)
			c.drain()
			return
		}
		c.welcome(false)
		for id := range 40 {
			c.publish(uint16(id+1), strings.Repeat("x", 1<<20))
		}
		c.drain()
	})
	k := openTask(t, nil, fast(b.uri(), "records.buffer.queue.full.timeout", "10"))
	eventually(t, "drop", func() bool { return k.log.count("does not take the records fast enough") == 1 })
	if held := k.src.queue.waiting(); held != 31 {
		t.Errorf("%d messages of 1 MiB are held, want the 31 that fit into 32 MiB", held)
	}
	select {
	case <-again:
		t.Error("it connects again before anything is committed")
	case <-time.After(200 * time.Millisecond):
	}
	k.read(31, true)
	<-again
}

func TestCloseWhileDown(t *testing.T) {
	b := startFakeBroker(t, func(_ int, c *fakeConn) { c.drain() }) // never answers
	began := time.Now()
	k := openTask(t, nil, fast(b.uri(), "mqtt.connect.timeout.seconds", "3600"))
	k.close()
	if d := time.Since(began); d > time.Minute {
		t.Errorf("Close took %v", d)
	}
	noLeaks(t)
}
