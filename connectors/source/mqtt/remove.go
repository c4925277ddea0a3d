package mqtt

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// Remove implements connect.Remover: the broker is told to forget the session,
// which it would go on filling. Connecting with a clean session does that (MQTT
// 3.1.1, section 3.1.2.4).
func (c *Config) Remove(ctx context.Context, rc connect.RemoveContext) error {
	if c.CleanSession || !c.SessionPurge {
		return nil
	}
	cfg, tlsErrs := c.loadTLS()
	if len(tlsErrs) > 0 {
		return tlsErrs[0]
	}
	c.tlsConfig = cfg
	clientID := c.clientID(rc.Connector, rc.Task)
	// Several servers may be one broker or several, each with a session.
	var errs []error
	for _, s := range c.servers {
		client, _, err := c.connector()(ctx, clientOptions{config: c, server: s, cleanSession: true, pingTimeout: pingTimeout,
			clientID: clientID, taker: noTaker{}})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		client.close()
		rc.Logger.Info("mqtt session removed from the broker", logServer, s.String(), logClientID, clientID)
	}
	if len(errs) > 0 {
		return fmt.Errorf("the session of the client %q may be left on the broker: %w", clientID, errors.Join(errs...))
	}
	return nil
}

// clientID is the client id of a task.
func (c *Config) clientID(connector string, task int) string {
	if c.ClientID != "" {
		return c.ClientID // Split has added the task's number
	}
	return fmt.Sprintf("%s-%d", connector, task)
}
