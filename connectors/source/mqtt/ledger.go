package mqtt

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// ledger has the messages of QoS 2 that are under way, by packet id: in flight from their
// record until the broker releases them (PUBREL), and released until the broker has
// shown that it knows of it (PUBCOMP). Its zero value is empty.
//
// A broker that goes by MQTT never sends a message again that it has released
// [MQTT-4.3.3-1]. Mosquitto does, up to 2.1 at least: what it could not release again on
// one connection it publishes on the next one (db__message_reconnect_reset_outgoing). So
// released messages are told by their content like those in flight, but only of a broker that
// counts its packet ids up. One that takes the lowest free id may have given that of a
// released message to the next one with the same content.
type ledger struct {
	inFlight, released packetIDs
	messages           notes          // of both; without those in flight that an older version has noted
	releases           fifo[position] // the released ones in order, and some that are not any more
	clock              uint64         // messages and releases so far
	countsUp           bool           // the broker gives packet ids in order
	sums               []byte         // memory of append

	// Of the present connection:
	generation uint64
	since      uint64 // the clock when it began
	last       uint16 // the latest packet id on it, 0 for none
	now, past  round
}

// round is about as long as a message takes from PUBLISH to PUBREL, so that what came before
// the last round is acknowledged unless it is in the ledger.
type round struct {
	since uint64 // the clock when it began
	qos1  int    // messages of QoS 1, which have packet ids too, that came in it
	most  int    // messages under way at a time
}

// noted is what is known of a message.
type noted struct {
	sum uint32 // 0: nothing is known
	at  uint64 // the clock at its release, or when it arrived; 0 if it was not sent for the first time
}

type position struct {
	id uint16
	at uint64
}

func (l *ledger) empty() bool {
	return l.inFlight == (packetIDs{}) && l.messages.n == 0 && !l.countsUp
}

// on tells on which connection comes what comes next.
func (l *ledger) on(generation uint64) {
	if generation != l.generation {
		l.generation, l.since, l.last = generation, l.clock, 0
		l.now, l.past = round{since: l.clock}, round{}
	}
}

// has tells whether a message that is sent again (DUP) was noted.
func (l *ledger) has(m *message) bool {
	n := l.messages.get(m.id)
	if l.inFlight.has(m.id) {
		return n.sum == 0 || n.sum == m.sum()
	}
	return n.sum != 0 && l.countsUp && l.later(m.id) && n.sum == m.sum()
}

// later tells whether a packet id comes after all others of the connection. What a broker
// sends again it sends in order, before anything new.
func (l *ledger) later(id uint16) bool { return l.last == 0 || int16(id-l.last) > 0 }

// take notes what has arrived. What it is has been told from what was noted before.
func (l *ledger) take(m *message) {
	l.on(m.generation)
	switch m.kind {
	case newMessage, seenMessage:
		if m.qos > 0 {
			l.publish(m)
		}
	case release:
		l.release(m.id)
	case newSession, lostSession:
		*l = ledger{generation: m.generation}
	}
}

func (l *ledger) publish(m *message) {
	l.mention(m.id)
	if m.qos == 1 {
		l.now.qos1++
	}
	switch {
	case m.qos == 2 && m.kind == newMessage:
		n := noted{sum: m.sum()}
		if !m.duplicate {
			n.at = l.clock
			l.judge(m.id)
		}
		l.note(m.id, n)
	case !m.duplicate:
		l.forget(m.id) // it is another message's now
	case m.qos == 2 && l.released.has(m.id) && l.messages.get(m.id).sum == m.sum():
		l.note(m.id, noted{sum: m.sum()})
	}
}

func (l *ledger) mention(id uint16) {
	if l.clock++; l.later(id) {
		l.last = id
	}
}

// idsAhead is by how much more than twice the number of messages under way a packet id has to
// be for the proof that the broker counts.
const idsAhead = 64

// judge sees whether a new packet id shows that the broker counts: too few messages have
// been under way for it to be the lowest free one.
func (l *ledger) judge(id uint16) {
	l.now.most = max(l.now.most, l.messages.n+l.now.qos1+l.past.qos1)
	if int(id) > 2*max(l.now.most, l.past.most)+idsAhead {
		l.countsUp = true
	}
}

