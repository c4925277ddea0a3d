package schemaregistry_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/logtest"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
)

// hooks see what the Kafka clients of a registry do.
type hooks struct {
	mu sync.Mutex // guards the fields below
	// read is called for each record that comes, write for each that goes, ask for each request that was sent.
	read, write func()
	ask         func(key int16)
}

func (h *hooks) set(read, write func(), ask func(int16)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.read, h.write, h.ask = read, write, ask
}

func (h *hooks) get() (read, write func(), ask func(int16)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.read, h.write, h.ask
}

func (h *hooks) OnFetchRecordBuffered(*kgo.Record) {
	if read, _, _ := h.get(); read != nil {
		read()
	}
}

func (h *hooks) OnProduceRecordBuffered(*kgo.Record) {
	if _, write, _ := h.get(); write != nil {
		write()
	}
}

func (h *hooks) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if _, _, ask := h.get(); ask != nil {
		ask(key)
	}
}

// A registry that begins to write decides nothing before it has read all that the one before it wrote, however late that comes.
func TestOwnerReadsFirst(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	first, _ := registrytest.Start(t, opts)
	h := &hooks{}
	second, _ := registrytest.Start(t, append(slices.Clone(opts), kgo.WithHooks(h)))
	register(t, first, "a", `"int"`)
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	endOffset := kmsg.NewListOffsetsRequest()
	h.set(func() { <-gate }, open, func(key int16) {
		if key == endOffset.Key() { // it asks how far it has to read
			open()
		}
	})
	register(t, first, "b", `"string"`)
	if v := register(t, second, "c", `"long"`); v.ID != 3 {
		t.Errorf("id %d, want 3", v.ID)
	}
}

// A caller that leaves while its write is under way does not end it.
func TestCallerLeaves(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	h := &hooks{}
	r, _ := registrytest.Start(t, append(slices.Clone(opts), kgo.WithHooks(h)))
	ctx, leave := context.WithCancel(t.Context())
	h.set(nil, leave, nil)
	v, err := r.Register(ctx, name("s"), schemaregistry.Input{Text: `"int"`}, schemaregistry.RegisterOptions{ID: -1})
	if err != nil || v.ID != 1 || ctx.Err() == nil {
		t.Errorf("registered %+v, %v", v, err)
	}
}

// A registry that ends does not wait for the log: a write that is under way fails at once, and so does one that comes later.
func TestEndDuringWrite(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	h := &hooks{}
	r, stop := registrytest.Start(t, append(slices.Clone(opts), kgo.WithHooks(h)))
	register(t, r, "a", `"int"`)
	gate := make(chan struct{})
	defer close(gate)
	written := make(chan struct{})
	h.set(func() { <-gate }, sync.OnceFunc(func() { close(written) }), nil) // nothing is read back
	failed := make(chan error, 1)
	go func() {
		_, err := r.Register(context.Background(), name("b"), schemaregistry.Input{Text: `"string"`}, schemaregistry.RegisterOptions{ID: -1})
		failed <- err
	}()
	<-written
	go stop()
	if err := <-failed; code(err) != schemaregistry.CodeTimeout || !strings.Contains(err.Error(), "ended") {
		t.Errorf("the write under way: %v", err)
	}
	if _, err := r.Register(t.Context(), name("c"), schemaregistry.Input{Text: `"long"`}, schemaregistry.RegisterOptions{ID: -1}); code(err) != schemaregistry.CodeStore {
		t.Errorf("a write behind the end: %v", err)
	}
}

// A write while the broker refuses connections fails, and does not dial on and on before that.
func TestWriteWhileRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 2000
		way := logtest.Start(t).Refusing(most)
		r, _ := registrytest.Start(t, append(way.Opts(), kgo.MaxVersions(kversion.V3_9_0()), kgo.ConnIdleTimeout(time.Second)))
		register(t, r, "a", `"int"`)
		way.Refuse()
		<-time.After(time.Minute) // the connections are idle and end
		before, begin := way.Refused(), time.Now()
		_, err := r.Register(t.Context(), name("b"), schemaregistry.Input{Text: `"string"`}, schemaregistry.RegisterOptions{ID: -1})
		if code(err) != schemaregistry.CodeTimeout && code(err) != schemaregistry.CodeStore {
			t.Errorf("the write: %v", err)
		}
		if got := way.Refused() - before; got == 0 || got >= most {
			t.Errorf("got %d dials in %s, want some and fewer than %d", got, time.Since(begin), most)
		} else {
			t.Logf("%d dials in %s", got, time.Since(begin))
		}
	})
}
