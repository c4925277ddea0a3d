package s3

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// TestQuickstart has the config of Confluent's quick start (1).
func TestQuickstart(t *testing.T) {
	s := &scenario{t: t, srv: newServer(t), l: ledger{}, conf: map[string]string{
		"connector.class": "io.confluent.connect.s3.S3SinkConnector", "tasks.max": "1", "topics": "iot", "s3.part.size": "5242880", "flush.size": "3",
		"storage.class": "io.confluent.connect.s3.storage.S3Storage", "format.class": "io.confluent.connect.s3.format.avro.AvroFormat",
		"partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner", "schema.compatibility": "NONE"}}
	s.open()
	for o := range 9 {
		if answer := s.run(fmt.Sprintf(`write %d v1 {"id":%[1]d}`, o)); answer != "" {
			t.Fatal(answer)
		}
	}
	s.objects()
	want := []string{"topics/iot/partition=0/iot+0+0000000000.avro", "topics/iot/partition=0/iot+0+0000000003.avro", "topics/iot/partition=0/iot+0+0000000006.avro"}
	if got := s.srv.keys(t); !slices.Equal(got, want) {
		t.Errorf("objects %v, want %v", got, want)
	}
}

func TestRotationByCount(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"flush.size": "3"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 8, 20))
	h.flushUntil(0, 6)
	h.wantObjects(map[int64][]byte{0: lines(0, 3, 20), 3: lines(3, 6, 20)})
}

func TestRotationByAge(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"rotate.max.age.ms": "1000"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 2, 20))
	h.clock = h.clock.Add(999 * time.Millisecond)
	h.write(rawBatch(0, 2, 3, 20))
	h.flush()
	if n := len(h.srv.objects(t)); n != 0 {
		t.Fatalf("%d objects before the age", n)
	}
	h.clock = h.clock.Add(time.Millisecond)
	h.write(rawBatch(0, 3, 4, 20)) // the file is old: this one starts the next
	h.flushUntil(0, 3)
	h.wantObjects(map[int64][]byte{0: lines(0, 3, 20)})
}

func TestIdleFileIsRotated(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"rotate.max.age.ms": "1000"})
	h.assign(0, 40)
	h.write(rawBatch(0, 40, 42, 20))
	h.flush()
	h.clock = h.clock.Add(time.Second)
	h.offsets[tp(0)] = 40
	h.flushUntil(0, 42)
	h.wantObjects(map[int64][]byte{40: lines(40, 42, 20)})
}

func TestNoAgeLimit(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"rotate.max.age.ms": "-1"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 2, 20))
	h.clock = h.clock.Add(1000 * time.Hour)
	h.flush()
	if h.sink.partitions[tp(0)].open == nil {
		t.Error("a file was rotated although there is no age limit")
	}
}

func TestEmptyBatch(t *testing.T) {
	h := openSink(t, newServer(t), nil)
	for _, b := range []*connect.Batch{connect.NewBatch(1, 1), rawBatch(0, 0, 0, 0)} {
		h.write(b)
	}
	h.flush()
	if len(h.offsets) != 0 {
		t.Errorf("offsets %v of nothing", h.offsets)
	}
}

func TestPartitionThatWasNotAssigned(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"flush.size": "2"})
	h.offsets[tp(0)] = 7
	h.write(rawBatch(0, 7, 9, 20))
	h.flushUntil(0, 9)
}

func TestSameWriteAgainAddsNothing(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"flush.size": "6"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 4, 20))
	h.write(rawBatch(0, 0, 6, 20))
	h.flushUntil(0, 6)
	h.wantObjects(map[int64][]byte{0: lines(0, 6, 20)})
}

func TestOffsetsWithGaps(t *testing.T) {
	h := openSink(t, newServer(t), map[string]string{"flush.size": "2"})
	h.assign(0, 0)
	h.skipped = map[int64]bool{0: true, 1: true, 2: true, 4: true, 5: true}
	b := rawBatch(0, 3, 4, 20)
	addRaw(b, 6, payload(6, 20))
	addRaw(b, 9, payload(9, 20))
	h.write(b)
	h.flushUntil(0, 7) // 9 is in an open file; 7 and 8 do not exist
	h.wantObjects(map[int64][]byte{3: append(lines(3, 4, 20), lines(6, 7, 20)...)})
}

