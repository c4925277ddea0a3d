package mqtt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/sluice-data/sluice/connect"
)

// noTaker takes nothing: a client without subscriptions gets nothing.
type noTaker struct{}

func (noTaker) attach(acknowledger) {}
func (noTaker) connected(bool)      {}
func (noTaker) publish(*message)    {}
func (noTaker) released(uint16)     {}

// connector returns what connects with the version of MQTT that is asked for.
func (c *Config) connector() connector {
	if c.Version == "5" {
		return connectPaho5
	}
	return connectPaho
}

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
		client, _, err := c.connector()(ctx, clientOptions{config: c, server: s, cleanSession: true, pingTimeout: pingTimeout,
			clientID: fmt.Sprintf("sluice-ping-%08x", rand.Uint32()), taker: noTaker{}})
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
