package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/internal/loglevel"
)

// Worker runs connectors. Its methods may be called by any number of goroutines
// once it is made; they wait until Run has read the state from the log.
type Worker struct {
	cfg        Config
	plugins    *plugins
	stores     *stores
	reconciler *reconciler
	group      *group
	clusterID  atomic.Pointer[string]

	ready chan struct{} // closed once the state has been read
	over  chan struct{} // closed by refuse: changes are refused
	// refuse may be called more than once.
	refuse func()
	// noteTasksConfig logs, the first time, that a client uses what is deprecated.
	noteTasksConfig func()
	// changing has a token for the change that is under way: each looks at the
	// state and then writes.
	changing chan struct{}
}

// New returns a worker for a config. It does nothing until Run is called.
func New(cfg Config) (*Worker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Logger = cfg.Logger.With(loglevel.Key, loggerName)
	w := &Worker{cfg: cfg, ready: make(chan struct{}), over: make(chan struct{}), changing: make(chan struct{}, 1)}
	w.refuse = sync.OnceFunc(func() { close(w.over) })
	w.noteTasksConfig = sync.OnceFunc(func() {
		cfg.Logger.Warn("a client asks for GET /connectors/{connector}/tasks-config, which is deprecated; use GET /connectors/{connector}/tasks")
	})
	var err error
	if w.plugins, err = newPlugins(cfg.Plugins); err != nil {
		return nil, err
	}
	w.plugins.cfg = &w.cfg
	w.plugins.exactlyOnce = cfg.ExactlyOnceSource == ExactlyOnceEnabled
	w.plugins.topicCreationDisabled = cfg.TopicCreationDisabled
	w.plugins.workerGroup, w.plugins.clients = cfg.GroupID, cfg.Clients
	if w.plugins.overrides, err = newOverridePolicy(cfg.OverridePolicy, cfg.OverrideAllowlist); err != nil {
		return nil, fmt.Errorf("%s: %w", overridePolicyProperty, err)
	}
	if w.plugins.providers, err = newProviders(cfg.ConfigProviders); err != nil {
		return nil, err
	}
	if err := checkConverters(&w.cfg); err != nil {
		return nil, err
	}
	w.reconciler = newReconciler(&w.cfg, w.plugins)
	w.stores = newStores(&w.cfg, w.reconciler.changed)
	w.stores.statuses.onUnassigned = w.reconciler.unassigned
	w.reconciler.stores, w.stores.plugins = w.stores, w.plugins
	w.group = newGroup(&w.cfg, w.stores, w.reconciler, w.change)
	w.reconciler.group, w.stores.group = w.group, w.group
	if cfg.Metrics != nil {
		w.reconciler.meters.Register(cfg.Metrics, cfg.Plugins, w.describe)
		if !cfg.Group.alone() {
			w.reconciler.meters.WatchRebalances(w.group.rebalances)
		}
	}
	return w, nil
}

// Run works until ctx ends. Then changes are refused, the tasks finish their
// batches, commit and close, and Run returns; the cluster must answer until then.
// An error is one that no retry can help, such as a config topic with two
// partitions. Run is called once.
func (w *Worker) Run(ctx context.Context) error {
	defer w.refuse()
	if err := w.stores.connect(); err != nil {
		return err
	}
	defer w.close()
	if err := w.openStores(ctx); err != nil {
		return stopError(ctx, err)
	}
	following, stopFollowing := context.WithCancel(context.WithoutCancel(ctx))
	var follower sync.WaitGroup
	follower.Go(func() { w.stores.follower.run(following) })
	defer follower.Wait()
	defer stopFollowing()
	stop := context.AfterFunc(ctx, w.refuse)
	defer stop()
	if err := w.readState(ctx); err != nil {
		return stopError(ctx, err)
	}
	var reloader sync.WaitGroup
	reloader.Go(func() { w.reconciler.watchReferences(following) })
	defer reloader.Wait()
	defer stopFollowing()
	w.reconciler.forget()
	close(w.ready)
	w.cfg.Logger.Info("worker is ready", "worker_id", w.cfg.WorkerID, "group", w.cfg.GroupID, "connectors", len(w.stores.configs.names()))
	err := w.work(ctx)
	w.cfg.Logger.Info("worker has stopped")
	return err
}

