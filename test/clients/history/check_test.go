package history

import (
	"testing"
)

var (
	a0 = Partition{"a", 0}
	a1 = Partition{"a", 1}
	k0 = Partition{"k", 0}
	o0 = Partition{"o", 0}
)

// add records a send with its acknowledgement.
func (h *History) add(p Partition, number int, value string, offset int64, txn int) {
	s := h.Sending(Send{Producer: "p", Partition: p, Number: number, Value: value, Txn: txn, Offset: -1})
	if offset >= 0 {
		h.Sent(s, offset)
	}
}

func (h *History) addKeyed(number int, key, value string, offset int64) {
	h.Sent(h.Sending(Send{Producer: "p", Partition: k0, Number: number, Key: key, Value: value}), offset)
}

// seen makes records from the offset on; an empty value is a hole.
func seen(from int64, values ...string) (list []Seen) {
	for i, v := range values {
		if v != "" {
			list = append(list, Seen{Offset: from + int64(i), Value: v})
		}
	}
	return list
}

// rest is a partition that is the same under both isolation levels.
func (h *History) rest(p Partition, end int64, all []Seen) {
	h.Finally(p, Final{All: all, Committed: all, End: end, LastStable: end})
}

func (h *History) reading(p Partition, committed bool, records ...Seen) {
	r := h.Read("c", p, committed)
	for _, s := range records {
		h.Got(r, s)
	}
}

// sound is a history with a bit of everything: two records in one partition, a
// committed, an aborted and an unanswered transaction over two, a compacted topic.
func sound() *History {
	h := New()
	h.add(a0, 1, "v1", 0, 0)
	h.add(a0, 2, "v2", 1, 0)
	h.add(a0, 3, "unanswered", -1, 0)
	committed, aborted, unknown := h.Begin(), h.Begin(), h.Begin()
	h.add(a0, 4, "c0", 2, committed)
	h.add(a1, 1, "c1", 0, committed)
	h.End(committed, OK)
	h.add(a0, 5, "x0", 4, aborted)
	h.End(aborted, Refused)
	h.add(a1, 2, "u1", 2, unknown)
	h.addKeyed(1, "k", "old", 0)
	h.addKeyed(2, "k", "new", 1)
	h.Finally(a0, Final{All: seen(0, "v1", "v2", "c0", "", "x0"), Committed: seen(0, "v1", "v2", "c0"), End: 6, LastStable: 6})
	h.Finally(a1, Final{All: seen(0, "c1", "", "u1"), Committed: seen(0, "c1", "", "u1"), End: 4, LastStable: 4})
	k := []Seen{{1, "k", "new"}}
	h.Finally(k0, Final{Compacted: true, All: k, Committed: k, End: 2, LastStable: 2})
	h.reading(a0, false, seen(0, "v1", "v2", "c0", "", "x0")...)
	h.reading(a0, true, seen(1, "v2", "c0")...)
	h.reading(k0, false, Seen{0, "k", "old"}, Seen{1, "k", "new"})
	for _, offset := range []int64{0, 1, 1, 3} {
		h.Sampled(Sample{"group g", a0, offset})
	}
	h.Sampled(Sample{"group w", a0, 2})
	h.Delivered(Delivery{"group w", a0, 0})
	h.Delivered(Delivery{"group w", a0, 1})
	return h
}

