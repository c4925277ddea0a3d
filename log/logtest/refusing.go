package logtest

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Refusing is a way to the broker that can be made to refuse connections.
type Refusing struct {
	*Node
	most     int64
	refusing atomic.Bool
	refused  atomic.Int64
}

// Refusing returns a way to the broker. It refuses most dials at once; later ones take a
// second each, so that a client that dials on and on does not stop virtual time for ever.
func (n *Node) Refusing(most int64) *Refusing { return &Refusing{Node: n, most: most} }

// Opts are those of clients that go this way.
func (r *Refusing) Opts() []kgo.Opt { return append(r.Node.Opts(), kgo.Dialer(r.dial)) }

// Refuse refuses connections from now on. Those that there are stay.
func (r *Refusing) Refuse() { r.refusing.Store(true) }

// Refused returns how many dials came since.
func (r *Refusing) Refused() int64 { return r.refused.Load() }

func (r *Refusing) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !r.refusing.Load() {
		return r.DialContext(ctx, network, address)
	}
	if r.refused.Add(1) > r.most {
		<-time.After(time.Second)
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
}
