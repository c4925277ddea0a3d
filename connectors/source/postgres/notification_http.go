package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits of posting. Attempts and the delays between them are Debezium's.
const (
	// httpNotices is how many notices wait at most (I5).
	httpNotices = 1000
	// lastRetries are the retries at least of the last notice of a snapshot.
	lastRetries    = 3
	firstHTTPDelay = time.Second // between attempts, doubled each time
	mostHTTPDelay  = 30 * time.Second
	// httpGoodbye is how long the notices that wait have at the end.
	httpGoodbye = 5 * time.Second
	// maxHTTPAnswer is how much of an answer is read, for the connection's next use.
	maxHTTPAnswer = 64 << 10
)

// httpPoster posts notices as JSON in a goroutine of its own, so that a receiver that is
// slow or gone holds nothing up: what it does not take in time is dropped.
type httpPoster struct {
	options *httpOptions
	client  *http.Client
	log     *slog.Logger
	queue   chan httpNotice // Read's goroutine sends and closes
	cancel  context.CancelFunc
	done    chan struct{}
	lost    atomic.Int64 // notices that were dropped since the last one that was taken
}

// httpNotice is a notice that waits.
type httpNotice struct {
	kind string
	body []byte
}

// newHTTPPoster starts a poster. Its close ends it.
func newHTTPPoster(o *httpOptions, log *slog.Logger) *httpPoster {
	ctx, cancel := context.WithCancel(context.Background())
	dialer := &net.Dialer{Timeout: o.timeout, Control: o.control}
	p := &httpPoster{options: o, log: log, queue: make(chan httpNotice, httpNotices), cancel: cancel, done: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
			Timeout: o.timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	go p.run(ctx)
	return p
}

// send queues a notice.
func (p *httpPoster) send(n httpNotice) {
	select {
	case p.queue <- n:
	default:
		p.drop(n.kind, errors.New("too many wait"))
	}
}

// close waits a little for what waits.
func (p *httpPoster) close() {
	if p == nil {
		return
	}
	close(p.queue)
	late := time.AfterFunc(httpGoodbye, p.cancel)
	<-p.done
	late.Stop()
	p.cancel()
	p.client.CloseIdleConnections()
}

func (p *httpPoster) run(ctx context.Context) {
	defer close(p.done)
	for n := range p.queue {
		if err := p.deliver(ctx, n); err != nil {
			p.drop(n.kind, err)
		} else if lost := p.lost.Swap(0); lost > 0 {
			p.log.Info("the receiver of notices takes them again", "receiver", p.options.address.Host, "dropped", lost)
		}
		if ctx.Err() != nil {
			p.log.Warn("notices that wait at the end are dropped", "notices", len(p.queue))
			return
		}
	}
}

// drop logs the first notice that is lost, and the ends of snapshots.
func (p *httpPoster) drop(kind string, err error) {
	if lost := p.lost.Add(1); lost == 1 || isLast(kind) {
		p.log.Warn("a notice was not taken by its receiver and is dropped", "type", kind, "receiver", p.options.address.Host, "dropped", lost, logError, err)
	}
}

// isLast tells whether a notice is the last of its snapshot.
func isLast(kind string) bool {
	return kind == noticeCompleted || kind == noticeAborted || kind == noticeSkipped
}

// deliver posts until the receiver has taken the notice. That of a snapshot's end is
// tried more often.
func (p *httpPoster) deliver(ctx context.Context, n httpNotice) error {
	retries := p.options.retries
	if isLast(n.kind) {
		retries = max(retries, lastRetries)
	}
	for delay := firstHTTPDelay; ; delay = min(2*delay, mostHTTPDelay) {
		err := p.post(ctx, n.body)
		if retries--; err == nil || retries < 0 || errors.As(err, new(privateAddressError)) || sleep(ctx, delay) != nil {
			return err
		}
	}
}

// post posts once. Its errors do not have the URL, which may have a secret (I6).
func (p *httpPoster) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.options.address.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	var in *url.Error
	if errors.As(err, &in) {
		return in.Err
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxHTTPAnswer)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return nil
}

// privateAddressError refuses an address that is not a public one.
type privateAddressError struct{ address netip.Addr }

func (e privateAddressError) Error() string {
	return "URL resolves to non-public address: " + e.address.String()
}

// checkPublic refuses the addresses that Debezium does: a config of somebody who may post
// connectors must not reach what only this machine can.
func checkPublic(a netip.Addr) error {
	a = a.Unmap()
	if siteLocal := netip.MustParsePrefix("fec0::/10"); a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || siteLocal.Contains(a) {
		return privateAddressError{a}
	}
	return nil
}

// control is called with each address that a connection is made to: a name may stand
// for another one than at the check.
func (o *httpOptions) control(_, address string, _ syscall.RawConn) error {
	if o.allowPrivate {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return checkPublic(to.Addr())
}

// httpBody is a notice as Debezium posts it.
func httpBody(id, aggregate, kind string, data noticeData, millis int64) []byte {
	var b bytes.Buffer
	text := json.NewEncoder(&b)
	text.SetEscapeHTML(false)
	member := func(before, value string) {
		b.WriteString(before)
		_ = text.Encode(value)  // a string, into memory
		b.Truncate(b.Len() - 1) // its newline
	}
	member(`{"aggregateType":`, aggregate)
	member(`,"type":`, kind)
	b.WriteString(`,"additionalData":{`)
	for i := 0; i+1 < len(data); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		member("", data[i])
		member(":", data[i+1])
	}
	fmt.Fprintf(&b, `},"timestamp":%d`, millis)
	member(`,"id":`, id)
	b.WriteByte('}')
	return b.Bytes()
}
