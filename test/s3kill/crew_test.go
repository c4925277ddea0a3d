package s3kill

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/internal/loopback"
	"github.com/sluice-data/sluice/test/s3server"
)

// crew is a log with a generator, and workers of one group that write to S3 what it makes.
type crew struct {
	judge
	sink    sink
	link    *link   // from the first worker to the log
	gates   []*gate // from each worker to the S3 server
	workers []*worker
	config  string
}

// crewOptions are what differs between crews.
type crewOptions struct {
	workers, rate, partitions int
	session                   time.Duration     // of the workers in their group; those of the sink's consumers are 2 s
	sink                      map[string]string // settings of the sink
}

const consumerSession = 2 * time.Second

func newCrew(t *testing.T, o crewOptions) *crew {
	t.Helper()
	server, err := s3server.Start(s3server.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	c := &crew{judge: judge{t: t}, sink: sink{name: "crew-sink", topic: "ratings", counts: ".json", settings: map[string]string{
		"consumer.override.session.timeout.ms": fmt.Sprint(consumerSession.Milliseconds()), "consumer.override.heartbeat.interval.ms": "500"}}}
	maps.Copy(c.sink.settings, o.sink)
	if c.bucket, err = server.NewBucket(t.Context(), "crew"); err != nil {
		t.Fatal(err)
	}
	direct, through := freeAddress(t), freeAddress(t)
	c.link = newLink(t, through)
	c.log = newWorker(t, nil, fmt.Sprintf("listeners=PLAINTEXT://%s,FAR://%s\nadvertised.listeners=FAR://%s\nlistener.security.protocol.map=FAR:PLAINTEXT\n"+
		"group.min.session.timeout.ms=500\n", direct, through, c.link.addr()))
	c.log.mustAsk(t, http.MethodPost, "/connectors", generator(o.rate, o.partitions))
	c.config = fmt.Sprintf("group.id=crew\nconfig.storage.topic=crew-configs\noffset.storage.topic=crew-offsets\nstatus.storage.topic=crew-status\n"+
		"session.timeout.ms=%d\nheartbeat.interval.ms=500\nscheduled.rebalance.max.delay.ms=500\n", o.session.Milliseconds())
	for i := range o.workers {
		c.gates = append(c.gates, newGate(t, server.URL))
		at := direct
		if i == 0 {
			at = c.link.addr()
		}
		c.workers = append(c.workers, newWorker(t, s3server.Env(c.gates[i].URL), c.config, "--bootstrap-servers", at))
	}
	c.workers[0].mustAsk(t, http.MethodPost, "/connectors", c.sink.config(c.bucket.Name))
	return c
}

// awaitObjects waits for that many objects more.
func (c *crew) awaitObjects(more int) {
	c.t.Helper()
	before := -1
	eventually(c.t, time.Minute, func() error {
		keys, err := c.bucket.Keys(c.t.Context())
		if before < 0 {
			before = len(keys)
		}
		if err == nil && len(keys) < before+more {
			err = fmt.Errorf("%d objects, %d before", len(keys), before)
		}
		return err
	})
}

// check lets the generator stop and everything come to rest, and compares.
func (c *crew) check() {
	t := c.t
	t.Helper()
	c.log.stopGenerator(t)
	var rows int
	objects := make(map[string]counts)
	c.rest(c.workers[0], []sink{c.sink}, func() error {
		log := c.records("ratings")
		rows = c.rowsOnce(log)
		if err := c.readObjects(objects); err != nil {
			return err
		}
		if err := same(log.texts, c.sink.lines(objects)); err != nil {
			return err
		}
		return c.nothingPending()
	})
	for _, w := range c.workers {
		if w.Running() {
			w.End(syscall.SIGTERM)
		}
	}
	c.leftovers()
	// If-None-Match would save us once more, but nobody who may commit can meet an object of its own names.
	if n := c.logged("there is an object of this name already"); n > 0 {
		t.Errorf("%d times somebody has committed what another had: former owners are not kept out", n)
	}
	t.Logf("%d rows, the same in %d objects", rows, len(objects))
}

// logged counts the lines of workers' logs that have one of some texts.
func (c *crew) logged(texts ...string) int {
	n := 0
	for _, w := range c.workers {
		for line := range strings.Lines(w.log.String()) {
			for _, text := range texts {
				if strings.Contains(line, text) {
					n++
					break
				}
			}
		}
	}
	return n
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := loopback.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// gate stands between a worker and the S3 server. While it is shut, uploads are not completed.
type gate struct {
	*httptest.Server
	mu    sync.Mutex // guards shut and held
	shut  chan struct{}
	held  []string // names of objects whose completion waits or has waited since close
	parts atomic.Int64
	// sending has a token, for whoever waits for one, when a part comes: its commit is near.
	sending chan struct{}
}

func newGate(t *testing.T, server string) *gate {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // it is part of the signature
	}}
	g := &gate{sending: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Query().Has("partNumber") {
			g.parts.Add(1)
			select {
			case g.sending <- struct{}{}:
			default:
			}
		}
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && !strings.Contains(r.URL.Path, "_sluice") {
			body, _ := io.ReadAll(r.Body)
			r = r.WithContext(context.WithoutCancel(r.Context())) // it is on its way, whether or not somebody waits for the answer
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			g.pass(r.URL.Path)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		g.open()
		g.Server.Close()
	})
	return g
}

// pass waits while the gate is shut.
func (g *gate) pass(path string) {
	g.mu.Lock()
	shut := g.shut
	if shut != nil {
		g.held = append(g.held, strings.TrimPrefix(path, "/crew/"))
	}
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut, g.held = make(chan struct{}), nil
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) waiting() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// link is a network between a worker and the log. While it is cut, nothing arrives and nobody hears of it.
type link struct {
	listener net.Listener
	to       string
	mu       sync.Mutex // guards the rest
	healed   *sync.Cond
	down     bool
	conns    []net.Conn
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{listener: l, to: to}
	k.healed = sync.NewCond(&k.mu)
	var running sync.WaitGroup
	running.Go(func() { k.accept(&running) })
	t.Cleanup(func() {
		_ = l.Close()
		k.set(false)
		k.mu.Lock()
		for _, c := range k.conns {
			_ = c.Close()
		}
		k.mu.Unlock()
		running.Wait()
	})
	return k
}

func (k *link) addr() string { return k.listener.Addr().String() }

func (k *link) accept(running *sync.WaitGroup) {
	for {
		from, err := k.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", k.to)
		if err != nil {
			_ = from.Close()
			continue
		}
		k.mu.Lock()
		k.conns = append(k.conns, from, to)
		k.mu.Unlock()
		running.Go(func() { k.carry(from, to) })
		running.Go(func() { k.carry(to, from) })
	}
}

// carry passes bytes on. What is read while the link is cut arrives when it is healed.
func (k *link) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		k.mu.Lock()
		for k.down {
			k.healed.Wait()
		}
		k.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// set cuts the link, or heals it.
func (k *link) set(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
	k.healed.Broadcast()
}
