package s3

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// holdUntil answers as asked, but not before release is closed.
func holdUntil(release chan struct{}) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		select {
		case <-release:
			s3.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
}

// passing are faults that go away by themselves.
var passing = map[string]func(http.ResponseWriter, *http.Request, http.Handler){
	"503 SlowDown":         respond(503, "SlowDown"),
	"500 InternalError":    respond(500, "InternalError"),
	"200 InternalError":    respond(200, "InternalError"),
	"429":                  respond(429, "TooManyRequests"),
	"409 OperationAborted": respond(409, "OperationAborted"),
	"400 BadDigest":        respond(400, "BadDigest"),
	"400 IncompleteBody":   respond(400, "IncompleteBody"),
	"connection cut":       cut,
	"reply dropped":        dropReply,
	"half a reply":         half,
	"no reply":             hang,
}

// requestLimit is for tests in which requests hang.
const requestLimit = time.Second

// Every fault at every request: nothing is lost, nothing is doubled, offsets
// move only behind complete objects (the harness checks) and the task does not
// fail.
func TestPassingFaults(t *testing.T) {
	for name, act := range passing {
		for _, kind := range []string{"put", "create", "part", "complete"} {
			if name == "200 InternalError" && (kind == "put" || kind == "part") {
				continue // S3 does not answer these so
			}
			if name == "half a reply" && kind != "complete" {
				continue // the others have no body that matters, or a header
			}
			if strings.HasPrefix(name, "400") && kind != "put" && kind != "part" {
				continue // these are about bodies
			}
			t.Run(name+" at "+kind, func(t *testing.T) {
				size := unit
				if kind == "put" {
					size = 100
				}
				testPassingFault(t, kind, act, smallParts, size)
			})
		}
	}
	for _, name := range []string{"connection cut", "reply dropped"} { // with bodies of several pieces
		t.Run(name+" at a large part", func(t *testing.T) { testPassingFault(t, "part", passing[name], "5242880", 1<<20) })
	}
}

func testPassingFault(t *testing.T, kind string, act func(http.ResponseWriter, *http.Request, http.Handler), partSize string, size int) {
	t.Helper()
	t.Parallel() // what hangs takes seconds
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "6", "s3.part.size": partSize})
	h.assign(0, 0)
	h.sink.retrier.timeout = requestLimit
	srv.inject(kind, 3, act)
	h.write(rawBatch(0, 0, 12, size))
	h.flushUntil(0, 12)
	h.wantObjects(map[int64][]byte{0: lines(0, 6, size), 6: lines(6, 12, size)})
}

// A name that cannot be looked up for a while is waited for (50).
func TestNoName(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	var down atomic.Bool
	down.Store(true)
	h.sink.store.client = s3WithTransport(h.sink.store, func(r *http.Request) (*http.Response, error) {
		if down.Load() {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}}
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	h.write(rawBatch(0, 0, 4, 20))
	h.poll("trouble", func() bool { h.prepare(); return h.sink.retrier.health.trouble() != nil })
	if err := h.sink.slow(); !strings.Contains(err.Error(), "no such host") || !strings.Contains(err.Error(), "store.url") {
		t.Errorf("the trouble is told as %v", err)
	}
	down.Store(false)
	h.commitAndApply(l, 4)
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
}

// An outage with the memory used up: Write is retriable, the same call goes on
// where it was, and the objects are exact.
func TestOutageWithFullMemory(t *testing.T) {
	const size, n = 1 << 20, 32
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "16", "buffer.memory.max": "20971520", "s3.part.size": "5242880"})
	h.assign(0, 0)
	srv.inject("", -1, respond(503, "SlowDown"))
	batch := rawBatch(0, 0, n, size)
	var err error
	h.poll("Write to be retriable", func() bool {
		err = h.sink.Write(t.Context(), batch)
		return err != nil
	})
	if !connect.IsRetriable(err) {
		t.Fatalf("Write = %v, want a retriable error", err)
	}
	if got := err.Error(); !strings.Contains(got, "SlowDown") || !strings.Contains(got, "store.url") {
		t.Errorf("the error does not say why or where: %s", got)
	}
	h.flush()
	if err := h.sink.Write(t.Context(), batch); !connect.IsRetriable(err) {
		t.Fatalf("second Write = %v, want a retriable error", err)
	}
	if got, most := h.sink.pool.peakBytes, 20971520+2*size; got > most {
		t.Errorf("%d bytes of buffers, want at most %d", got, most)
	}
	srv.heal()
	h.write(batch)
	h.flushUntil(0, n)
	want := make(map[int64][]byte)
	for s := int64(0); s < n; s += 16 {
		want[s] = lines(s, s+16, size)
	}
	h.wantObjects(want)
}

// BatchErrors of a Write that had to stop come with the call that ends it.
func TestFailedRecordsSurviveRetriable(t *testing.T) {
	const size = 1 << 20
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"buffer.memory.max": "20971520", "s3.part.size": "5242880"})
	h.assign(0, 0)
	srv.inject("", -1, respond(503, "SlowDown"))
	b := connect.NewBatch(100, 1<<30)
	b.From = tp(0)
	b.Append().Offset = 0 // null: fails
	for o := int64(1); o < 24; o++ {
		addRaw(b, o, payload(o, size))
	}
	if err := h.sink.Write(t.Context(), b); !connect.IsRetriable(err) {
		t.Fatalf("Write = %v, want a retriable error", err)
	}
	srv.heal()
	var failed *connect.BatchError
	if err := h.tryWrite(t.Context(), b); !errors.As(err, &failed) || len(failed.Failed) != 1 || failed.Failed[0].Index != 0 {
		t.Fatalf("Write = %v, want record 0 to fail", err)
	}
}

