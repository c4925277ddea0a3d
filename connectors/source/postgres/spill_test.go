package postgres

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// streamed makes a message of a block: a kind, the xid, content.
func streamed(xid uint32, content string) []byte {
	return append([]byte{'I', byte(xid >> 24), byte(xid >> 16), byte(xid >> 8), byte(xid)}, content...)
}

func contents(t *testing.T, r *replay) []string {
	t.Helper()
	var got []string
	for {
		lsn, data, err := r.next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if int(lsn) != len(data) {
			t.Fatalf("a message of %d bytes comes with the LSN %d", len(data), lsn)
		}
		got = append(got, string(data[5:]))
	}
}

func (s *spill) put(t *testing.T, top, sub uint32, content string) {
	t.Helper()
	data := streamed(sub, content)
	err := s.begin(top, s.txns[top] == nil)
	if err == nil {
		err = s.add(pgoutput.LSN(len(data)), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
}

// TestSpillAgainstModel runs random transactions with nested savepoints, some
// released and some rolled back, through the spill and through plain lists.
func TestSpillAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		s := newSpill(t.TempDir(), 1<<40)
		xid := uint32(100)
		want := map[uint32][]string{}
		for range 3 {
			xid++
			top := xid
			var rows []string
			type savepoint struct {
				xid  uint32
				kept int // rows before it
			}
			stack := []savepoint{{top, 0}}
			aborted := map[uint32]bool{}
			released := map[uint32][]uint32{} // by the subtransaction that they became part of
			for range random.IntN(200) {
				current := &stack[len(stack)-1]
				switch n := random.IntN(10); {
				case n < 5:
					size := 10
					if random.IntN(20) == 0 {
						size = spillBuffer / 3
					}
					text := fmt.Sprintf("%d:%s", len(rows), strings.Repeat("x", random.IntN(size)))
					rows = append(rows, text)
					s.put(t, top, current.xid, text)
				case n < 7:
					xid++
					stack = append(stack, savepoint{xid, len(rows)})
				case n < 9 && len(stack) > 1: // the server tells of each, innermost first
					for _, sub := range append(released[current.xid], current.xid) {
						aborted[sub] = true
						if err := s.abort(top, sub); err != nil {
							t.Fatal(err)
						}
					}
					rows = rows[:current.kept]
					stack = stack[:len(stack)-1]
				case len(stack) > 1:
					parent := stack[len(stack)-2].xid
					released[parent] = append(append(released[parent], released[current.xid]...), current.xid)
					stack = stack[:len(stack)-1]
				}
			}
			want[top] = rows
		}
		for top, rows := range want {
			var got []string
			if r := s.commit(top); r != nil {
				got = contents(t, r)
				s.drop(r.t)
			}
			if !slices.Equal(got, rows) {
				t.Fatalf("seed %d: got %d rows, want %d", seed, len(got), len(rows))
			}
		}
		if s.used != 0 || len(s.txns) != 0 {
			t.Fatalf("seed %d: %d bytes of %d transactions are left", seed, s.used, len(s.txns))
		}
	}
}

func TestSpillAborts(t *testing.T) {
	s := newSpill(t.TempDir(), 1<<20)
	defer s.close()
	if err := s.abort(5, 6); err != nil { // nothing was sent of it
		t.Fatal(err)
	}
	s.put(t, 5, 5, "a")
	if err := s.abort(5, 6); err != nil { // of a subtransaction that wrote nothing
		t.Fatal(err)
	}
	if got := contents(t, s.commit(5)); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	if err := s.abort(5, 5); err != nil || s.commit(5) != nil || s.used != 0 {
		t.Errorf("an aborted transaction is still there: %d bytes, error %v", s.used, err)
	}
	if err := s.begin(9, false); err == nil {
		t.Error("a transaction that was never begun goes on")
	}
}

func TestSpillIsBounded(t *testing.T) {
	s := newSpill(t.TempDir(), 1<<20)
	defer s.close()
	data := streamed(5, strings.Repeat("x", 1000))
	if err := s.begin(5, true); err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		if err := s.add(1, data); err != nil {
			if !errors.Is(err, errSpillFull) || s.used > 1<<20 {
				t.Errorf("%d bytes: error %v", s.used, err)
			}
			return
		}
	}
	t.Error("2 MB fit into 1 MB")
}

// TestManyTransactionsInProgress have little memory together (I5).
func TestManyTransactionsInProgress(t *testing.T) {
	s := newSpill(t.TempDir(), 1<<40)
	defer s.close()
	const transactions = 3 * spillBuffers / spillBuffer
	text := strings.Repeat("x", spillBuffer/5)
	for range 4 { // too little of each to be written by itself
		for xid := range uint32(transactions) {
			s.put(t, 1000+xid, 1000+xid, text)
		}
	}
	memory := 0
	for _, t := range s.txns {
		memory += cap(t.tail)
	}
	if memory > 2*spillBuffers || s.tails > 2*spillBuffers {
		t.Errorf("%d transactions take %d MB, %d MB of them used", transactions, memory>>20, s.tails>>20)
	}
	for xid := range uint32(transactions) {
		if got := contents(t, s.commit(1000+xid)); len(got) != 4 {
			t.Fatalf("transaction %d has %d messages", xid, len(got))
		}
		s.drop(s.txns[1000+xid])
	}
	if s.tails != 0 || s.used != 0 {
		t.Errorf("%d bytes are left, %d of them in memory", s.used, s.tails)
	}
}

// TestManySubtransactions has a subtransaction that writes in turn with those inside of it, as
// a loop with an exception handler in a function with one does: it need not be looked for
// among all of them each time.
func TestManySubtransactions(t *testing.T) {
	s := newSpill(t.TempDir(), 1<<40)
	defer s.close()
	const top, outer, inner = 5, 6, 500_000
	until := time.Now().Add(patience)
	for xid := range uint32(inner) {
		s.put(t, top, outer, "o")
		s.put(t, top, 1000+xid, "i")
		if time.Now().After(until) {
			t.Fatalf("%d subtransactions took %s", xid, patience)
		}
	}
	for xid := range uint32(inner) { // of tables that are not published
		if err := s.abort(top, 1_000_000+xid); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.abort(top, 1000+inner/2); err != nil {
		t.Fatal(err)
	}
	s.put(t, top, outer, "o")
	if got := len(contents(t, s.commit(top))); got != inner+2 {
		t.Errorf("%d messages are left, want %d", got, inner+2)
	}
	if err := s.abort(top, outer); err != nil {
		t.Fatal(err)
	}
	if s.used != 0 {
		t.Errorf("%d bytes are left of a transaction that was taken back", s.used)
	}
}

// TestSpillReplaysLargeMessages reads back messages beyond the buffer.
func TestSpillReplaysLargeMessages(t *testing.T) {
	s := newSpill(t.TempDir(), 1<<40)
	defer s.close()
	var want []string
	for i := range 20 {
		text := strings.Repeat(string(rune('a'+i)), i*spillBuffer/7)
		want = append(want, text)
		s.put(t, 5, 5, text)
	}
	if got := contents(t, s.commit(5)); !slices.Equal(got, want) {
		t.Errorf("got %d messages, want %d, or others", len(got), len(want))
	}
}