func TestSoundHistory(t *testing.T) {
	for _, a := range sound().Check() {
		t.Error(a)
	}
	want := Counts{Sends: 9, Acknowledged: 8, Transactions: 3, Committed: 1, Aborted: 1, LeftOpen: 1, Readings: 3, RecordsRead: 8, Samples: 5, Deliveries: 2, Partitions: 3, RecordsInLog: 7}
	if got := sound().Counts(); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

// Each bad history is the sound one with one thing changed, or one of its own.
func TestAnomalies(t *testing.T) {
	tests := map[string]struct {
		want Kind
		make func(h *History)
	}{
		"acknowledged, not there": {Lost, func(h *History) { h.add(a0, 9, "gone", 5, 0) }},
		"acknowledged without an offset, not there": {Lost, func(h *History) {
			s := h.Sending(Send{Producer: "p", Partition: a0, Number: 9, Value: "gone"})
			h.Sent(s, -1)
		}},
		"acknowledged in a partition that is gone": {Lost, func(h *History) { h.add(Partition{"a", 7}, 1, "gone", 0, 0) }},
		"key lost":  {Lost, func(h *History) { h.addKeyed(3, "other", "w", 2) }},
		"key stale": {Lost, func(h *History) { h.addKeyed(3, "k", "newest", 2) }},
		"committed transaction gone": {Lost, func(h *History) {
			txn := h.Begin()
			h.add(o0, 1, "t", 0, txn)
			h.End(txn, OK)
			h.Finally(o0, Final{All: seen(0, "t"), End: 2, LastStable: 2})
		}},
		"at another offset": {Misplaced, func(h *History) {
			h.add(o0, 1, "t", 3, 0)
			h.rest(o0, 4, seen(2, "t"))
		}},
		"another record at its offset": {Misplaced, func(h *History) {
			h.add(o0, 1, "t", 0, 0)
			h.add(o0, 2, "s", -1, 0)
			h.rest(o0, 1, seen(0, "s"))
		}},
		"twice": {Duplicate, func(h *History) {
			h.add(o0, 1, "t", 0, 0)
			h.rest(o0, 2, seen(0, "t", "t"))
		}},
		"not sent":             {Phantom, func(h *History) { h.rest(o0, 1, seen(0, "t")) }},
		"sent elsewhere":       {Phantom, func(h *History) { h.add(a0, 9, "t", -1, 0); h.rest(o0, 1, seen(0, "t")) }},
		"committed, not there": {Phantom, func(h *History) { h.Finally(o0, Final{Committed: seen(0, "t"), End: 1, LastStable: 1}) }},
		"read, then gone":      {Phantom, func(h *History) { h.reading(a0, false, Seen{5, "", "v9"}) }},
		"read, then changed":   {Phantom, func(h *History) { h.reading(a0, false, Seen{1, "", "v9"}) }},
		"out of order": {Reordered, func(h *History) {
			h.add(o0, 1, "s", 1, 0)
			h.add(o0, 2, "t", 0, 0)
			h.rest(o0, 2, seen(0, "t", "s"))
		}},
		"aborted in the final read": {AbortedRead, func(h *History) {
			txn := h.Begin()
			h.add(o0, 1, "t", 0, txn)
			h.End(txn, Refused)
			h.rest(o0, 2, seen(0, "t"))
		}},
		"aborted in a poll": {AbortedRead, func(h *History) { h.reading(a0, true, Seen{4, "", "x0"}) }},
		"committed in part": {Torn, func(h *History) { h.torn(OK) }},
		"unknown in part":   {Torn, func(h *History) { h.torn(Unknown) }},
		"poll again":        {Nonmonotonic, func(h *History) { h.reading(a0, false, Seen{1, "", "v2"}, Seen{1, "", "v2"}) }},
		"poll back":         {Nonmonotonic, func(h *History) { h.reading(a0, false, Seen{1, "", "v2"}, Seen{0, "", "v1"}) }},
		"poll past":         {Skipped, func(h *History) { h.reading(a0, false, Seen{0, "", "v1"}, Seen{2, "", "c0"}) }},
		"poll past a committed one": {Skipped, func(h *History) {
			h.reading(a0, true, Seen{0, "", "v1"}, Seen{2, "", "c0"})
		}},
		"committed past":   {Skipped, func(h *History) { h.Delivered(Delivery{"group g", a0, 1}) }},
		"committed offset": {WentBack, func(h *History) { h.Sampled(Sample{"group g", a0, 2}) }},
		"beyond the end":   {WentBack, func(h *History) { h.Sampled(Sample{"end", a0, 7}) }},
		"open":             {Behind, func(h *History) { h.Finally(o0, Final{End: 2, LastStable: 1}) }},
		"not copied":       {NotExactlyOnce, func(h *History) { h.copy("t", "s"); h.copied(seen(0, "t")) }},
		"copied twice":     {NotExactlyOnce, func(h *History) { h.copy("t"); h.copied(seen(0, "t", "t")) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := sound()
			tt.make(h)
			got := h.Check()
			for _, a := range got {
				if a.Kind == tt.want {
					return
				}
			}
			t.Errorf("found %v, want %s", got, tt.want)
		})
	}
}

// torn makes a transaction of which one of two records is visible.
func (h *History) torn(o Outcome) {
	txn := h.Begin()
	h.add(o0, 1, "t0", 0, txn)
	h.add(o0, 2, "t1", 1, txn)
	h.End(txn, o)
	h.Finally(o0, Final{All: seen(0, "t0", "t1"), Committed: seen(0, "t0"), End: 3, LastStable: 3})
}

// copy makes the input of a flow from f to o, copied its output.
func (h *History) copy(values ...string) {
	p := Partition{"f", 0}
	for i, v := range values {
		h.add(p, i, v, int64(i), 0)
	}
	h.rest(p, int64(len(values)), seen(0, values...))
	h.Flows("f", "o")
}

func (h *History) copied(records []Seen) { h.rest(o0, 9, records) }

// A copied value is in two topics and no duplicate.
func TestCopiedHistory(t *testing.T) {
	h := New()
	h.copy("s", "t")
	h.copied(seen(0, "t", "s"))
	for _, a := range h.Check() {
		t.Error(a)
	}
}

// One bug makes many anomalies; the report stays short (I5).
func TestReportIsShort(t *testing.T) {
	h := New()
	for i := range 1000 {
		h.add(a0, i, string(rune('A'+i)), int64(i), 0)
	}
	h.rest(a0, 0, nil)
	if got := len(h.Check()); got != perKind {
		t.Errorf("%d anomalies listed, want %d", got, perKind)
	}
}
