package broker

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/security"
	"github.com/sluice-data/sluice/log/txn"
)

// ErrClosed is returned by calls on a broker that was shut down.
var ErrClosed = errors.New("broker is closed")

// Config of [New]. Zero values mean the defaults given per field.
type Config struct {
	// Log holds the topics. Required; closed by its owner, after the broker.
	Log *log.Log
	// Groups coordinates consumer groups. Required; closed by its owner, after the broker.
	Groups *group.Coordinator
	// Txns coordinates transactions. Required; closed by its owner, after the broker.
	Txns *txn.Coordinator
	// Dir is the log's directory, which DescribeLogDirs tells. Required.
	Dir string
	// Logger gets state changes. Default: discard.
	Logger *slog.Logger
	// Metrics gets the broker's metrics. Default: nobody does.
	Metrics *metrics.Registry
	// AdvertisedAddr is the host:port that clients are told to dial, where their listener does not say. Default 127.0.0.1:9092.
	AdvertisedAddr string
	// Security has SCRAM credentials, ACLs and quotas. Default: there are none, and requests about them are refused.
	Security *security.Store
	// Authorizer decides what clients may do (authorizer.class.name). Default: everything.
	Authorizer *security.Authorizer
	// NodeID of this broker (node.id).
	NodeID int32
	// DisableAutoCreate refuses to create a topic because its metadata was asked for (auto.create.topics.enable=false).
	DisableAutoCreate bool
	// NumPartitions of a topic that does not say (num.partitions). Default 1.
	NumPartitions int
	// MaxTotalPartitions of all topics together, beyond which clients cannot create more (I5). Default 50,000.
	MaxTotalPartitions int

	// MaxConnections at a time, those in memory not counted (max.connections). Default 1,000.
	MaxConnections int
	// MaxConnectionsPerIP at a time from one address (max.connections.per.ip). Default: no limit.
	MaxConnectionsPerIP int
	// MaxConnectionsPerIPOverrides of addresses (max.connections.per.ip.overrides); 0 refuses all.
	MaxConnectionsPerIPOverrides map[string]int
	// MaxFrameBytes of one request (socket.request.max.bytes). Default 100 MiB.
	MaxFrameBytes int
	// MaxInFlightBytes of requests being read or handled, all connections together (queued.max.request.bytes). Default 256 MiB.
	MaxInFlightBytes int64
	// MaxInFlightRequests of one connection, waiting for their answer. Default 64.
	MaxInFlightRequests int
	// MaxFetchBytes of one fetch response (fetch.max.bytes), a single larger batch excepted. Default 4 MiB: clients ask for
	// 50 MiB and more, but buffers of that size are new memory for each answer, and copying them holds up the garbage collector.
	MaxFetchBytes int
	// MaxFetchMemory of fetched records waiting to be sent, all connections together. Default 256 MiB.
	MaxFetchMemory int64
	// IdleTimeout closes a connection that sends no request (connections.max.idle.ms). Default 10 min.
	IdleTimeout time.Duration
	// FrameTimeout closes a connection that begins a frame and then takes longer than this for its first 64 KiB, for
	// each doubling after that, or waiting for room in MaxInFlightBytes. Default 30 s.
	FrameTimeout time.Duration
	// MaxUnauthenticatedFrameBytes of one request before the client has authenticated (sasl.server.max.receive.size). Default 64 KiB, which
	// is what a frame may have without a share of MaxInFlightBytes: strangers cannot use that up.
	MaxUnauthenticatedFrameBytes int
	// AuthTimeout closes a connection that has not authenticated, its TLS handshake included. Default 30 s.
	AuthTimeout time.Duration
	// FailedAuthDelay is how long a failed authentication waits for its answer (connection.failed.authentication.delay.ms). Default 100 ms.
	FailedAuthDelay time.Duration
	// WriteTimeout closes a connection that takes no bytes of an answer. Default 30 s.
	WriteTimeout time.Duration
}

