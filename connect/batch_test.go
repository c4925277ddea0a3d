package connect

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

func TestBatchMemoryStaysPutUntilReset(t *testing.T) {
	b := NewBatch(1000, 1<<20)
	var texts []string
	for i := range 5000 {
		texts = append(texts, b.Text(fmt.Appendf(nil, "%0*d", i%700, i)))
	}
	for i, got := range texts {
		if want := fmt.Sprintf("%0*d", i%700, i); got != want {
			t.Fatalf("text %d: got %q, want %q", i, got, want)
		}
	}
}

func TestAppendStartsClean(t *testing.T) {
	b := NewBatch(2, 100)
	r := b.Append()
	r.Topic, r.Key, r.Headers, r.Timestamp = "t", Int8Value(1), b.Headers(1), 5
	b.Reset()
	r = b.Append()
	if r.Topic != "" || !r.Key.IsNull() || r.Headers != nil || r.Partition != AnyPartition || r.Timestamp != NoTimestamp || r.Offset != -1 {
		t.Errorf("a new record has rests of an old one: %+v", r)
	}
}

func TestCellsAndHeadersStartClean(t *testing.T) {
	b := NewBatch(10, 100)
	b.Cells(3)[1] = Int8Value(1)
	b.Headers(2)[0].Key = "k"
	b.Reset()
	if got := b.Cells(3)[1]; !got.IsNull() {
		t.Errorf("cell: got %s, want null", got)
	}
	if got := b.Headers(2)[0].Key; got != "" {
		t.Errorf("header: got %q, want none", got)
	}
}

func TestBatchIsFull(t *testing.T) {
	byCount := NewBatch(2, 10_000)
	byCount.Append()
	if byCount.Full() {
		t.Error("full after one record of two")
	}
	byCount.Append()
	if !byCount.Full() {
		t.Error("not full after two records of two")
	}
	bySize := NewBatch(100, 10)
	bySize.Bytes(make([]byte, 10))
	if !bySize.Full() {
		t.Error("not full after ten bytes of ten")
	}
	byRecords := NewBatch(100, 1000)
	for n := 0; !byRecords.Full(); n++ {
		if n == 99 {
			t.Fatalf("not full after %d records of more than ten bytes", n)
		}
		byRecords.Append()
	}
	byCells := NewBatch(100, 1000)
	for n := 0; !byCells.Full(); n++ {
		if n == 1000 {
			t.Fatalf("not full after %d cells", n)
		}
		byCells.Cells(1)
	}
	byHeaders := NewBatch(100, 1000)
	for n := 0; !byHeaders.Full(); n++ {
		if n == 1000 {
			t.Fatalf("not full after %d headers", n)
		}
		byHeaders.Headers(1)
	}
}

func TestMarkCopiesAndCounts(t *testing.T) {
	b := NewBatch(10, 100)
	offset := []byte(`{"lsn":1}`)
	b.Append()
	b.Append()
	b.Mark(Mark{Partition: []byte(`{"server":"a"}`), Offset: offset, Token: 9})
	copy(offset, "garbage!!")
	m := b.Marks()[0]
	if string(m.Offset) != `{"lsn":1}` || m.Records != 2 || m.Token != 9 {
		t.Errorf("got offset %s records %d token %d", m.Offset, m.Records, m.Token)
	}
	b.Mark(Mark{Token: 10})
	if b.Marks()[1].Partition != nil {
		t.Error("a mark without a partition got one")
	}
}

func TestFilterCorrectsMarks(t *testing.T) {
	b := NewBatch(10, 100)
	mark := func() { b.Mark(Mark{}) }
	mark() // before everything
	for i := range 6 {
		b.Append().Timestamp = int64(i)
		if i == 2 || i == 5 {
			mark()
		}
	}
	b.Filter(func(r *Record) bool { return r.Timestamp%2 == 1 }) // keeps 1, 3, 5
	var kept []int64
	for _, r := range b.Records() {
		kept = append(kept, r.Timestamp)
	}
	if want := []int64{1, 3, 5}; !slices.Equal(kept, want) {
		t.Errorf("records: got %v, want %v", kept, want)
	}
	var covered []int
	for _, m := range b.Marks() {
		covered = append(covered, m.Records)
	}
	if want := []int{0, 1, 3}; !slices.Equal(covered, want) {
		t.Errorf("marks cover: got %v, want %v", covered, want)
	}
}

func TestOversizedChunkIsGivenBack(t *testing.T) {
	b := NewBatch(10, 100)
	b.Buffer(8 << 20)
	b.Reset()
	var kept int
	for _, c := range b.data.chunks {
		kept += cap(c)
	}
	if kept > slabLast {
		t.Errorf("%d bytes are held after a reset", kept)
	}
}

func TestBatchReuseDoesNotAllocate(t *testing.T) {
	b := NewBatch(100, 1<<20)
	payload := bytes.Repeat([]byte("x"), 200)
	fill := func() {
		b.Reset()
		for !b.Full() {
			r := b.Append()
			r.Value = BytesValue(b.Bytes(payload))
			r.Headers = b.Headers(4)
			r.Key = StructValue(b.Cells(10))
		}
		b.Mark(Mark{Token: 1})
	}
	fill()
	if got := testing.AllocsPerRun(100, fill); got != 0 {
		t.Errorf("refilling a batch allocates %g times, want 0", got)
	}
}
