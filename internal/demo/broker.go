package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Broker is a small MQTT broker.
type Broker struct {
	logger     *slog.Logger
	subscribed chan struct{}
	first      sync.Once // closes subscribed

	mu       sync.Mutex // guards the fields below; taken before a session's
	sessions map[string]*session
	online   map[string]net.Conn // by client id
	conns    sync.WaitGroup
}

// NewBroker returns a broker without sessions.
func NewBroker(logger *slog.Logger) *Broker {
	return &Broker{logger: logger, subscribed: make(chan struct{}), sessions: map[string]*session{}, online: map[string]net.Conn{}}
}

// Subscribed returns a channel that is closed with the first subscription: what is
// published before is for nobody.
func (b *Broker) Subscribed() <-chan struct{} { return b.subscribed }

// Serve accepts clients on ln until ctx ends, closes ln and the connections, and
// returns when their goroutines have ended.
func (b *Broker) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer b.conns.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept MQTT client: %w", err)
		}
		b.conns.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if err := b.serve(ctx, conn); err != nil && ctx.Err() == nil {
				b.logger.Debug("MQTT client left", "address", conn.RemoteAddr(), "error", err)
			}
		})
	}
}

// serve handles one connection until it ends.
func (b *Broker) serve(ctx context.Context, conn net.Conn) error {
	r := bufio.NewReader(conn)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	p, err := readPacket(r)
	if err != nil {
		return err
	}
	hello, ok := p.(*packets.ConnectPacket)
	if !ok {
		return errors.New("the first packet is no CONNECT")
	}
	ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	if ack.ReturnCode = hello.Validate(); ack.ReturnCode != packets.Accepted {
		return errors.Join(fmt.Errorf("CONNECT refused: %s", packets.ConnackReturnCodes[ack.ReturnCode]), ack.Write(conn))
	}
	s, present, err := b.join(conn, hello)
	if err != nil {
		return err
	}
	defer b.leave(conn, hello)
	ack.SessionPresent = present
	if err := ack.Write(conn); err != nil {
		return err
	}
	return b.exchange(ctx, conn, r, s, time.Duration(hello.Keepalive)*time.Second)
}

// join gives a connection its session. A connection with the same client id is
// closed (MQTT 3.1.1, 3.1.4).
func (b *Broker) join(conn net.Conn, hello *packets.ConnectPacket) (s *session, present bool, err error) {
	if hello.ClientIdentifier == "" {
		hello.ClientIdentifier = "anonymous-" + conn.RemoteAddr().String()
		hello.CleanSession = true
	}
	id := hello.ClientIdentifier
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.online[id]; old != nil {
		old.Close()
	}
	s, present = b.sessions[id]
	if !present && len(b.sessions) >= maxSessions { // I5
		return nil, false, errors.New("too many sessions")
	}
	// The old connection's goroutines may still hold the old session: the new
	// connection gets a copy that they do not know.
	if next := newSession(); !present || hello.CleanSession {
		s, present = next, false
	} else {
		s.moveTo(next)
		s = next
	}
	b.sessions[id], b.online[id] = s, conn
	return s, present, nil
}

// moveTo hands the state of a session to another one.
func (s *session) moveTo(next *session) {
	s.mu.Lock()
	next.filters, next.queue, next.unacked, next.nextID = s.filters, s.queue, s.unacked, s.nextID
	s.filters, s.queue, s.unacked = map[string]byte{}, nil, nil
	s.mu.Unlock()
	next.resume()
}

func (b *Broker) leave(conn net.Conn, hello *packets.ConnectPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id := hello.ClientIdentifier; b.online[id] == conn {
		delete(b.online, id)
		if hello.CleanSession {
			delete(b.sessions, id)
		}
	}
}

// publish offers a message to every session.
func (b *Broker) publish(m message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		s.offer(m)
	}
}

// exchange reads packets here and writes them in a second goroutine, until
// either ends.
func (b *Broker) exchange(ctx context.Context, conn net.Conn, r *bufio.Reader, s *session, keepAlive time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	writer.Go(func() {
		defer conn.Close() // ends the reader too
		write(ctx, conn, s)
	})
	for {
		deadline := time.Time{}
		if keepAlive > 0 {
			deadline = time.Now().Add(keepAlive * 3 / 2)
		}
		conn.SetReadDeadline(deadline)
		p, err := readPacket(r)
		if err != nil {
			return err
		}
		if done, err := b.handle(s, p); done || err != nil {
			return err
		}
	}
}

// write sends what the session has for the client until ctx or the connection
// ends.
func write(ctx context.Context, conn net.Conn, s *session) {
	w := bufio.NewWriter(conn)
	for {
		for p := s.next(); p != nil; p = s.next() {
			conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if p.Write(w) != nil {
				return
			}
		}
		if w.Flush() != nil {
			return
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// handle does what a packet asks for. It reports true when the client says
// goodbye.
func (b *Broker) handle(s *session, p packets.ControlPacket) (bool, error) {
	switch p := p.(type) {
	case *packets.PublishPacket:
		return false, b.handlePublish(s, p)
	case *packets.PubackPacket:
		s.acked(p.MessageID)
		return false, nil
	case *packets.SubscribePacket:
		ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
		ack.MessageID, ack.ReturnCodes = p.MessageID, s.subscribe(p.Topics, p.Qoss)
		b.first.Do(func() { close(b.subscribed) })
		return false, reply(s, ack)
	case *packets.UnsubscribePacket:
		s.unsubscribe(p.Topics)
		ack := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
		ack.MessageID = p.MessageID
		return false, reply(s, ack)
	case *packets.PingreqPacket:
		return false, reply(s, packets.NewControlPacket(packets.Pingresp))
	case *packets.DisconnectPacket:
		return true, nil
	}
	return false, fmt.Errorf("unexpected %T", p)
}

func (b *Broker) handlePublish(s *session, p *packets.PublishPacket) error {
	if p.Qos > 1 {
		return errors.New("QoS 2 is not supported")
	}
	b.publish(message{topic: p.TopicName, payload: p.Payload, qos: p.Qos})
	if p.Qos == 0 {
		return nil
	}
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = p.MessageID
	return reply(s, ack)
}

func reply(s *session, p packets.ControlPacket) error {
	if !s.answer(p) {
		return errors.New("the client does not read its answers")
	}
	return nil
}

// readPacket reads a packet of at most maxPacketBytes; packets.ReadPacket alone
// would allocate whatever the length in front claims (I5).
func readPacket(r *bufio.Reader) (packets.ControlPacket, error) {
	head, err := r.Peek(2)
	for n := 2; err == nil && head[n-1]&0x80 != 0 && n < 5; n++ {
		head, err = r.Peek(n + 1)
	}
	if err != nil {
		return nil, err
	}
	length := 0
	for i, c := range head[1:] {
		length |= int(c&0x7f) << (7 * i)
	}
	if length > maxPacketBytes || head[len(head)-1]&0x80 != 0 {
		return nil, fmt.Errorf("packet of %d bytes is larger than %d", length, maxPacketBytes)
	}
	return decode(io.LimitReader(r, int64(len(head)+length)))
}

// decode reads one packet. A packet that the library cannot handle without a
// panic closes the connection, not the process (I5).
func decode(r io.Reader) (p packets.ControlPacket, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = nil, fmt.Errorf("malformed packet: %v", v)
		}
	}()
	return packets.ReadPacket(r)
}
