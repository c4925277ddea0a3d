package mqtt

import (
	"context"
	"time"
)

// client is one connection to a broker. One goroutine uses it, until close.
type client interface {
	// subscribe returns the broker's code for each filter: the QoS granted, or
	// subscribeRefused.
	subscribe(ctx context.Context, filters []string, qos int) (map[string]byte, error)
	unsubscribe(ctx context.Context, filters []string) error
	// ended is closed when the connection is lost. err then says why.
	ended() <-chan struct{}
	err() error
	// close takes leave, if the connection still stands, and frees it. No message
	// is received after it.
	close()
}

// subscribeRefused is the SUBACK code for a filter that the broker refused.
const subscribeRefused = 0x80

// clientOptions say what to connect to and how.
type clientOptions struct {
	config       *Config
	server       server
	clientID     string
	cleanSession bool
	pingTimeout  time.Duration
	// receive gets the messages, in order, from one goroutine. It must return
	// within the ping timeout.
	receive func(message)
}

// connector connects a client and tells whether the broker had a session for it.
// A *connect.ConfigError says that trying again is of no use.
type connector func(ctx context.Context, o clientOptions) (c client, sessionPresent bool, err error)

// acknowledger acknowledges one message, on the connection on which it came.
type acknowledger interface{ Ack() }

// message is one PUBLISH.
type message struct {
	ack        acknowledger
	topic      string
	payload    []byte
	arrived    int64  // Unix time in milliseconds
	generation uint64 // number of the connection
	id         uint16 // 0 with QoS 0
	qos        byte
	retained   bool
	duplicate  bool
}

// messageOverhead is about what a held message takes beside topic and payload.
const messageOverhead = 256

func (m *message) size() int { return len(m.topic) + len(m.payload) + messageOverhead }
