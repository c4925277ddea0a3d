package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// handler is one API key: the versions it serves, the layout of its requests and
// the function that answers them.
type handler struct {
	key      kmsg.Key
	min, max int16
	// advertised is the lowest version that ApiVersions names; it differs from
	// min only for Produce.
	advertised int16
	shape      shape
	metrics    *apiMetrics
	// waits says that the handler waits for the disk or for other clients, which is not the client's use of the broker (request_percentage).
	waits bool
	// serve must call reply, noReply or hangUp of the request once, now or later. It must not keep anything that refers to the request's bytes.
	serve func(b *Broker, ctx context.Context, r *request)
}

// answer makes a serve function of a method that returns its response. The
// method may block until ctx ends, which is when the connection closes or the
// broker drains.
func answer[Q kmsg.Request](method func(*Broker, context.Context, *request, Q) kmsg.Response) func(*Broker, context.Context, *request) {
	return func(b *Broker, ctx context.Context, r *request) {
		response := method(b, ctx, r, r.body.(Q))
		b.chargeTime(r)
		r.reply(response)
	}
}

// request is one request and, later, its answer.
type request struct {
	key           kmsg.Key
	version       int16
	correlationID int32
	clientID      string
	clientHost    string
	principal     security.Principal
	conn          *conn
	body          kmsg.Request
	handler       *handler
	received      time.Time     // when its last byte came
	waited        time.Duration // since then, what is not the client's use of the broker
	throttled     time.Duration // how long the connection is muted for it
	last          bool          // the connection ends with its answer

	// Written before ready is closed, read after.
	response kmsg.Response
	token    []byte // the answer in place of response, without a header
	err      error
	after    func() // gives back what the response holds; nil: nothing
	ready    chan struct{}
	once     sync.Once // a handler that panics may have answered, or may yet
}

// reply answers the request.
func (r *request) reply(response kmsg.Response) {
	if t, ok := response.(kmsg.SetThrottleResponse); ok && r.throttled > 0 {
		t.SetThrottle(int32(r.throttled.Milliseconds()))
	}
	r.finish(response, nil)
}

// noReply ends a request that has no answer (Produce with acks=0).
func (r *request) noReply() { r.finish(nil, nil) }

// hangUp closes the connection in place of an answer.
func (r *request) hangUp(err error) { r.finish(nil, err) }

func (r *request) finish(response kmsg.Response, err error) {
	r.once.Do(func() {
		r.response, r.err = response, err
		close(r.ready)
	})
}

var errNotServed = errors.New("api key or version is not served")

// parseRequest decodes a frame. The handler of an ApiVersions request with an
// unknown version gets a nil body: such a request must not be parsed (KIP-511).
func parseRequest(handlers map[kmsg.Key]*handler, frame []byte) (*request, error) {
	r := &request{
		key:           kmsg.Key(int16(binary.BigEndian.Uint16(frame))),
		version:       int16(binary.BigEndian.Uint16(frame[2:])),
		correlationID: int32(binary.BigEndian.Uint32(frame[4:])),
		ready:         make(chan struct{}),
	}
	h, ok := handlers[r.key]
	if !ok {
		return nil, fmt.Errorf("read request with key %d: %w", r.key, errNotServed)
	}
	r.handler = h
	if r.version < h.min || r.version > h.max {
		if r.key == kmsg.ApiVersions {
			return r, nil
		}
		return nil, fmt.Errorf("read %s v%d: %w", r.key.Name(), r.version, errNotServed)
	}
	body := r.key.Request()
	body.SetVersion(r.version)
	flexible := body.IsFlexible()
	rest, err := r.parseHeader(frame[8:], flexible)
	if err != nil {
		return nil, fmt.Errorf("read header of %s v%d: %w", r.key.Name(), r.version, err)
	}
	trailing, err := h.shape.check(rest, r.version, flexible)
	if err != nil {
		return nil, fmt.Errorf("read %s v%d: %w", r.key.Name(), r.version, err)
	}
	if err := body.ReadFrom(rest[:len(rest)-len(trailing)]); err != nil {
		return nil, fmt.Errorf("read %s v%d: %w", r.key.Name(), r.version, err)
	}
	r.body = body
	return r, nil
}

// parseHeader reads the client id and the header's tags and returns the body.
func (r *request) parseHeader(b []byte, flexible bool) ([]byte, error) {
	if len(b) < 2 {
		return nil, errTruncated
	}
	n := int(int16(binary.BigEndian.Uint16(b)))
	b = b[2:]
	if n > len(b) {
		return nil, errTruncated
	}
	if n > 0 {
		r.clientID = string(b[:n])
		b = b[n:]
	}
	if !flexible {
		return b, nil
	}
	w := walker{src: b}
	err := w.tags(-1)
	return w.src, err
}

// appendResponse appends the frame of r's answer to dst.
func (r *request) appendResponse(dst []byte) []byte {
	if r.token != nil {
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(r.token))), r.token...)
	}
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.correlationID))
	if r.response.IsFlexible() && r.key != kmsg.ApiVersions {
		dst = append(dst, 0) // no tags
	}
	dst = r.response.AppendTo(dst)
	binary.BigEndian.PutUint32(dst, uint32(len(dst)-4))
	return dst
}
