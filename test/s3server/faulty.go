package s3server

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
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
	Away   atomic.Int64 // requests that the server did not answer
	// Completing has a token, for whoever waits for one, when an upload is about to be completed.
	Completing chan struct{}
	// Completed has one when an upload is complete and nobody knows: the answer waits until who has asked has hung up.
	Completed chan struct{}

	mu       sync.Mutex // guards the fields below
	random   *rand.Rand
	trail    []string
	attempts map[string]bool // uploads by id that somebody has tried to complete

	server *httputil.ReverseProxy
}

// What happens to a request.
const (
	FaultRefused  = iota       // 503 SlowDown, nothing done
	FaultInternal              // 500, done
	FaultHang                  // no answer for a while, nothing done
	FaultDropped               // done, and the connection is closed instead of an answer
	FaultCut                   // the connection is closed, nothing done
	FaultReset                 // the connection is reset while the request is under way, nothing done
	FaultConflict              // 409, nothing done: another request about the same object was faster
	anyRequest                 // the ones above can happen to any request
	FaultVain     = anyRequest // 200 to the repetition of a completion, nothing done: versitygw says so while the attempt before is at work, which may come to nothing
	faults        = anyRequest + 1
)

// vainShare is how many of 1,000 repetitions get a yes of which nothing comes, beside the share of any request.
const vainShare = 250

// FaultNames say it in a word.
var FaultNames = [faults]string{"503", "500 after success", "no answer", "answer lost", "connection closed", "connection reset", "409", "a yes in vain"}

// NewFaulty starts a proxy for the server at a URL. Close ends it.
func NewFaulty(server string, seed uint64) (*Faulty, error) {
	to, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	f := &Faulty{Completing: make(chan struct{}), Completed: make(chan struct{}), attempts: make(map[string]bool), random: rand.New(rand.NewPCG(seed, 0))}
	f.server = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is part of the signature
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			f.Away.Add(1)
			refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable")
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
	f.Server = httptest.NewServer(f)
	return f, nil
}

// next is what happens to a request; -1 for nothing.
func (f *Faulty) next(r *http.Request) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	share, id := int(f.Share.Load()), r.URL.Query().Get("uploadId")
	again := completes(r) && f.attempts[id]
	if completes(r) {
		f.attempts[id] = true
	}
	switch {
	case again && share > 0 && f.random.IntN(1000) < vainShare:
		return FaultVain
	case f.random.IntN(1000) < share:
		return f.random.IntN(anyRequest)
	}
	return -1
}

// completes tells whether a request completes an upload.
func completes(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

// ServeHTTP forwards a request or fails it.
func (f *Faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if completes(r) {
		select {
		case f.Completing <- struct{}{}:
		default:
		}
	}
	fault := f.next(r)
	f.note(r, fault)
	switch {
	case fault < 0 && completes(r):
		f.complete(w, r)
		return
	case fault < 0:
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
	case FaultReset:
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
		reset(w)
	case FaultConflict:
		drain(r)
		refuse(w, http.StatusConflict, conflict(r))
	case FaultVain:
		drain(r)
		_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"none"</ETag></CompleteMultipartUploadResult>`)
	default:
		drain(r)
		hangUp(w)
	}
}

// complete forwards a completion. Whoever waits for one that nobody knows of gets it before the answer.
func (f *Faulty) complete(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	f.server.ServeHTTP(answer, r)
	if answer.Code == http.StatusOK {
		select {
		case f.Completed <- struct{}{}:
			<-r.Context().Done()
			return
		default:
		}
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// conflict is S3's code for it: a condition that could not be decided, or an operation that another one has overtaken.
func conflict(r *http.Request) string {
	if r.Header.Get("If-None-Match") != "" {
		return "ConditionalRequestConflict"
	}
	return "OperationAborted"
}

// note remembers what is asked about uploads.
func (f *Faulty) note(r *http.Request, fault int) {
	q := r.URL.Query()
	if !q.Has("uploads") && !q.Has("uploadId") || strings.Contains(r.URL.Path, "_sluice") {
		return
	}
	what := "goes on"
	if fault >= 0 {
		what = FaultNames[fault]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trail = append(f.trail, fmt.Sprintf("%s %s %s %s: %s", time.Now().Format("15:04:05.000"), r.Method, r.URL.Path, r.URL.RawQuery, what))
	if len(f.trail) > 200_000 {
		f.trail = slices.Delete(f.trail, 0, 100_000)
	}
}

// Trail is what was asked about the uploads of a name, in order.
func (f *Faulty) Trail(key string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []string
	for _, line := range f.trail {
		if strings.Contains(line, key+" ") {
			found = append(found, line)
		}
	}
	return found
}

func drain(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code></Error>")
}

// hangUp closes the connection instead of an answer.
func hangUp(w http.ResponseWriter) { end(w, func(net.Conn) {}) }

// reset ends the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	end(w, func(conn net.Conn) {
		if c, ok := conn.(*net.TCPConn); ok {
			_ = c.SetLinger(0)
		}
	})
}

func end(w http.ResponseWriter, before func(net.Conn)) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			before(conn)
			_ = conn.Close()
		}
	}
}
