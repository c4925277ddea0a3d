package log

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
)

func TestProduceReadReopen(t *testing.T) {
	for _, name := range []string{"memory", "os"} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(vfs.NewMem())
			if name == "os" {
				cfg.FS, cfg.Dir = vfs.OS, t.TempDir()
			}
			l := mustOpen(t, cfg)
			mustCreate(t, l, "readings", 2, nil)
			p := mustPartition(t, l, "readings", 1)
			var want []string
			for i := range 300 {
				a, b := fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)
				if r := produce(t, p, a, b); r.BaseOffset != int64(2*i) || r.LastOffset != int64(2*i+1) {
					t.Fatalf("batch %d is at %+v", i, r)
				}
				want = append(want, a, b)
			}
			for _, maxBytes := range []int{0, 200, 5000, 1 << 20} {
				rs, err := readAll(p, 0, maxBytes)
				if err != nil || !reflect.DeepEqual(values(rs), want) {
					t.Fatalf("read by %d bytes: %d records, %v", maxBytes, len(rs), err)
				}
			}
			if rs, err := readAll(p, 301, 1000); err != nil || rs[0].value != "b150" {
				t.Fatalf("read from 301: %v, %v", rs[0], err)
			}
			id := l.ClusterID()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, cfg.FS, cfg.Dir)
			l = mustOpen(t, cfg)
			p = mustPartition(t, l, "readings", 1)
			rs, err := readAll(p, 0, 1<<20)
			if err != nil || !reflect.DeepEqual(values(rs), want) {
				t.Fatalf("after reopening: %d records, %v", len(rs), err)
			}
			if l.ClusterID() != id || id == "" {
				t.Errorf("cluster id is %q, was %q", l.ClusterID(), id)
			}
			if r := produce(t, p, "next"); r.BaseOffset != 600 {
				t.Errorf("next offset is %d, want 600", r.BaseOffset)
			}
		})
	}
}

func TestLocked(t *testing.T) {
	for name, cfg := range map[string]Config{"memory": testConfig(vfs.NewMem()), "os": {Dir: t.TempDir()}} {
		l := mustOpen(t, cfg)
		if _, err := Open(cfg); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: second Open: %v, want ErrLocked", name, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, cfg)
	}
}

// The partition of a group or a transactional id is the one that Kafka and its tools look in.
func TestPartitionFor(t *testing.T) {
	for _, tt := range []struct {
		id   string
		want int32 // abs(hashCode) % 50 in Java
	}{
		{"g", 3}, {"test", 48}, {"x-group2", 12 /* a negative hash */}, {"polygenelubricants", 0 /* the hash is the smallest int */}, {"😀", 49},
	} {
		if got := PartitionFor(tt.id, 50); got != tt.want {
			t.Errorf("PartitionFor(%q) = %d, want %d", tt.id, got, tt.want)
		}
	}
}
