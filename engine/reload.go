package engine

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"
)

// watchReferences restarts connectors whose config has references to values that
// have changed (config.action.reload), until ctx ends. It reads the values again
// every ReloadInterval: times of files say little about secrets that are mounted
// or linked.
func (r *reconciler) watchReferences(ctx context.Context) {
	if len(r.plugins.providers) == 0 {
		return
	}
	tick := time.NewTicker(r.cfg.ReloadInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, name := range r.stores.configs.names() {
			r.compareReferences(name)
		}
	}
}

// compareReferences looks at one connector. A value that cannot be read now is
// left for the next time.
func (r *reconciler) compareReferences(name string) {
	want, ok := r.stores.configs.connector(name)
	if !ok || strings.TrimSpace(want.config["config.action.reload"]) == "none" {
		return
	}
	now := r.plugins.providers.resolve(want.config)
	if len(now.values) == 0 || len(now.errs) > 0 {
		return
	}
	r.post(func(r *reconciler) { r.reload(name, want.revision, now.sum) })
}

// reload restarts a connector that was prepared with other values.
func (r *reconciler) reload(name string, revision int64, sum [sha256.Size]byte) {
	c := r.connectors[name]
	if c != nil && !c.mine {
		r.reloadTasks(c, sum)
		return
	}
	if c == nil || c.preparing || c.prepared != revision || c.sum == sum {
		return
	}
	r.cfg.Logger.Info("a value that the config refers to has changed; the connector is restarted", logConnector, name)
	r.restart(name, restartRequest{IncludeTasks: true})
}