// work runs connectors as a member of the group until ctx ends, or the group
// cannot have this worker, which is an error. The worker leaves the group when
// everything has stopped.
func (w *Worker) work(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	member, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	var err error
	var running sync.WaitGroup
	running.Go(func() { w.group.leads(member) })
	running.Go(func() {
		if err = w.group.run(member); err != nil {
			end()
		}
	})
	w.reconciler.run(ctx)
	w.refuse()
	w.awaitChange()
	leave()
	running.Wait()
	return err
}

// awaitChange lets a change that began before the end be read back.
func (w *Worker) awaitChange() {
	t := time.NewTimer(w.cfg.TaskShutdownTimeout)
	defer t.Stop()
	select {
	case w.changing <- struct{}{}:
	case <-t.C:
	}
}

// stopError drops the error that ctx made.
func stopError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// openStores tries until the cluster answers.
func (w *Worker) openStores(ctx context.Context) error {
	retry := backoff{limit: 10 * time.Second}
	trouble := newTrouble(w.cfg.Logger, "open the internal topics")
	for {
		attempt, cancel := context.WithTimeout(ctx, storeTimeout)
		err := w.stores.open(attempt)
		cancel()
		if err == nil || errors.Is(err, errPermanent) || ctx.Err() != nil {
			return err
		}
		trouble.note(err)
		if err := sleep(ctx, retry.next()); err != nil {
			return err
		}
	}
}

// readState waits for the follower to have read all there is.
func (w *Worker) readState(ctx context.Context) error {
	trouble := newTrouble(w.cfg.Logger, "read the internal topics")
	for {
		attempt, cancel := context.WithTimeout(ctx, storeTimeout)
		err := w.stores.readAll(attempt)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		trouble.note(err)
		_ = sleep(ctx, retryDelay)
	}
}

func (w *Worker) close() {
	w.stores.states.close()
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.OffsetFlushTimeout)
	defer cancel()
	w.stores.close(ctx)
}

// Ready returns a channel that is closed once the worker has read its state from
// the log and is in its group.
func (w *Worker) Ready() <-chan struct{} { return w.group.joined }

// Health says whether the worker has started and goes on working. It waits for an
// answer of the worker's own goroutine until ctx ends.
func (w *Worker) Health(ctx context.Context) Health {
	select {
	case <-w.ready:
	default:
		return Health{Starting, "Worker is still starting up. It is reading its state from the internal topics."}
	}
	select {
	case <-w.group.joined:
	default:
		return Health{Starting, "Worker is still starting up. It is joining the group of workers " + w.cfg.GroupID + "."}
	}
	alive := make(chan struct{})
	w.reconciler.post(func(*reconciler) { close(alive) })
	select {
	case <-alive:
		return Health{Healthy, "Worker has completed startup and is ready to handle requests."}
	case <-ctx.Done():
	case <-w.over:
	}
	return Health{Unhealthy, "Worker was unable to handle this request and may be unable to handle other requests."}
}

// Info returns the version and the cluster's id.
func (w *Worker) Info(ctx context.Context) (ServerInfo, error) {
	if err := w.await(ctx); err != nil {
		return ServerInfo{}, err
	}
	id := w.clusterID.Load()
	if id == nil {
		meta, err := w.stores.admin.BrokerMetadata(ctx)
		if err != nil {
			return ServerInfo{}, &Error{KindInternal, fmt.Sprintf("ask the cluster for its id: %v", err)}
		}
		id = &meta.Cluster
		w.clusterID.Store(id)
	}
	return ServerInfo{Version: Version, Commit: Commit, KafkaClusterID: *id}, nil
}

// await returns when the state has been read.
func (w *Worker) await(ctx context.Context) error {
	select {
	case <-w.ready:
		return nil
	default:
	}
	select {
	case <-w.ready:
		return nil
	case <-w.over:
		return errShuttingDown
	case <-ctx.Done():
		return &Error{KindInternal, "Request timed out. The worker is reading its state from the internal topics."}
	}
}

var errShuttingDown = &Error{KindUnavailable, "Worker is shutting down"}

// change runs one change at a time, as long as the worker takes changes.
func (w *Worker) change(ctx context.Context, f func() error) error {
	if err := w.await(ctx); err != nil {
		return err
	}
	select {
	case w.changing <- struct{}{}:
		defer func() { <-w.changing }()
	case <-ctx.Done():
		return &Error{KindInternal, "Request timed out. The worker is busy with another change."}
	case <-w.over:
		return errShuttingDown
	}
	select {
	case <-w.over:
		return errShuttingDown
	default:
		return f()
	}
}
