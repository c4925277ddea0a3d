package txn

import (
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Producer ids are never given twice, whatever a power cut leaves of the block.
func TestProducerIDsSurviveRestarts(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/d"); err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for range 5 {
		p := producerIDs{dir: "/d", fs: fs}
		for range producerIDBlock + 10 {
			id, err := p.next()
			if err != nil || seen[id] {
				t.Fatalf("id %d (%v), given before: %v", id, err, seen[id])
			}
			seen[id] = true
		}
	}
	f, err := fs.OpenFile("/d/"+producerIDFile, vfs.Create|vfs.Truncate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("0\n12"), 0); err != nil { // no newline: cut off
		t.Fatal(err)
	}
	if id, err := (&producerIDs{dir: "/d", fs: fs}).next(); err == nil {
		t.Errorf("a damaged file gave id %d", id)
	}
}
