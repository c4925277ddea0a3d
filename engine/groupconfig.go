package engine

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/cluster"
)

// GroupConfig is how a worker shares connectors with the other workers of its
// group.id. The zero value of a field but URL means its default.
type GroupConfig struct {
	// URL is where the other workers reach this one's REST API, http://host:port/.
	// Empty: there are no others, and the worker runs all connectors.
	URL string
	// Client sends requests to the REST API of other workers. nil: one that trusts
	// the system's certificates.
	Client *http.Client

	Protocol          string        // connect.protocol, cluster.Sessioned
	SessionTimeout    time.Duration // session.timeout.ms, 10 s
	HeartbeatInterval time.Duration // heartbeat.interval.ms, 3 s
	RebalanceTimeout  time.Duration // rebalance.timeout.ms, 60 s
	// MaxDelay is scheduled.rebalance.max.delay.ms: how long the work of a lost worker
	// waits for it to come back; 5 minutes by default, negative: not at all.
	MaxDelay time.Duration
	// SyncTimeout is worker.sync.timeout.ms: how long a worker may take to read what
	// the leader has read of the config topic before it leaves the group; 3 s.
	SyncTimeout time.Duration
	// UnsyncBackoff is worker.unsync.backoff.ms: how long it stays out of the group
	// at most, while it cannot; 5 minutes.
	UnsyncBackoff time.Duration
	// KeyTTL is inter.worker.key.ttl.ms: how often the leader makes a new key for the
	// signatures of requests between workers; 1 h.
	KeyTTL time.Duration
}

func (g *GroupConfig) setDefaults() {
	setDefault(&g.Protocol, cluster.Sessioned)
	setDefault(&g.SessionTimeout, 10*time.Second)
	setDefault(&g.HeartbeatInterval, 3*time.Second)
	setDefault(&g.RebalanceTimeout, time.Minute)
	setDefault(&g.MaxDelay, 5*time.Minute)
	setDefault(&g.SyncTimeout, 3*time.Second)
	setDefault(&g.UnsyncBackoff, 5*time.Minute)
	setDefault(&g.KeyTTL, time.Hour)
	if g.Client == nil {
		g.Client = NewPeerClient(nil)
	}
}

// alone tells that no other worker shares the group.id.
func (g *GroupConfig) alone() bool { return g.URL == "" }

func (g *GroupConfig) validate() error {
	if g.alone() {
		return nil
	}
	if u, err := url.Parse(g.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("advertised URL %q: want http://HOST:PORT/ or https://HOST:PORT/", g.URL)
	}
	return nil
}

// stopTimeout is how long a task may take to stop when its work is given to
// another worker: half of the session, since this worker may be the only one that
// does not know yet that it has lost it.
func (c *Config) stopTimeout() time.Duration {
	if c.Group.alone() {
		return c.TaskShutdownTimeout
	}
	return min(c.TaskShutdownTimeout, max(c.Group.SessionTimeout/2-2*abandonGrace, c.Group.SessionTimeout/4))
}

// defineGroup declares the properties of Kafka Connect's group membership.
func (o *workerOptions) defineGroup(d *connect.Def) {
	g := &o.cfg.Group
	ms := func(name, def string, v *time.Duration, doc string) connect.Option {
		return connect.Option{Name: name, Var: v, Default: def, Check: positive(v), Doc: doc}
	}
	d.Add(
		connect.Option{Name: "connect.protocol", Var: &g.Protocol, Default: cluster.Sessioned, Check: o.checkProtocol, Doc: "Group protocol: sessioned, or compatible beside workers older than Kafka 2.4."},
		ms("session.timeout.ms", "10000", &g.SessionTimeout, "How long the group waits for a heartbeat of this worker."),
		ms("heartbeat.interval.ms", "3000", &g.HeartbeatInterval, "Time between heartbeats."),
		ms("rebalance.timeout.ms", "60000", &g.RebalanceTimeout, "How long a rebalance waits for this worker."),
		connect.Option{Name: "scheduled.rebalance.max.delay.ms", Var: &g.MaxDelay, Default: "300000", Check: within(&g.MaxDelay, 0, 24*time.Hour), Doc: "How long the work of a lost worker waits for it to come back; 0: not at all."},
		ms("worker.sync.timeout.ms", "3000", &g.SyncTimeout, "How long a worker may take to read what its leader has read of the config topic."),
		ms("worker.unsync.backoff.ms", "300000", &g.UnsyncBackoff, "How long a worker that cannot read it stays out of the group at most."),
		ms("inter.worker.key.ttl.ms", "3600000", &g.KeyTTL, "How often the key of signatures between workers is renewed."),
	)
	for _, name := range []string{"inter.worker.key.generation.algorithm", "inter.worker.signature.algorithm", "inter.worker.verification.algorithms"} {
		d.Add(connect.Option{Name: name, Var: &o.signatures, Default: signatureAlgorithm, OneOf: []string{signatureAlgorithm}, Doc: "Algorithm of signatures between workers."})
	}
}

func (o *workerOptions) checkProtocol() error {
	switch o.cfg.Group.Protocol {
	case cluster.Sessioned, cluster.Compatible:
		return nil
	case "eager":
		return errors.New("eager stops all connectors at each rebalance and is not available; use sessioned, or compatible beside workers older than Kafka 2.4")
	}
	return errors.New("use sessioned or compatible")
}

// NewPeerClient returns a client for requests to other workers. TLS settings are
// those of the transport, which may be nil.
func NewPeerClient(transport *http.Transport) *http.Client {
	if transport == nil {
		transport = &http.Transport{}
	}
	transport.Proxy = nil // workers reach each other directly
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	transport.TLSHandshakeTimeout = 5 * time.Second
	transport.DisableKeepAlives = true          // requests are rare, and a worker that stops closes what is idle
	transport.MaxResponseHeaderBytes = 64 << 10 // I5
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
