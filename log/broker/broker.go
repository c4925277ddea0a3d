package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/group"
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
	// AdvertisedAddr is the host:port that clients are told to dial. Default 127.0.0.1:9092.
	AdvertisedAddr string
	// NodeID of this broker (node.id).
	NodeID int32
	// DisableAutoCreate refuses to create a topic because its metadata was asked for (auto.create.topics.enable=false).
	DisableAutoCreate bool
	// NumPartitions of a topic that does not say (num.partitions). Default 1.
	NumPartitions int
	// MaxTotalPartitions of all topics together, beyond which clients cannot create more (I5). Default 50,000.
	MaxTotalPartitions int

	// MaxConnections at a time, in-memory ones included (max.connections). Default 1,000.
	MaxConnections int
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
	host        string // of AdvertisedAddr
	port        int32
	handlers    map[kmsg.Key]*handler
	buffers     bufferPool
	inFlight    *semaphore.Weighted // request bytes
	fetchMemory *semaphore.Weighted // response bytes
	tasks       sync.WaitGroup      // connections
	alterMu     sync.Mutex          // serialises changes of topic configs

	mu        sync.Mutex // guards the fields below
	conns     map[*conn]struct{}
	listeners map[net.Listener]struct{}
	refusing  bool // the last connection was refused: said once in the log
	closed    bool
}

// New returns a broker that serves nothing yet. It returns an error when
// AdvertisedAddr is not host:port.
func New(cfg Config) (*Broker, error) {
	cfg = cfg.withDefaults()
	host, portText, err := net.SplitHostPort(cfg.AdvertisedAddr)
	if err != nil {
		return nil, fmt.Errorf("parse advertised address %q: %w", cfg.AdvertisedAddr, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("parse port of advertised address %q: %w", cfg.AdvertisedAddr, err)
	}
	b := &Broker{
		cfg:         cfg,
		host:        host,
		port:        int32(port),
		handlers:    map[kmsg.Key]*handler{},
		inFlight:    semaphore.NewWeighted(cfg.MaxInFlightBytes),
		fetchMemory: semaphore.NewWeighted(cfg.MaxFetchMemory),
		conns:       map[*conn]struct{}{},
		listeners:   map[net.Listener]struct{}{},
	}
	for _, h := range handlers() {
		b.handlers[h.key] = &h
	}
	return b, nil
}

// Serve accepts connections on ln until ctx ends or the broker is shut down, and
// closes ln. It returns nil then, and the accept error otherwise. Connections
// outlive it; Shutdown ends them.
func (b *Broker) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if !b.addListener(ln) {
		return ErrClosed
	}
	defer b.removeListener(ln)
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			b.start(nc) // refused ones are closed and logged there
		case ctx.Err() != nil || b.isClosed():
			return nil
		case isTemporary(err):
			b.cfg.Logger.Warn("accept failed; trying again", "error", err)
			if !sleep(ctx, 100*time.Millisecond) {
				return nil
			}
		default:
			return fmt.Errorf("accept connection: %w", err)
		}
	}
}

// isTemporary reports errors such as running out of descriptors.
func isTemporary(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && !errors.Is(err, net.ErrClosed)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// DialContext returns a connection to this broker that stays in memory, whatever
// the network and address: it fits kgo.Dialer.
func (b *Broker) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := newPipe()
	if err := b.start(server); err != nil {
		client.Close()
		return nil, fmt.Errorf("dial embedded broker: %w", err)
	}
	return client, nil
}

var errTooManyConnections = errors.New("too many connections")

// start serves nc in goroutines of its own, or closes it and says why not.
func (b *Broker) start(nc net.Conn) error {
	ctx, cancel := context.WithCancel(context.Background())
	c := &conn{
		b:       b,
		nc:      nc,
		host:    hostOf(nc.RemoteAddr()),
		log:     b.cfg.Logger,
		cancel:  cancel,
		pending: make(chan *request, b.cfg.MaxInFlightRequests),
	}
	if err := b.addConn(c); err != nil {
		cancel()
		nc.Close()
		return err
	}
	go func() {
		defer b.tasks.Done()
		defer b.removeConn(c)
		c.run(ctx)
	}()
	return nil
}

// addConn counts c in, and in tasks.
func (b *Broker) addConn(c *conn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if len(b.conns) >= b.cfg.MaxConnections { // I5
		if !b.refusing {
			b.refusing = true
			b.cfg.Logger.Warn("connection refused: too many are open", "limit", b.cfg.MaxConnections)
		}
		return errTooManyConnections
	}
	b.refusing = false
	b.conns[c] = struct{}{}
	b.tasks.Add(1)
	return nil
}

func (b *Broker) removeConn(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
}

func (b *Broker) addListener(ln net.Listener) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.listeners[ln] = struct{}{}
	}
	return !b.closed
}

func (b *Broker) removeListener(ln net.Listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, ln)
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
		c.nc.Close()
	}
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