// note puts a message in flight.
func (l *ledger) note(id uint16, n noted) {
	l.messages.set(id, n)
	l.inFlight.add(id)
	l.released.remove(id)
}

// forget drops a released message.
func (l *ledger) forget(id uint16) {
	if l.released.has(id) {
		l.released.remove(id)
		l.messages.remove(id)
	}
}

// release notes that the broker will not send a message again.
func (l *ledger) release(id uint16) {
	l.mention(id)
	if !l.inFlight.has(id) {
		return
	}
	l.inFlight.remove(id)
	n := l.messages.get(id)
	if n.sum == 0 {
		return
	}
	if n.at > l.since {
		l.settle(n.at)
	}
	if n.at > l.now.since {
		l.now, l.past = round{since: l.clock}, l.now
	}
	l.messages.set(id, noted{n.sum, l.clock})
	l.released.add(id)
	l.releases.push(position{id, l.clock})
	if l.releases.len() > maxWindow {
		l.settle(l.releases.first().at + 1)
	}
}

// settle drops what was released before a message was sent for the first time that the
// broker releases on the same connection: it has had our PUBREC, so it has also had every
// PUBCOMP before, and what it had to release again it did before.
func (l *ledger) settle(at uint64) {
	for l.releases.len() > 0 && l.releases.first().at < at {
		p := l.releases.pop()
		if l.released.has(p.id) && l.messages.get(p.id).at == p.at {
			l.forget(p.id)
		}
	}
}

func (l *ledger) clone() ledger {
	c := *l
	c.messages, c.releases.ring, c.sums = l.messages.clone(), slices.Clone(l.releases.ring), nil
	return c
}

// notes has what is known of messages by their packet ids. Those under way have ids near each
// other: they are in pages of 256, of which the others are not there.
type notes struct {
	n     int
	pages [256]*notePage
	spare *notePage // an empty one
}

type notePage struct {
	n     int
	notes [256]noted
}

func (s *notes) get(id uint16) noted {
	if page := s.pages[id>>8]; page != nil {
		return page.notes[id&255]
	}
	return noted{}
}

// set notes a message whose sum is not 0.
func (s *notes) set(id uint16, n noted) {
	page := s.pages[id>>8]
	if page == nil {
		if page, s.spare = s.spare, nil; page == nil {
			page = new(notePage)
		}
		s.pages[id>>8] = page
	}
	if page.notes[id&255].sum == 0 {
		page.n++
		s.n++
	}
	page.notes[id&255] = n
}

// remove forgets a message that is noted.
func (s *notes) remove(id uint16) {
	page := s.pages[id>>8]
	page.notes[id&255] = noted{}
	s.n--
	if page.n--; page.n == 0 {
		s.pages[id>>8], s.spare = nil, page
	}
}