func TestNullValues(t *testing.T) {
	batch := func() *connect.Batch {
		b := rawBatch(0, 0, 1, 20)
		b.Append().Offset = 1
		b.Append().Offset = 2
		return b
	}
	t.Run("ignored", func(t *testing.T) {
		h := openSink(t, newServer(t), map[string]string{"behavior.on.null.values": "ignore", "flush.size": "1"})
		h.assign(0, 0)
		h.skipped = map[int64]bool{1: true, 2: true}
		h.write(batch())
		h.flushUntil(0, 3) // also behind tombstones at the end
		h.wantObjects(map[int64][]byte{0: lines(0, 1, 20)})
	})
	t.Run("reported", func(t *testing.T) {
		h := openSink(t, newServer(t), map[string]string{"behavior.on.null.values": "ignore", "flush.size": "1"})
		h.assign(0, 0)
		var reported []int64
		h.sink.report = func(r *connect.Record, err error) error {
			reported = append(reported, r.Offset)
			if !errors.Is(err, errNullValue) {
				t.Errorf("reported with %v", err)
			}
			return nil
		}
		h.skipped = map[int64]bool{1: true, 2: true}
		h.write(batch())
		h.flushUntil(0, 3)
		if !slices.Equal(reported, []int64{1, 2}) {
			t.Errorf("reported are %v, want 1 and 2", reported)
		}
	})
	t.Run("fail", func(t *testing.T) {
		h := openSink(t, newServer(t), map[string]string{"flush.size": "1"})
		h.assign(0, 0)
		var failed *connect.BatchError
		if err := h.tryWrite(t.Context(), batch()); !errors.As(err, &failed) {
			t.Fatalf("Write = %v, want a BatchError", err)
		}
		if len(failed.Failed) != 2 || failed.Failed[0].Index != 1 || failed.Failed[1].Index != 2 {
			t.Errorf("failed records %v, want 1 and 2", failed.Failed)
		}
		if !errors.Is(failed.Failed[0].Err, errNullValue) {
			t.Errorf("error %v", failed.Failed[0].Err)
		}
		if err := h.tryWrite(t.Context(), rawBatch(0, 3, 4, 20)); err != nil {
			t.Errorf("the next Write repeats the failures: %v", err)
		}
	})
}

func TestOffsetsMoveInOrder(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "1"})
	h.assign(0, 0)
	release := make(chan struct{})
	srv.inject("put", 1, holdUntil(release))
	h.write(rawBatch(0, 0, 1, 20))
	h.poll("the first request", func() bool { return srv.count("put") == 1 })
	h.write(rawBatch(0, 1, 4, 20))
	h.poll("later objects", func() bool { h.flush(); return len(srv.objects(t)) == 3 })
	h.flush()
	if got := h.offsets[tp(0)]; got != 0 {
		t.Fatalf("offset %d although the first object is missing", got)
	}
	close(release)
	h.flushUntil(0, 4)
}

func TestSeveralPartitions(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "2"})
	for p := range 5 {
		h.assign(p, 0)
		h.write(rawBatch(p, 0, 4, 20))
	}
	for p := range 5 {
		h.flushUntil(p, 4)
	}
	if got := len(srv.keys(t)); got != 10 {
		t.Errorf("%d objects, want 10", got)
	}
}

func TestReplayOverwrites(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "4"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 4, 20))
	h.poll("the object", func() bool { return len(srv.objects(t)) == 1 })
	h.close() // before Flush: the offset never moved

	h = openSink(t, srv, map[string]string{"flush.size": "4"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 4, 20))
	h.flushUntil(0, 4)
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
}

// Servers other than AWS do not know the checksums that the SDK adds by itself.
func TestRequestsCarryNoChecksumTrailer(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "6", "s3.part.size": smallParts})
	var mu sync.Mutex
	var bad []string
	look := func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		for name := range r.Header {
			if strings.Contains(strings.ToLower(name), "checksum") || name == "X-Amz-Trailer" || name == "Content-Encoding" {
				mu.Lock()
				bad = append(bad, kindOf(r)+" has "+name)
				mu.Unlock()
			}
		}
		s3.ServeHTTP(w, r)
	}
	srv.inject("", -1, look)
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 6, unit))
	h.write(rawBatch(0, 6, 12, 20))
	h.flushUntil(0, 12)
	mu.Lock()
	defer mu.Unlock()
	if len(bad) > 0 {
		t.Error(bad)
	}
	if srv.count("complete") != 1 || srv.count("put") != 1 {
		t.Errorf("%d multipart uploads and %d puts, want one of each", srv.count("complete"), srv.count("put"))
	}
}
