package schemaregistry_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

// answers are what clients were told before the power went.
type answers struct {
	mu       sync.Mutex // guards the fields below
	versions []schemaregistry.Version
	texts    map[int]string // of each id, hard deleted ones too
	deleted  map[schemaregistry.Name]bool
	closed   bool // the power is gone: nobody hears what comes now
}

func (a *answers) registered(t *testing.T, v schemaregistry.Version) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if text, ok := a.texts[v.ID]; ok && text != v.Schema.String() {
		t.Errorf("id %d is that of %s and of %s", v.ID, text, v.Schema)
	}
	a.texts[v.ID] = v.Schema.String()
	a.versions = append(a.versions, v)
}

func (a *answers) gone(n schemaregistry.Name) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deleted[n] = a.deleted[n] || !a.closed
}

// TestPowerCuts lets 32 clients register and delete and cuts the power three times: what was answered is there, and no id
// comes again for another schema, those of hard deleted schemas neither (I1, I7).
func TestPowerCuts(t *testing.T) {
	a := &answers{texts: make(map[int]string), deleted: make(map[schemaregistry.Name]bool)}
	fs := vfs.NewMem()
	for round := range 3 {
		opts, stopLog := registrytest.Cluster(t, fs, "/data")
		r, stop := registrytest.Start(t, opts)
		a.check(t, r)
		fs = a.churn(t, r, fs, round)
		stop()
		stopLog()
	}
	opts, _ := registrytest.Cluster(t, fs, "/data")
	r, _ := registrytest.Start(t, opts)
	a.check(t, r)
	a.registered(t, register(t, r, "last", record(`{"name":"last","type":"int"}`)))
	if len(a.versions) < 100 {
		t.Errorf("%d registrations are too few to say anything", len(a.versions))
	}
}

// churn returns what the power cut leaves.
func (a *answers) churn(t *testing.T, r *schemaregistry.Registry, fs *vfs.Mem, round int) (left *vfs.Mem) {
	var done atomic.Bool
	enough := make(chan struct{})
	var count atomic.Int64
	var clients sync.WaitGroup
	for c := range 32 {
		clients.Go(func() {
			for i := 0; !done.Load(); i++ {
				a.client(t, r, fmt.Sprintf("r%d_c%d_%d", round, c, i), i%5 == 4)
				if count.Add(1) == 100 {
					close(enough)
				}
			}
		})
	}
	<-enough
	a.mu.Lock()
	left = fs.CrashClone(rand.New(rand.NewPCG(uint64(round), 1)), float64(round)/2)
	a.closed = true
	a.mu.Unlock()
	done.Store(true)
	clients.Wait()
	a.closed = false
	return left
}

// client registers a schema and may delete it for good.
func (a *answers) client(t *testing.T, r *schemaregistry.Registry, unique string, remove bool) {
	n := name("s_" + unique)
	v, err := r.Register(t.Context(), n, schemaregistry.Input{Text: record(`{"name":"` + unique + `","type":"int"}`)}, schemaregistry.RegisterOptions{ID: -1})
	if err != nil {
		t.Errorf("register: %v", err)
		return
	}
	a.registered(t, v)
	if !remove {
		return
	}
	a.gone(n) // from here on it may be there or not
	for _, permanent := range []bool{false, true} {
		if _, err := r.DeleteSubject(t.Context(), n, permanent); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
}

func (a *answers) check(t *testing.T, r *schemaregistry.Registry) {
	t.Helper()
	for _, want := range a.versions {
		if a.deleted[want.Name] {
			continue
		}
		got, err := r.Version(t.Context(), want.Name, want.Number, false)
		if err != nil || got.ID != want.ID || got.Schema != want.Schema {
			t.Errorf("answered %+v, after the power cut %+v, %v", want, got, err)
		}
	}
}
