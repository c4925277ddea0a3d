package mqtt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/sluice-data/sluice/connect"
)

// Ping connects to a server with a client id of its own and a clean session, so
// that it disturbs no session, and disconnects.
func (c *Config) Ping(ctx context.Context) error {
	cfg, tlsErrs := c.loadTLS()
	if len(tlsErrs) > 0 {
		return tlsErrs[0]
	}
	c.tlsConfig = cfg
	var errs attemptErrors
	for _, s := range c.servers {
		client, _, err := connectPaho(ctx, clientOptions{config: c, server: s, cleanSession: true, pingTimeout: pingTimeout,
			clientID: fmt.Sprintf("sluice-ping-%08x", rand.Uint32()), receive: func(message) {}})
		if err == nil {
			client.close()
			return nil
		}
		errs = append(errs, err)
	}
	var ce *connect.ConfigError
	if errors.As(errs, &ce) {
		return ce
	}
	return &connect.ConfigError{Option: optServerURI, Reason: fmt.Sprintf(
		"no broker answers (%s): check the host, the port and that the broker runs; the connector would keep trying", errs)}
}
