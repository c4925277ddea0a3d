package log

import (
	"errors"
	"slices"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/batch"
)

// Every durable batch comes once and in order, over segments and from the log start offset on; an error of the function ends it.
func TestEachBatch(t *testing.T) {
	l := mustOpen(t, testConfig(vfs.NewMem()))
	mustCreate(t, l, "t", 1, map[string]string{"segment.bytes": "1024"})
	p := mustPartition(t, l, "t", 0)
	var want []int64
	for range 40 {
		want = append(want, produce(t, p, "some", "values").BaseOffset)
	}
	if _, err := p.DeleteRecords(want[3]); err != nil {
		t.Fatal(err)
	}
	var got []int64
	collect := func(h *batch.Header, b []byte) error {
		if h.Size() != len(b) {
			t.Errorf("batch at %d has %d bytes, got %d", h.BaseOffset, h.Size(), len(b))
		}
		got = append(got, h.BaseOffset)
		return nil
	}
	if err := p.EachBatch(collect); err != nil || !slices.Equal(got, want[3:]) {
		t.Errorf("offsets %v, error %v; want %v", got, err, want[3:])
	}
	enough := errors.New("enough")
	n := 0
	err := p.EachBatch(func(*batch.Header, []byte) error { n++; return enough })
	if n != 1 || err != enough {
		t.Errorf("called %d times, error %v; want once and its error", n, err)
	}
}
