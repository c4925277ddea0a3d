package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// saslAuthenticateHandler is key 36, v0–v2: v1 session lifetime (KIP-368), v2
// flexible.
func saslAuthenticateHandler() handler {
	return handler{
		key: kmsg.SASLAuthenticate, min: 0, max: 2, advertised: 0,
		shape: shape{blob()}, // token
		serve: (*Broker).saslAuthenticate,
	}
}

// saslAuthenticate makes one step of the exchange that a handshake has begun.
func (b *Broker) saslAuthenticate(ctx context.Context, r *request) {
	q := r.body.(*kmsg.SASLAuthenticateRequest)
	resp := q.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	resp.SASLAuthBytes = []byte{}
	c := r.conn
	if c.sasl == nil || c.sasl.exchange == nil {
		err := withCode(kerr.IllegalSaslState, "SaslAuthenticate without a SaslHandshake before it")
		resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
		r.last = !c.isAuthenticated()
		r.reply(resp)
		return
	}
	answer, err := c.next(ctx, q.SASLAuthBytes)
	if err != nil {
		err = withCode(kerr.SaslAuthenticationFailed, "Authentication failed: Invalid username or password, with SASL mechanism %s", c.sasl.mechanism)
		resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
		r.last = true
		r.reply(resp)
		return
	}
	resp.SASLAuthBytes = answer
	if c.sasl.exchange == nil {
		resp.SessionLifetimeMillis = c.listener.MaxReauth.Milliseconds()
	}
	r.reply(resp)
}
