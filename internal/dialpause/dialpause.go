// Package dialpause gives Kafka clients a pause after a dial that failed. franz-go has one
// almost everywhere; not where a transaction adds a partition (sink.produce of 1.22), which
// it tries again at once for as long as the broker refuses connections.
package dialpause

import (
	"context"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Pause is how long a client's requests to a broker wait after a dial of it failed.
const Pause = 50 * time.Millisecond

// Opt returns the option for one client. Whatever its dialer is, in TLS or in memory, the
// pause is that of this client's requests to this broker; it ends when the client closes.
func Opt() kgo.Opt { return kgo.WithHooks(new(hook)) }

type hook struct{ ctx context.Context }

var (
	_ kgo.HookNewClient     = (*hook)(nil)
	_ kgo.HookBrokerConnect = (*hook)(nil)
)

// OnNewClient implements kgo.HookNewClient.
func (h *hook) OnNewClient(client *kgo.Client) { h.ctx = client.Context() }

// OnBrokerConnect implements kgo.HookBrokerConnect. The client calls it where it has
// dialled, under no lock, before it fails the request; who waits for that request does not
// wait for the pause when its context ends. Without a connection it was the dial that failed.
func (h *hook) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, conn net.Conn, err error) {
	if err == nil || conn != nil {
		return
	}
	timer := time.NewTimer(Pause)
	defer timer.Stop()
	select {
	case <-h.ctx.Done():
	case <-timer.C:
	}
}
