package schemaregistry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Settings are what a registry is made with.
type Settings struct {
	// ClientOpts reach the cluster: seed brokers, or a dialer into this process.
	ClientOpts []kgo.Opt
	// Topic has the schemas. Default _schemas.
	Topic string
	// ReplicationFactor is for the topic when it does not exist yet; -1, the default, leaves it to the cluster.
	ReplicationFactor int16
	// Providers are the types of schemas that are served, in the order in which GET /schemas/types lists them.
	Providers []Provider
	// Level is the compatibility where none is configured. Default BACKWARD.
	Level Compatibility
	// FixedModes refuses changes of modes (mode.mutability=false).
	FixedModes bool
	Logger     *slog.Logger
}

func (s Settings) withDefaults() Settings {
	if s.Topic == "" {
		s.Topic = "_schemas"
	}
	if s.ReplicationFactor == 0 {
		s.ReplicationFactor = -1
	}
	if s.Level == "" {
		s.Level = Backward
	}
	return s
}

// Registry serves schemas. Its methods may be called from any number of goroutines; those that read wait until Run has read the
// topic, those that write return when what they wrote is durable (I1). Errors for clients are *Error.
type Registry struct {
	cfg       Settings
	providers map[string]Provider
	state     *state
	store     *store
	parsed    parsedCache

	ready   chan struct{}   // closed once the topic has been read
	writing chan struct{}   // has a token for whoever writes
	life    context.Context // ends with Run: what nobody reads back any more is not waited for
	end     context.CancelFunc
}

// New returns a registry that Run has to be called on.
func New(s Settings) *Registry {
	r := &Registry{cfg: s.withDefaults(), providers: make(map[string]Provider), state: newState(), ready: make(chan struct{}),
		writing: make(chan struct{}, 1)}
	for _, p := range s.Providers {
		r.providers[p.Type()] = p
	}
	r.store = newStore(&r.cfg, r.state)
	r.life, r.end = context.WithCancel(context.Background())
	return r
}

// Run works until ctx ends, and is called once. A change that is under way then fails unless it has been read back already. An error is one that no
// retry can help; it matches ErrPermanent.
func (r *Registry) Run(ctx context.Context) error {
	defer r.close()
	if err := r.open(ctx); err != nil {
		return err
	}
	var follower sync.WaitGroup
	follower.Go(func() { r.store.follow(ctx) })
	defer follower.Wait()
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, writeTimeout)
		err := r.store.readAll(attempt)
		cancel()
		if err == nil {
			close(r.ready)
			<-ctx.Done()
			return nil
		}
		r.cfg.Logger.Warn("read the schemas: it is tried again until it works", slog.Any("error", err))
		_ = sleep(ctx, time.Second)
	}
	return nil
}

// close ends the clients, and waits for a change that fails for it. It keeps the write token, so that none begins after it.
func (r *Registry) close() {
	r.end()
	r.store.close()
	r.writing <- struct{}{}
}

// open tries until the cluster answers.
func (r *Registry) open(ctx context.Context) error {
	last := ""
	for {
		attempt, cancel := context.WithTimeout(ctx, writeTimeout)
		err := r.store.open(attempt)
		cancel()
		switch {
		case err == nil || ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrPermanent):
			return err
		case err.Error() != last:
			last = err.Error()
			r.cfg.Logger.Warn("open the schemas: it is tried again until it works", slog.String("error", last))
		}
		if sleep(ctx, time.Second) != nil {
			return nil
		}
	}
}

// Ready tells whether the schemas have been read, so that what is asked for needs no waiting.
func (r *Registry) Ready() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

func (r *Registry) await(ctx context.Context) error {
	select {
	case <-r.ready:
		return nil
	case <-r.life.Done():
		return errEnded()
	case <-ctx.Done():
		return errorf(CodeTimeout, "The schemas have not been read from topic %s yet", r.cfg.Topic)
	}
}

func errEnded() *Error {
	return errorf(CodeStore, "The schema registry has ended; try again when it is back")
}

// change runs one change at a time: decide looks at the state, which nobody changes meanwhile, and returns the
// records to write, none when there is nothing to do. It is called again when another registry has written.
func (r *Registry) change(ctx context.Context, decide func() ([]record, error)) error {
	if err := r.await(ctx); err != nil {
		return err
	}
	// What is there already needs no turn, and another registry that writes is not fenced for it. All else may look different by then.
	if records, err := decide(); err == nil && len(records) == 0 {
		return nil
	}
	if r.life.Err() != nil {
		return errEnded()
	}
	select {
	case r.writing <- struct{}{}:
		defer func() { <-r.writing }()
	case <-r.life.Done():
		return errEnded()
	case <-ctx.Done():
		return errorf(CodeTimeout, "Write operation timed out: another change is under way")
	}
	// Half a change is worse than a late one: the caller's end does not cancel it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	for {
		if err := r.store.own(ctx); err != nil {
			return r.writeError(err)
		}
		records, err := decide()
		if err != nil || len(records) == 0 {
			return err
		}
		if err := r.store.write(ctx, records); !errors.Is(err, errFenced) {
			return r.writeError(err)
		}
	}
}

// writeError is storeError for a write, which fails in many ways when the registry ends under it.
func (r *Registry) writeError(err error) error {
	if err != nil && r.life.Err() != nil {
		return errorf(CodeTimeout, "The schema registry ended during the write operation, which may still take effect: %v", err)
	}
	return storeError(err)
}

// storeError says to a client what the log said.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return errorf(CodeTimeout, "Write operation timed out: %v; it may still take effect", err)
	}
	return errorf(CodeStore, "Error in the backend data store: %v", err)
}
