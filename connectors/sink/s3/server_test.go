package s3

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

const testBucket = "iot-data"

// server is an S3 server in memory behind faults.
type server struct {
	*httptest.Server
	backend *s3mem.Backend
	// careless: uploads replace objects whatever the request says.
	careless bool
	s3       http.Handler
	mu       sync.Mutex // guards faults and log
	faults   []*fault
	log      []string // kinds of requests, in order
}

// fault replaces the answer to the next requests of a kind.
type fault struct {
	kind  string // see kindOf; "" for any
	times int    // requests left; negative for all
	act   func(w http.ResponseWriter, r *http.Request, s3 http.Handler)
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{backend: s3mem.New()}
	if err := s.backend.CreateBucket(testBucket); err != nil {
		t.Fatal(err)
	}
	plain := gofakes3.New(s.backend).Server()
	s.s3 = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kindOf(r) == "complete" && r.Header.Get("If-None-Match") == "*" && !s.careless && s.exists(r) {
			respond(http.StatusPreconditionFailed, "PreconditionFailed")(w, r, nil)
			return
		}
		plain.ServeHTTP(w, r)
	})
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// exists tells whether there is an object of the name that is asked for.
func (s *server) exists(r *http.Request) bool {
	_, err := s.backend.HeadObject(testBucket, strings.TrimPrefix(r.URL.Path, "/"+testBucket+"/"))
	return err == nil
}

// inject adds a fault and returns it; clearing its times under mu ends it.
func (s *server) inject(kind string, times int, act func(http.ResponseWriter, *http.Request, http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{kind, times, act})
}

func (s *server) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// count returns how many requests of a kind have come.
func (s *server) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, k := range s.log {
		if k == kind {
			n++
		}
	}
	return n
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := s.next(kindOf(r)); f != nil {
		f.act(w, r, s.s3)
		return
	}
	s.s3.ServeHTTP(w, r)
}

func (s *server) next(kind string) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, kind)
	for _, f := range s.faults {
		if f.times != 0 && (f.kind == "" || f.kind == kind) {
			f.times--
			return f
		}
	}
	return nil
}

// kindOf names the S3 operation.
func kindOf(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "create"
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return "complete"
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return "part"
	case r.Method == http.MethodPut:
		return "put"
	case r.Method == http.MethodDelete:
		return "abort"
	}
	return strings.ToLower(r.Method)
}

func respond(status int, code string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>`+code+`</Code><Message>injected</Message></Error>`)
		}
	}
}

// hang answers nothing until the client gives up.
func hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// dropReply does what was asked and closes the connection instead of answering.
func dropReply(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
	s3.ServeHTTP(httptest.NewRecorder(), r)
	cut(w, r, s3)
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// half answers with half of the right body.
func half(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
	rec := httptest.NewRecorder()
	s3.ServeHTTP(rec, r)
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	body := rec.Body.Bytes()
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body[:len(body)/2])
}

// objects returns all objects by key.
func (s *server) objects(t testing.TB) map[string][]byte {
	t.Helper()
	list, err := s.backend.ListBucket(testBucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	objects := make(map[string][]byte)
	for _, o := range list.Contents {
		got, err := s.backend.GetObject(testBucket, o.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		body.Grow(int(got.Size) + bytes.MinRead)
		_, _ = body.ReadFrom(got.Contents)
		_ = got.Contents.Close()
		objects[o.Key] = body.Bytes()
	}
	return objects
}

func (s *server) keys(t testing.TB) []string {
	t.Helper()
	var keys []string
	for k := range s.objects(t) {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// uploads returns the keys of multipart uploads that are not complete.
func (s *server) uploads(t testing.TB) []string {
	t.Helper()
	st, err := newStore(t.Context(), newConfig(t, s, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer st.idle()
	out, err := st.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &st.bucket})
	if errorCode(err) == "NoSuchUpload" {
		return nil // the server's answer before the first upload
	}
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}
