package broker

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// saslHandshakeHandler is key 17, v0–v1: after v0 tokens come without a header,
// after v1 in SaslAuthenticate. It stays what it is: there is no flexible
// version (KAFKA-9577).
func saslHandshakeHandler() handler {
	return handler{
		key: kmsg.SASLHandshake, min: 0, max: 1, advertised: 0,
		shape: shape{str()}, // mechanism
		serve: (*Broker).saslHandshake,
	}
}

// saslHandshake begins an authentication, or a re-authentication (KIP-368).
func (b *Broker) saslHandshake(_ context.Context, r *request) {
	q := r.body.(*kmsg.SASLHandshakeRequest)
	resp := q.ResponseKind().(*kmsg.SASLHandshakeResponse)
	c := r.conn
	resp.SupportedMechanisms = append([]string{}, c.listener.Mechanisms...)
	err := c.checkHandshake(q.Mechanism)
	if resp.ErrorCode = errorCode(err); err == nil {
		c.begin(q.Mechanism)
		c.sasl.rawTokens = q.Version == 0 && !c.sasl.authenticated
	}
	r.last = err != nil && !c.isAuthenticated()
	r.reply(resp)
}

func (c *conn) checkHandshake(mechanism string) error {
	s := c.sasl
	switch {
	case s == nil:
		return withCode(kerr.IllegalSaslState, "there is no SASL on this listener")
	case s.exchange != nil:
		return withCode(kerr.IllegalSaslState, "an authentication is in progress")
	case !s.authenticated:
	case c.listener.MaxReauth == 0:
		return withCode(kerr.IllegalSaslState, "connections are not authenticated again on this listener")
	case time.Since(s.began) < minReauthInterval:
		return withCode(kerr.IllegalSaslState, "the last authentication was less than %v ago", minReauthInterval)
	case mechanism != s.mechanism:
		return withCode(kerr.IllegalSaslState, "the mechanism cannot change from %s", s.mechanism)
	}
	if !slices.Contains(c.listener.Mechanisms, mechanism) {
		return kerr.UnsupportedSaslMechanism
	}
	return nil
}
