package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// TestHTTPNoticesAreDebeziums compares which URLs are refused, what is posted, and how
// often and when, with Debezium's channel.
func TestHTTPNoticesAreDebeziums(t *testing.T) {
	recorded(t, "http", 30, func(t *testing.T, in []string, want string) {
		switch in[0] {
		case "url":
			wantHTTPCheck(t, in, want)
		case "body":
			millis, _ := strconv.ParseInt(in[4], 10, 64)
			var data noticeData
			for _, pair := range in[5:] {
				name, value, _ := strings.Cut(pair, "=")
				data = append(data, name, value)
			}
			if got := "0 POST /notices?a=b application/json " + string(httpBody(in[1], in[2], in[3], data, millis)); got != want {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
		case "tries":
			retries, _ := strconv.Atoi(in[2])
			if got := tries(t, in[1], retries, strings.Split(in[3], ",")); got != want {
				t.Errorf("it was posted after %s seconds, want %s", got, want)
			}
		}
	})
}

// wantHTTPCheck checks a URL. Debezium resolves names when it starts, and fails when
// nobody knows them; here they are resolved when a notice is posted. Java's URLs are
// stricter in what they may be written with.
func wantHTTPCheck(t *testing.T, in []string, want string) {
	t.Helper()
	_, err := Spec.Configure(minimal(optNotificationChannels, "http", optNotificationURL, in[1], "notification.http.allow.private.networks", in[2]))
	const refused = "URL resolves to non-public address: "
	got := "ok"
	var wrong *connect.ConfigError
	if errors.As(err, &wrong) && wrong.Option == optNotificationURL {
		got = wrong.Reason
	}
	switch {
	case strings.HasPrefix(want, "Cannot resolve host"), strings.Contains(in[1], " "), strings.HasPrefix(in[1], "HTTP"):
		want = "ok"
	case strings.HasPrefix(want, refused):
		want = refused + netip.MustParseAddr(want[len(refused):]).String()
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// pipeListener is a network in memory, for servers in a bubble.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.ended) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	l.conns <- server
	return client, nil
}

// newPosterInMemory is a poster whose receiver is the handler. Call it in a bubble, and
// end before close.
func newPosterInMemory(t *testing.T, retries int, log io.Writer, h http.HandlerFunc) (p *httpPoster, end func()) {
	t.Helper()
	address, _ := url.Parse("http://receiver.test/notices?token=secret")
	p = newHTTPPoster(&httpOptions{address: address, timeout: time.Minute, retries: retries}, slog.New(slog.NewTextHandler(log, nil)))
	l := &pipeListener{conns: make(chan net.Conn), ended: make(chan struct{})}
	p.client.Transport = &http.Transport{DialContext: l.dial, DisableKeepAlives: true}
	server := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	return p, func() { server.Close(); serving.Wait() }
}

// tries are the seconds before each post of a notice, to a receiver that answers with
// these statuses, the last again and again.
func tries(t *testing.T, kind string, retries int, statuses []string) string {
	var after []string
	synctest.Test(t, func(t *testing.T) {
		last := time.Now()
		p, end := newPosterInMemory(t, retries, io.Discard, func(w http.ResponseWriter, _ *http.Request) {
			after = append(after, fmt.Sprint(time.Since(last).Seconds()))
			last = time.Now()
			status, _ := strconv.Atoi(statuses[min(len(after), len(statuses))-1])
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		p.send(httpNotice{kind, []byte("{}")})
		<-time.After(time.Hour) // of the bubble
		p.close()
		end()
	})
	return strings.Join(after, " ")
}

// TestHTTPReceiverThatHangs takes requests and says nothing: the source does not wait for
// it, what waits is bounded, and the end comes after 5 seconds.
func TestHTTPReceiverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		p, end := newPosterInMemory(t, 0, &log, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client has gone
			<-r.Context().Done()
		})
		began := time.Now()
		for range httpNotices + 51 { // one is in work
			p.send(httpNotice{noticeInProgress, []byte("{}")})
			synctest.Wait()
		}
		if waited := time.Since(began); waited != 0 || p.lost.Load() != 50 {
			t.Errorf("%d notices were dropped after %s, want 50 at once", p.lost.Load(), waited)
		}
		p.close()
		if took := time.Since(began); took != httpGoodbye {
			t.Errorf("the end took %s, want %s", took, httpGoodbye)
		}
		end()
		text := log.String()
		if strings.Contains(text, "secret") || strings.Count(text, "is dropped") != 1 || !strings.Contains(text, "receiver.test") || !strings.Contains(text, "notices=1000") {
			t.Errorf("the log says\n%s", text)
		}
	})
}

// TestHTTPReceiverThatComesBack drops notices while it is away, and tells how many.
func TestHTTPReceiverThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var away, got int
		p, end := newPosterInMemory(t, 0, &log, func(w http.ResponseWriter, _ *http.Request) {
			if away++; away <= 3 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			got++
		})
		for range 5 {
			p.send(httpNotice{noticeInProgress, []byte("{}")})
		}
		p.close()
		end()
		if text := log.String(); got != 2 || strings.Count(text, "is dropped") != 1 || !strings.Contains(text, "HTTP 502") || !strings.Contains(text, "dropped=3") {
			t.Errorf("%d notices came, the log says\n%s", got, text)
		}
	})
}

// TestHTTPNotices has a snapshot posted to a real server, and refused to a name that
// stands for this machine.
func TestHTTPNotices(t *testing.T) {
	t.Parallel()
	var bodies []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		bodies = append(bodies, b.String())
	}))
	defer receiver.Close()
	r := newRig(t, oneTable+"; INSERT INTO t VALUES (1, 'a')", "snapshot.mode", "initial", optNotificationChannels, "http",
		optNotificationURL, receiver.URL, "notification.http.allow.private.networks", "true")
	r.open()
	r.want(`public.t r - (1 "a")`)
	r.stop() // what waits is posted before
	want := []string{`{"aggregateType":"Initial Snapshot","type":"STARTED",`, `"scanned_collection":"public.t","total_rows_scanned":"1","status":"SUCCEEDED"`, `"type":"COMPLETED"`}
	if len(bodies) != len(want) {
		t.Fatalf("%d notices came: %q", len(bodies), bodies)
	}
	for i, w := range want {
		if !strings.Contains(bodies[i], w) {
			t.Errorf("notice %d is %s, want %s in it", i, bodies[i], w)
		}
	}
	address, _ := url.Parse(receiver.URL + "/?token=secret")
	p := newHTTPPoster(&httpOptions{address: address, timeout: patience}, slog.New(slog.NewTextHandler(&r.log, nil)))
	p.send(httpNotice{noticeCompleted, []byte("{}")})
	p.close()
	if text := r.log.String(); len(bodies) != len(want) || !strings.Contains(text, "URL resolves to non-public address: 127.0.0.1") || strings.Contains(text, "secret") {
		t.Errorf("%d notices came, the log says\n%s", len(bodies), text)
	}
}

// TestHTTPPrivateAddress is not tried again.
func TestHTTPPrivateAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, end := newPosterInMemory(t, 5, io.Discard, nil)
		dials := 0
		p.client.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, &net.OpError{Op: "dial", Err: p.options.control("tcp", "[fd00::1]:80", nil)}
		}}
		p.send(httpNotice{noticeCompleted, []byte("{}")})
		<-time.After(time.Hour) // of the bubble
		p.close()
		if end(); dials != 1 {
			t.Errorf("it was tried %d times", dials)
		}
	})
}
