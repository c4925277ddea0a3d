package s3server

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Faulty stands in front of a server and fails a share of the requests: it refuses them, does not answer, or loses the answer to what
// was done.
type Faulty struct {
	*httptest.Server
	Share  atomic.Int32 // of 1,000 requests
	Counts [faults]atomic.Int64

	mu     sync.Mutex // guards random
	random *rand.Rand
	server *httputil.ReverseProxy
}

// What happens to a request.
const (
	FaultRefused  = iota // 503 SlowDown, nothing done
	FaultInternal        // 500, done
	FaultHang            // no answer for a while, nothing done
	FaultDropped         // done, and the connection is closed instead of an answer
	FaultCut             // the connection is closed, nothing done
	faults
)

// NewFaulty starts a proxy for the server at a URL. Close ends it.
func NewFaulty(server string, seed uint64) (*Faulty, error) {
	to, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	f := &Faulty{random: rand.New(rand.NewPCG(seed, 0))}
	f.server = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is part of the signature
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable")
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
	f.Server = httptest.NewServer(f)
	return f, nil
}

// next is what happens to the next request; -1 for nothing.
func (f *Faulty) next() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.random.IntN(1000) >= int(f.Share.Load()) {
		return -1
	}
	return f.random.IntN(faults)
}

// ServeHTTP forwards a request or fails it.
func (f *Faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := f.next()
	if fault < 0 {
		f.server.ServeHTTP(w, r)
		return
	}
	f.Counts[fault].Add(1)
	switch fault {
	case FaultRefused:
		drain(r)
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
	case FaultInternal:
		f.server.ServeHTTP(httptest.NewRecorder(), r)
		refuse(w, http.StatusInternalServerError, "InternalError")
	case FaultHang:
		drain(r)
		select {
		case <-r.Context().Done():
		case <-time.After(2 * time.Second):
		}
		hangUp(w)
	case FaultDropped:
		f.server.ServeHTTP(httptest.NewRecorder(), r)
		hangUp(w)
	default:
		drain(r)
		hangUp(w)
	}
}

func drain(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code></Error>")
}

// hangUp closes the connection instead of an answer.
func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}
