package mqtt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Remove implements connect.Remover: the broker is told to forget the session,
// which it would go on filling. Connecting with a clean session does that (MQTT
// 3.1.1, section 3.1.2.4).
//
// Messages that wait in the session go with it. When the connector is deleted that
// is what it means; a connector that only has fewer tasks now would lose them. Their
// session is left, for the task that may come back.
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
	// Several servers may be one broker or several, each with a session. One that is away takes none of the time of another.
	errs := make([]error, len(c.servers))
	var removing sync.WaitGroup
	for i, s := range c.servers {
		removing.Go(func() {
			if errs[i] = c.removeSessionPatiently(ctx, s, clientID, rc.Deleted); errs[i] == nil {
				rc.Logger.Info("mqtt session removed from the broker", logServer, s.String(), logClientID, clientID)
			}
		})
	}
	removing.Wait()
	if errors.Join(errs...) != nil {
		return fmt.Errorf("the session of the client %q may be left on the broker: %w", clientID, errors.Join(errs...))
	}
	return nil
}

// removePause is between two attempts to reach a broker that is away.
const removePause = 500 * time.Millisecond

// removeSessionPatiently tries again until ctx ends, unless that is of no use.
func (c *Config) removeSessionPatiently(ctx context.Context, s server, clientID string, deleted bool) error {
	for {
		err := c.removeSession(ctx, s, clientID, deleted)
		if err == nil || isConfigError(err) || errors.Is(err, errMessagesWait) {
			return err
		}
		select {
		case <-time.After(removePause):
		case <-ctx.Done():
			return err
		}
	}
}

var errMessagesWait = errors.New("they are not in the log: raise tasks.max again to get them, or delete the connector to give them up")

// removeSession removes the session of one server.
func (c *Config) removeSession(ctx context.Context, s server, clientID string, deleted bool) error {
	if !deleted {
		waiting, err := c.waiting(ctx, s, clientID)
		if err == nil && waiting > 0 {
			err = fmt.Errorf("%s has %d messages or more for it: %w", s, waiting, errMessagesWait)
		}
		if err != nil {
			return err
		}
	}
	client, _, err := c.connector()(ctx, clientOptions{config: c, server: s, cleanSession: true, pingTimeout: pingTimeout,
		clientID: clientID, taker: noTaker{}})
	if err == nil {
		client.close()
	}
	return err
}

// fence is a filter that no session has: when the broker has answered that it is
// unsubscribed, it has sent what waited before.
const fence = "sluice/fence"

// settleTime is given to a broker that answers before it sends what waits.
const settleTime = 200 * time.Millisecond

// waiting returns how many messages the broker sends that waited in a session, none
// of which is acknowledged. The session's share of shared subscriptions goes to the
// other members from now on: those are subscribed to again with each start.
func (c *Config) waiting(ctx context.Context, s server, clientID string) (int64, error) {
	var seen waitingTaker
	client, present, err := c.connector()(ctx, clientOptions{config: c, server: s, pingTimeout: pingTimeout, clientID: clientID, taker: &seen})
	if err != nil || !present {
		if err == nil {
			client.close()
		}
		return 0, err
	}
	defer client.close()
	if err := client.unsubscribe(ctx, append(sharedOf(c.Topics), fence)); err != nil {
		return 0, err
	}
	select {
	case <-time.After(settleTime):
	case <-client.ended():
		return 0, client.err()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return seen.messages.Load(), nil
}

// waitingTaker counts messages that a session keeps.
type waitingTaker struct {
	noTaker
	messages atomic.Int64
}

func (t *waitingTaker) publish(m *message) {
	if m.qos > 0 {
		t.messages.Add(1)
	}
}

// sharedOf returns the shared subscriptions among filters.
func sharedOf(filters []string) (shared []string) {
	for _, f := range filters {
		if strings.HasPrefix(f, "$share/") {
			shared = append(shared, f)
		}
	}
	return shared
}

// clientID is the client id of a task.
func (c *Config) clientID(connector string, task int) string {
	if c.ClientID != "" {
		return c.ClientID // Split has added the task's number
	}
	return fmt.Sprintf("%s-%d", connector, task)
}