// Answers that will not change fail the task with the option to look at.
func TestLastingFaults(t *testing.T) {
	cases := []struct {
		name, kind, want string
		act              func(http.ResponseWriter, *http.Request, http.Handler)
		size             int
	}{
		{"no bucket", "put", "s3.bucket.name", respond(404, "NoSuchBucket"), 100},
		{"access denied", "put", "aws.access.key.id", respond(403, "AccessDenied"), 100},
		{"access denied to multipart", "create", "aws.access.key.id", respond(403, "AccessDenied"), unit},
		{"region", "put", "s3.region", respond(301, "PermanentRedirect"), 100},
		{"upload gone", "part", "lifecycle", respond(404, "NoSuchUpload"), unit},
		{"upload gone at the end", "complete", "lifecycle", respond(404, "NoSuchUpload"), unit},
		{"bad request", "put", "400 InvalidRequest", respond(400, "InvalidRequest"), 100},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t)
			h := openSink(t, srv, map[string]string{"flush.size": "12", "s3.part.size": smallParts})
			h.assign(0, 0)
			srv.inject(c.kind, -1, c.act)
			h.write(rawBatch(0, 0, 12, c.size))
			var err error
			h.poll("an error", func() bool {
				_, err = h.sink.Prepare(t.Context())
				return err != nil
			})
			if connect.IsRetriable(err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Prepare = %v, want a plain error with %q", err, c.want)
			}
			if err := h.sink.Write(t.Context(), rawBatch(0, 12, 13, 10)); err == nil {
				t.Error("Write after the failure succeeds")
			}
		})
	}
}

// 503 for as long as it takes never fails the task, and objects follow at once.
func TestLongOutage(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "5"})
	h.assign(0, 0)
	srv.inject("", -1, respond(503, "SlowDown"))
	h.write(rawBatch(0, 0, 20, 100))
	h.poll("many attempts", func() bool { h.flush(); return srv.count("put") > 100 })
	if err := h.sink.retrier.health.trouble(); err == nil {
		t.Error("no trouble is known during an outage")
	}
	srv.heal()
	h.flushUntil(0, 20)
	h.poll("health", func() bool { return h.sink.retrier.health.trouble() == nil })
}

func TestCancelledCalls(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"buffer.memory.max": "20971520", "s3.part.size": "5242880"})
	h.sink.limits.stall = time.Hour
	h.assign(0, 0)
	srv.inject("part", -1, hang)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.sink.Write(ctx, rawBatch(0, 0, 24, 1<<20)) }()
	h.poll("parts on their way", func() bool { return srv.count("part") > 0 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %v, want context.Canceled", err)
	}
	if _, err := h.sink.Prepare(ctx); err != nil {
		t.Errorf("Prepare = %v", err)
	}
	if err := h.sink.Revoke(ctx, []connect.TopicPartition{tp(0)}); err != nil {
		t.Errorf("Revoke = %v", err)
	}
	s := newSink(newConfig(t, srv, nil))
	if err := s.Open(ctx, connect.SinkContext{Logger: h.sink.logger}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want context.Canceled", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	h.close()
	if got := srv.uploads(t); len(got) != 0 {
		t.Errorf("uploads after Close: %v", got)
	}
}

// TestPassingFaultsExactlyOnce is TestPassingFaults for a sink that is exactly once, and for the requests that only it makes: the lists of uploads
// and objects when partitions come, the look at an object whose completion was not answered, the aborts of what a former owner has left.
func TestPassingFaultsExactlyOnce(t *testing.T) {
	for name, act := range passing {
		for _, kind := range []string{"create", "part", "complete", "head", "get", "abort"} {
			if name == "200 InternalError" && kind != "create" && kind != "complete" || name == "half a reply" && kind != "complete" && kind != "get" || strings.HasPrefix(name, "400") && kind != "part" {
				continue // S3 does not answer these so, or they have no body that matters
			}
			t.Run(name+" at "+kind, func(t *testing.T) {
				t.Parallel() // what hangs takes seconds
				testPassingFaultExactlyOnce(t, kind, act)
			})
		}
	}
}

func testPassingFaultExactlyOnce(t *testing.T, kind string, act func(http.ResponseWriter, *http.Request, http.Handler)) {
	t.Helper()
	srv, l := newServer(t), ledger{}
	changes := map[string]string{"flush.size": "6", "s3.part.size": smallParts}
	former := mustOpen(t, srv, l, changes)
	former.write(rawBatch(0, 0, 11, unit)) // the second file stays open
	l.commit(former.prepareUntil(6))
	crash(former)
	h := mustOpen(t, srv, ledger{}, changes)
	h.sink.retrier.timeout = requestLimit
	srv.inject("complete", 1, dropReply)
	srv.inject(kind, 3, act)
	h.assign(0, 6)
	if err := h.sink.Restore(t.Context(), []connect.PartitionState{l[tp(0)]}); err != nil {
		t.Fatal(err)
	}
	h.write(rawBatch(0, 6, 12, unit))
	h.commitAndApply(l, 12)
	l.commit(h.prepare())
	h.apply()
	h.wantObjects(map[int64][]byte{0: lines(0, 6, unit), 6: lines(6, 12, unit)})
	h.poll("the end of what the former owner had", func() bool { h.sink.collect(); return len(srv.uploads(t)) == 0 })
}
