package mqtt

import (
	"context"
	"time"
)

// client is one connection to a broker. One goroutine uses it, until close.
type client interface {
	// subscribe returns the broker's code for each filter: the QoS granted, or
	// subscribeRefused and above.
	subscribe(ctx context.Context, filters []string, o subscribeOptions) (map[string]byte, error)
	unsubscribe(ctx context.Context, filters []string) error
	// keptFor returns for how many seconds the broker keeps the session when the
	// connection is gone, if it says that these are fewer than it was asked for.
	keptFor() (seconds int64, fewer bool)
	// ended is closed when the connection is lost. err then says why.
	ended() <-chan struct{}
	err() error
	// close takes leave, if the connection still stands, and frees it. No message
	// is received after it.
	close()
}

// subscribeOptions are what is asked for with each filter.
type subscribeOptions struct {
	qos        int
	noRetained bool // MQTT 5 spares sending retained messages
	again      bool // the session should have it: then MQTT 5 sends nothing retained either
}

// subscribeRefused is the lowest SUBACK code for a filter that the broker refused.
const subscribeRefused = 0x80

// clientOptions say what to connect to and how.
type clientOptions struct {
	config       *Config
	server       server
	clientID     string
	cleanSession bool
	pingTimeout  time.Duration
	// announce, if there is one, is called when the server has answered and before CONNECT. Where
	// each start subscribes to everything (MQTT 5) there is nothing to announce.
	announce func(context.Context) error
	// taker gets what is delivered, in order, from one goroutine. Its methods must
	// return within the ping timeout.
	taker taker
}

// taker is a frameTaker that is told first what its connection is.
type taker interface {
	frameTaker
	attach(acknowledger)
}

// connector connects a client and tells whether the broker had a session for it.
// A *connect.ConfigError says that trying again is of no use.
type connector func(ctx context.Context, o clientOptions) (c client, sessionPresent bool, err error)

// acknowledger acknowledges messages in order, on the connection on which they
// came. After that is gone it does nothing.
type acknowledger interface{ acknowledge(group []uncommitted) }

// kind is what stands in the queue.
type kind uint8

const (
	newMessage kind = iota
	// seenMessage is to be acknowledged only: a message of QoS 2 that came before.
	seenMessage
	// release says that a packet id is free again.
	release
	// newSession says that what comes after it is of another session of the broker.
	newSession
	// lostSession is newSession where there should have been an old one.
	lostSession
	// brokerDrops is a value of the broker's counter of dropped messages.
	brokerDrops
)

// message is one PUBLISH, or what else has to be handled in its order.
type message struct {
	ack        acknowledger
	topic      string
	rawTopic   []byte // of the decoder only
	payload    []byte
	properties []byte // of MQTT 5, with their length
	arrived    int64  // Unix time in milliseconds
	generation uint64 // number of the connection
	count      int64  // of brokerDrops
	id         uint16 // 0 with QoS 0
	qos        byte
	kind       kind
	retained   bool
	duplicate  bool
}

// messageOverhead is about what a held message takes beside topic and payload.
const messageOverhead = 256

func (m *message) size() int {
	return len(m.topic) + len(m.payload) + len(m.properties) + messageOverhead
}