func (s *notes) clone() notes {
	c := notes{n: s.n}
	for i, page := range s.pages {
		if page != nil {
			copied := *page
			c.pages[i] = &copied
		}
	}
	return c
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum tells messages apart that have the same packet id: the CRC-32C of topic and
// payload, which stay as they are when a message is sent again. It is never 0.
func (m *message) sum() uint32 {
	topic := unsafe.Slice(unsafe.StringData(m.topic), len(m.topic))
	return max(1, crc32.Update(crc32.Update(uint32(len(topic)), castagnoli, topic), castagnoli, m.payload))
}

// storedLedger is a ledger in the source offset.
type storedLedger struct {
	InFlight     string  `json:"mqtt.qos2.in.flight,omitempty"`
	Sums         string  `json:"mqtt.qos2.in.flight.crc32c,omitempty"` // of their messages
	Released     *string `json:"mqtt.qos2.released,omitempty"`         // nil: not known to count
	ReleasedSums string  `json:"mqtt.qos2.released.crc32c,omitempty"`
}

// append writes the members of a storedLedger, with a comma before each.
func (l *ledger) append(dst []byte) []byte {
	if l.inFlight != (packetIDs{}) {
		dst = l.inFlight.append(append(dst, `,"mqtt.qos2.in.flight":"`...))
		dst = l.appendSums(append(dst, `","mqtt.qos2.in.flight.crc32c":"`...), &l.inFlight)
		dst = append(dst, '"')
	}
	if l.countsUp {
		dst = l.released.append(append(dst, `,"mqtt.qos2.released":"`...))
		dst = l.appendSums(append(dst, `","mqtt.qos2.released.crc32c":"`...), &l.released)
		dst = append(dst, '"')
	}
	return dst
}

// appendSums writes the sums of messages in the order of their ids, in base64: 4 bytes
// each, 0 for one that is not known.
func (l *ledger) appendSums(dst []byte, ids *packetIDs) []byte {
	l.sums = l.sums[:0]
	for id := ids.next(0); id <= maxWindow; id = ids.next(id + 1) {
		l.sums = binary.BigEndian.AppendUint32(l.sums, l.messages.get(uint16(id)).sum)
	}
	return base64.RawStdEncoding.AppendEncode(dst, l.sums)
}

// ledger reads what append wrote, or an older version, or somebody in their place.
func (s *storedLedger) ledger() (l ledger, err error) {
	err = eachSum(s.InFlight, s.Sums, func(id uint16, sum uint32) error {
		if l.inFlight.add(id); sum != 0 {
			l.note(id, noted{sum: sum})
		}
		return nil
	})
	if err != nil || s.Released == nil {
		return l, err
	}
	l.countsUp = true
	return l, eachSum(*s.Released, s.ReleasedSums, func(id uint16, sum uint32) error {
		if l.inFlight.has(id) {
			return fmt.Errorf("packet id %d is both in flight and released", id)
		}
		if sum != 0 {
			l.note(id, noted{sum: sum})
			l.release(id)
		}
		return nil
	})
}

// eachSum calls f with packet ids and the sums of their messages, 0 for those that are not
// known. An older version has stored no sums: "".
func eachSum(ids, sums string, f func(id uint16, sum uint32) error) error {
	set, err := parsePacketIDs(ids)
	if err != nil {
		return err
	}
	p, err := base64.RawStdEncoding.DecodeString(sums)
	if err != nil {
		return fmt.Errorf("the sums of messages: %w", err)
	}
	for id := set.next(0); id <= maxWindow; id = set.next(id + 1) {
		var sum uint32
		if len(p) >= 4 {
			sum, p = binary.BigEndian.Uint32(p), p[4:]
		} else if sums != "" {
			return fmt.Errorf("packet id %d has no sum", id)
		}
		if err := f(uint16(id), sum); err != nil {
			return err
		}
	}
	if len(p) > 0 {
		return fmt.Errorf("there are %d bytes of sums more than packet ids", len(p))
	}
	return nil
}

// packetIDs is a set of packet ids.
type packetIDs [1024]uint64

func (s *packetIDs) has(id uint16) bool { return s[id>>6]&(1<<(id&63)) != 0 }
func (s *packetIDs) add(id uint16)      { s[id>>6] |= 1 << (id & 63) }
func (s *packetIDs) remove(id uint16)   { s[id>>6] &^= 1 << (id & 63) }

// append writes the ids in order as ranges: 1-20,25.
func (s *packetIDs) append(dst []byte) []byte {
	first := len(dst)
	for id := s.next(0); id <= maxWindow; {
		end := s.end(id)
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(id), 10)
		if end-1 > id {
			dst = strconv.AppendInt(append(dst, '-'), int64(end-1), 10)
		}
		id = s.next(end)
	}
	return dst
}

// next returns the first id from one on, more than maxWindow if there is none.
func (s *packetIDs) next(id int) int {
	for id <= maxWindow {
		if w := s[id>>6] >> (id & 63); w != 0 {
			return id + bits.TrailingZeros64(w)
		}
		id = (id | 63) + 1
	}
	return id
}

// end returns the first id from one on that is not in the set.
func (s *packetIDs) end(id int) int {
	for id <= maxWindow && s.has(uint16(id)) {
		id++
	}
	return id
}

// parsePacketIDs reads what append wrote, or somebody in its place.
func parsePacketIDs(text string) (s packetIDs, err error) {
	if text == "" {
		return s, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		a, b, isRange := strings.Cut(part, "-")
		if !isRange {
			b = a
		}
		first, err1 := strconv.ParseUint(a, 10, 16)
		last, err2 := strconv.ParseUint(b, 10, 16)
		if err1 != nil || err2 != nil || first == 0 || last < first {
			return s, fmt.Errorf("%q is not a packet id or a range of them", part)
		}
		for id := first; id <= last; id++ {
			s.add(uint16(id))
		}
	}
	return s, nil
}
