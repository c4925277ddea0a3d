package engine

import (
	"context"
	"maps"
)

// patchAttempts is how often a patch is tried that meets another change.
const patchAttempts = 10

// PatchConfig sets and removes options of a connector's config (KIP-477) and
// leaves the others as they are.
func (w *Worker) PatchConfig(ctx context.Context, name string, set map[string]string, remove []string) (ConnectorInfo, error) {
	for range patchAttempts {
		info, done, err := w.tryPatch(ctx, name, set, remove)
		if done || err != nil {
			return info, err
		}
	}
	return ConnectorInfo{}, &Error{KindConflict, "The config of " + name + " changes all the time; send the request again"}
}

// tryPatch checks the new config, which is slow, while others may change things,
// and returns false when they have.
func (w *Worker) tryPatch(ctx context.Context, name string, set map[string]string, remove []string) (ConnectorInfo, bool, error) {
	before, err := w.connector(ctx, name)
	if err != nil {
		return ConnectorInfo{}, false, err
	}
	config := maps.Clone(before.config)
	maps.Copy(config, set)
	for _, key := range remove {
		delete(config, key)
	}
	if name, config, err = w.accept(ctx, name, config); err != nil {
		return ConnectorInfo{}, false, err
	}
	done := false
	err = w.asLeader(ctx, func() error {
		now, err := w.connector(ctx, name)
		if err != nil || !maps.Equal(now.config, before.config) {
			return err
		}
		done = true
		return stored(w.stores.configs.putConnector(ctx, name, config, ""))
	})
	return w.info(name, config, len(before.tasks)), done, err
}