func (c Config) withDefaults() Config {
	def(&c.Logger, slog.New(slog.DiscardHandler))
	def(&c.AdvertisedAddr, "127.0.0.1:9092")
	def(&c.NumPartitions, 1)
	def(&c.MaxTotalPartitions, 50_000)
	def(&c.MaxConnections, 1000)
	def(&c.MaxFrameBytes, 100<<20)
	def(&c.MaxInFlightBytes, 256<<20)
	def(&c.MaxInFlightRequests, 64)
	def(&c.MaxFetchBytes, 4<<20)
	def(&c.MaxFetchMemory, 256<<20)
	def(&c.IdleTimeout, 10*time.Minute)
	def(&c.FrameTimeout, 30*time.Second)
	def(&c.MaxUnauthenticatedFrameBytes, firstGrowBytes)
	def(&c.AuthTimeout, 30*time.Second)
	def(&c.FailedAuthDelay, 100*time.Millisecond)
	def(&c.WriteTimeout, 30*time.Second)
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Broker serves the Kafka protocol. It is safe for use by many goroutines.
type Broker struct {
	cfg         Config
	handlers    map[kmsg.Key]*handler
	buffers     bufferPool
	inFlight    *semaphore.Weighted // request bytes
	fetchMemory *semaphore.Weighted // response bytes
	tasks       sync.WaitGroup      // connections
	alterMu     sync.Mutex          // serialises changes of configs
	dynamic     atomic.Pointer[dynamic]
	traffic     traffic
	sessions    fetchSessions

	connsCreated, connsRefused atomic.Int64

	memory   *listener         // of connections in this process
	limiter  *security.Limiter // nil: there are no quotas
	refusals rareLog
	denials  rareLog
	failures rareLog // of authentication and TLS

	mu        sync.Mutex // guards the fields below
	conns     map[*conn]struct{}
	perHost   map[string]int // connections of clients
	listeners map[net.Listener]*listener
	closed    bool
}

// New returns a broker that serves nothing yet. It returns an error when
// AdvertisedAddr is not host:port.
func New(cfg Config) (*Broker, error) {
	cfg = cfg.withDefaults()
	b := &Broker{
		cfg:         cfg,
		handlers:    map[kmsg.Key]*handler{},
		inFlight:    semaphore.NewWeighted(cfg.MaxInFlightBytes),
		fetchMemory: semaphore.NewWeighted(cfg.MaxFetchMemory),
		conns:       map[*conn]struct{}{},
		perHost:     map[string]int{},
		listeners:   map[net.Listener]*listener{},
	}
	var err error
	if b.memory, err = b.newListener(Listener{}); err != nil {
		return nil, err
	}
	b.memory.trusted = true
	if cfg.Security != nil {
		b.limiter = security.NewLimiter(cfg.Security)
	}
	for _, h := range handlers() {
		h.metrics = newAPIMetrics(&h)
		b.handlers[h.key] = &h
	}
	b.loadDynamic(cfg.Log.BrokerOverrides())
	if cfg.Metrics != nil {
		b.registerMetrics(cfg.Metrics)
	}
	return b, nil
}

func (b *Broker) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// Shutdown stops accepting, lets every connection finish and answer the request
// in progress, and returns when all are closed. When ctx ends first, the rest
// are cut and ctx's error is returned.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.drain()
	done := make(chan struct{})
	go func() {
		b.tasks.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		b.cut()
		<-done
		return ctx.Err()
	}
}

// Close cuts every connection and waits for their goroutines.
func (b *Broker) Close() error {
	b.drain()
	b.cut()
	b.tasks.Wait()
	return nil
}

func (b *Broker) drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for ln := range b.listeners {
		ln.Close()
	}
	for c := range b.conns {
		c.drain()
	}
}

func (b *Broker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.socket.Close()
	}
}
