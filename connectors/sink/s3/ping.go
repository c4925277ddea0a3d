package s3

import (
	"context"

	"github.com/sluice-data/sluice/connect"
)

// Ping asks the server for the bucket (HeadBucket).
func (c *Config) Ping(ctx context.Context) error {
	store, err := newStore(ctx, c)
	if err != nil {
		return &connect.ConfigError{Option: "aws.access.key.id", Reason: err.Error()}
	}
	defer store.idle()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout(0))
	defer cancel()
	if err := store.headBucket(ctx); err != nil {
		return store.remedy(err)
	}
	return nil
}
