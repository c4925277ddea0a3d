package s3

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

func TestCloseLeavesNothing(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"s3.part.size": smallParts})
	for p := range 3 {
		h.assign(p, 0)
		h.write(rawBatch(p, 0, 12, unit))
	}
	h.poll("parts", func() bool { return srv.count("part") == 6 })
	if got := len(srv.uploads(t)); got != 3 {
		t.Fatalf("%d uploads before Close, want 3", got)
	}
	h.close()
	if got := srv.uploads(t); len(got) != 0 {
		t.Errorf("uploads after Close: %v", got)
	}
	if got := srv.keys(t); len(got) != 0 {
		t.Errorf("objects after Close: %v", got)
	}
	checkLeaks(t)
}

func TestRevokeDropsOnlyItsPartitions(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"s3.part.size": smallParts, "flush.size": "12"})
	h.assign(0, 0)
	h.assign(1, 0)
	h.write(rawBatch(0, 0, 11, unit))
	h.write(rawBatch(1, 0, 11, unit))
	h.poll("parts", func() bool { return srv.count("part") == 4 })
	if err := h.sink.Revoke(t.Context(), []connect.TopicPartition{tp(1)}); err != nil {
		t.Fatal(err)
	}
	if got := srv.uploads(t); len(got) != 1 || !strings.Contains(got[0], "partition=0") {
		t.Errorf("uploads after Revoke: %v", got)
	}
	h.write(rawBatch(0, 11, 12, unit))
	h.flushUntil(0, 12)
	h.wantObjects(map[int64][]byte{0: lines(0, 12, unit)})
	if used := h.sink.pool.heldBytes - h.sink.pool.freeBytes; used != 0 {
		t.Errorf("%d bytes of buffers are not back in the pool", used)
	}
}

// A request that makes an object visible ends before Revoke does: afterwards it
// could replace the next owner's object.
func TestRevokeWaitsForVisibleObjects(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "1"})
	h.assign(0, 0)
	release := make(chan struct{})
	srv.inject("put", 1, holdUntil(release))
	h.write(rawBatch(0, 0, 1, 20))
	h.poll("the request", func() bool { return srv.count("put") == 1 })
	revoked := make(chan error)
	go func() { revoked <- h.sink.Revoke(t.Context(), []connect.TopicPartition{tp(0)}) }()
	select {
	case <-revoked:
		t.Fatal("Revoke did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	if err := <-revoked; err != nil {
		t.Fatal(err)
	}
	h.wantObjects(map[int64][]byte{0: lines(0, 1, 20)})
}

func TestAssignAgainStartsOver(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"flush.size": "4"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 3, 20))
	h.assign(0, 1)
	h.offsets[tp(0)] = 1
	h.write(rawBatch(0, 1, 5, 20))
	h.flushUntil(0, 5)
	h.wantObjects(map[int64][]byte{1: lines(1, 5, 20)})
}

func TestCloseDuringOutage(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "12", "s3.part.size": smallParts})
	h.sink.limits.drop = 100 * time.Millisecond
	h.assign(0, 0)
	srv.inject("", -1, hang)
	h.write(rawBatch(0, 0, 30, unit))
	start := time.Now()
	h.close()
	if took := time.Since(start); took > patience {
		t.Errorf("Close took %s", took)
	}
	srv.CloseClientConnections()
	srv.Close()
	checkLeaks(t)
}

func TestOpen(t *testing.T) {
	cases := []struct {
		name      string
		change    map[string]string
		retriable bool
		want      []string
	}{
		{"no such bucket", map[string]string{"s3.bucket.name": "nope"}, false, []string{"s3.bucket.name", `"nope"`, "create it"}},
		{"nobody there", map[string]string{"store.url": "http://127.0.0.1:1"}, true, []string{"store.url", "127.0.0.1:1"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := newConfig(t, newServer(t), c.change)
			s := newSink(config)
			err := s.Open(t.Context(), connect.SinkContext{Logger: slog.New(slog.DiscardHandler)})
			if err == nil || connect.IsRetriable(err) != c.retriable {
				t.Errorf("Open = %v, want an error, retriable %t", err, c.retriable)
			}
			ping := config.Ping(t.Context())
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) || !strings.Contains(ping.Error(), w) {
					t.Errorf("want %q in %q and %q", w, err, ping)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Credentials that may only write cannot ask for the bucket.
func TestOpenWithoutPermissionToList(t *testing.T) {
	srv := newServer(t)
	srv.inject("head", 2, respond(403, ""))
	h := openSink(t, srv, map[string]string{"flush.size": "1"})
	h.write(rawBatch(0, 0, 1, 20))
	h.flushUntil(0, 1)
	srv.inject("head", 2, respond(403, "")) // it asks again in case of a wrong clock
	err := h.sink.config.Ping(t.Context())
	if err == nil || !strings.Contains(err.Error(), "aws.access.key.id") {
		t.Errorf("Ping = %v, want aws.access.key.id", err)
	}
	if err := h.sink.config.Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
}

func TestOpenWithoutCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	s := newSink(newConfig(t, newServer(t), map[string]string{"aws.access.key.id": "", "aws.secret.access.key": ""}))
	err := s.Open(t.Context(), connect.SinkContext{Logger: slog.New(slog.DiscardHandler)})
	if err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
		t.Errorf("Open = %v, want a plain error that names AWS_SECRET_ACCESS_KEY", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestProbeWhoseEndHangs opens all the same when the server does not answer whether the object of the probe is gone, and ends with its context.
func TestProbeWhoseEndHangs(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		srv := newServer(t)
		asked := make(chan struct{}, 100)
		srv.inject("abort", -1, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
			if r.URL.Query().Has("uploadId") {
				s3.ServeHTTP(w, r)
				return
			}
			asked <- struct{}{}
			hang(w, r, s3)
		})
		s := newSink(newConfig(t, srv, nil))
		s.limits.drop = 100 * time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		opened := make(chan error, 1)
		go func() { opened <- s.Open(ctx, sinkContext()) }()
		<-asked
		if cancelled {
			cancel()
		}
		select {
		case err := <-opened:
			if want := ctx.Err(); !errors.Is(err, want) {
				t.Errorf("Open = %v, want %v", err, want)
			}
		case <-time.After(patience):
			t.Fatal("Open does not end")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		cancel()
	}
}

// TestListsThatHang waits for them once and not for each topic: partitions that are assigned wait meanwhile.
func TestListsThatHang(t *testing.T) {
	srv := newServer(t)
	h := mustOpen(t, srv, ledger{}, nil)
	h.sink.limits.list = 100 * time.Millisecond
	srv.inject("get", -1, hang)
	before := srv.count("get")
	var added []connect.PartitionOffset
	for _, topic := range []string{"a", "b", "c", "d", "e"} {
		added = append(added, connect.PartitionOffset{TopicPartition: connect.TopicPartition{Topic: topic}})
	}
	if err := h.sink.Assign(t.Context(), added); err != nil {
		t.Fatal(err)
	}
	if n := srv.count("get") - before; n != 2 {
		t.Errorf("%d requests, want one for uploads and one for objects with states", n)
	}
}
