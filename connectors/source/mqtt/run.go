package mqtt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

const (
	// firstBackoff bounds the first wait between attempts to connect; the bound
	// doubles up to max.retry.time.ms.
	firstBackoff = time.Second
	// pingTimeout is how long the answer to a ping may take. The queue may hold up
	// reading for maxWait of it.
	pingTimeout = 20 * time.Second
	// takeoverHint is how many short connections in a row raise the suspicion of a
	// second client with the same id.
	takeoverHint = 3
)

// Keys of log attributes.
const (
	logServer         = "server"
	logClientID       = "client_id"
	logSessionPresent = "session_present"
	logAttempt        = "attempt"
	logError          = "error"
)

// run keeps a connection until ctx ends or something is wrong that trying again
// does not mend.
func (s *Source) run(ctx context.Context) {
	w := watch{source: s, longest: s.config.MaxRetry, expiry: -1}
	for {
		began := time.Now()
		connected, err := s.runConnection(ctx, &w)
		if ctx.Err() != nil {
			return
		}
		if err = permanent(err); isConfigError(err) {
			s.failure = err
			close(s.failed)
			return
		}
		if !w.wait(ctx, connected, time.Since(began), err) {
			return
		}
	}
}

// runConnection connects, serves the connection until it ends and returns why.
func (s *Source) runConnection(ctx context.Context, w *watch) (connected bool, err error) {
	overflow := make(chan error, 1)
	c, server, present, err := s.connectAny(ctx, func(err error) { overflow <- err })
	if err != nil {
		return false, err
	}
	defer c.close()
	defer s.numbers.connected.Store(false)
	if err := s.subscribe(ctx, c, present); err != nil {
		return false, err
	}
	w.up(server, present)
	w.kept(c.keptFor())
	select {
	case <-c.ended():
		return true, c.err()
	case err := <-overflow:
		return true, err
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// connectAny tries the servers in order.
func (s *Source) connectAny(ctx context.Context, overflow func(error)) (client, server, bool, error) {
	var errs attemptErrors
	for _, server := range s.config.servers {
		c, present, err := s.connect(ctx, clientOptions{config: &s.config, server: server,
			clientID: s.session.clientID, cleanSession: s.config.CleanSession, pingTimeout: s.pingTimeout,
			announce: s.announce, taker: s.receiver(overflow)})
		if err == nil {
			return c, server, present, nil
		}
		errs = append(errs, err)
	}
	return nil, server{}, false, errs
}

// attemptErrors are the errors of several servers, in one line.
type attemptErrors []error

func (e attemptErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e attemptErrors) Unwrap() []error { return e }

// subscribe brings the session's subscriptions to what the config wants.
func (s *Source) subscribe(ctx context.Context, c client, present bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.ConnectTimeout)
	defer cancel()
	add, again, remove := s.session.changes(present)
	o := subscribeOptions{qos: s.config.QoS, noRetained: s.config.Retained == retainedDrop}
	if err := s.subscribeTo(ctx, c, add, o); err != nil {
		return err
	}
	o.again = true
	if err := s.subscribeTo(ctx, c, again, o); err != nil {
		return err
	}
	if err := c.unsubscribe(ctx, remove); err != nil {
		return err
	}
	if err := s.watchDrops(ctx, c, present); err != nil {
		return err
	}
	s.session.subscribed()
	return nil
}

func (s *Source) subscribeTo(ctx context.Context, c client, filters []string, o subscribeOptions) error {
	codes, err := c.subscribe(ctx, filters, o)
	if err != nil {
		return err
	}
	return s.checkGranted(codes)
}

func (s *Source) checkGranted(codes map[string]byte) error {
	var refused []string
	for filter, code := range codes {
		if code >= subscribeRefused {
			if s.config.Version == "5" {
				filter += " (" + reasonText(code, "") + ")"
			}
			refused = append(refused, filter)
		} else if int(code) < s.config.QoS {
			s.log.Warn("mqtt broker grants a lower QoS than asked for", "filter", filter, "asked", s.config.QoS, "granted", code)
		}
	}
	if refused == nil {
		return nil
	}
	slices.Sort(refused)
	return &connect.ConfigError{Option: optTopics, Reason: fmt.Sprintf(
		"the broker refuses to subscribe %s: correct the filter or let the user read it", strings.Join(refused, ", "))}
}

// permanent makes a config error of the errors of a connection that would come
// again each time.
func permanent(err error) error {
	var size *packetSizeError
	if errors.As(err, &size) {
		return &connect.ConfigError{Option: optMaxPacket, Reason: fmt.Sprintf(
			"the broker sends a packet of %d bytes, the limit is %d: set it higher, or let the message expire", size.size, size.limit)}
	}
	return err
}

func isConfigError(err error) bool {
	var c *connect.ConfigError
	return errors.As(err, &c)
}

// watch keeps the time between attempts to connect, and logs when the state of
// the connection changes: once, not for every attempt.
type watch struct {
	source  *Source
	longest time.Duration
	attempt int  // failed attempts and short connections in a row
	short   int  // short connections in a row
	down    bool // logged as down
	// expiry is for how many seconds the broker keeps the session, as was logged; -1
	// before that.
	expiry int64
}

// up notes that the connection stands.
func (w *watch) up(server server, present bool) {
	w.source.numbers.connected.Store(true)
	w.source.numbers.connections.Add(1)
	w.source.log.Info("mqtt connected", logServer, server.String(), logClientID, w.source.session.clientID,
		logSessionPresent, present, logAttempt, w.attempt+1)
	w.down = false
}

// kept says once when the broker keeps the session for a shorter time than it was asked
// to: what is published while the connector is away for longer is lost.
func (w *watch) kept(seconds int64, fewer bool) {
	if fewer && seconds < w.source.config.SessionExpiry && seconds != w.expiry {
		w.expiry = seconds
		w.source.log.Warn("mqtt broker keeps the session for a shorter time than "+optSessionExpiry+" asks for: what is published while the "+
			"connector is away for longer is lost; let the broker allow more", "asked", w.source.config.SessionExpiry, "granted", seconds)
	}
}

// wait waits before the next attempt and returns false when ctx ends first. A
// connection that lasted starts the backoff anew; one that did not lets it grow,
// or two clients with one id would take it from each other without a pause.
func (w *watch) wait(ctx context.Context, connected bool, lasted time.Duration, err error) bool {
	switch {
	case connected && lasted > 2*w.longest:
		w.attempt, w.short = 0, 0
	case connected:
		w.short++
	}
	w.logDown(connected, err)
	if errors.Is(err, errQueueFull) && !w.source.queue.drained(ctx) {
		return false
	}
	pause := time.NewTimer(w.backoff())
	defer pause.Stop()
	w.attempt++
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *watch) logDown(connected bool, err error) {
	if w.down {
		return
	}
	w.down = true
	text := "mqtt broker cannot be used, trying again"
	if connected {
		text = "mqtt connection lost, connecting again"
	}
	if w.short >= takeoverHint {
		text += "; connections are short, does another client use the same " + optClientID + "?"
	}
	w.source.log.Warn(text, logError, err, logClientID, w.source.session.clientID)
}

// backoff is a random time up to a bound that doubles with each attempt.
func (w *watch) backoff() time.Duration {
	bound := w.longest
	if w.attempt < 16 {
		bound = min(bound, firstBackoff<<w.attempt)
	}
	return rand.N(bound) + 1
}
