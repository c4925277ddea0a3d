package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// store is an S3 server that takes uploads and forgets their bytes, so that the
// disk of a real one is not measured.
type store struct {
	http      *httptest.Server
	bytes     atomic.Int64
	requests  atomic.Int64
	uploads   atomic.Int64
	completed atomic.Int64
	delay     atomic.Int64 // nanoseconds before an answer
}

func newStore() *store {
	st := &store{}
	st.http = httptest.NewServer(http.HandlerFunc(st.serve))
	return st
}

func (st *store) close() { st.http.Close() }

// waitFor waits until n bytes of objects have come. The offsets are committed up
// to a second later, which is not waited for.
func (st *store) waitFor(ctx context.Context, n int64) error {
	return poll(ctx, 5*time.Minute, func(context.Context) (bool, error) { return st.bytes.Load() >= n, nil })
}

func (st *store) serve(w http.ResponseWriter, r *http.Request) {
	st.requests.Add(1)
	n, _ := io.Copy(io.Discard, r.Body)
	_ = rest(r.Context(), time.Duration(st.delay.Load()))
	query := r.URL.Query()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		fmt.Fprintf(w, `<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>u%d</UploadId></InitiateMultipartUploadResult>`, bucket, key, st.uploads.Add(1))
	case r.Method == http.MethodPost && query.Has("uploadId"):
		st.completed.Add(1)
		fmt.Fprintf(w, `<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>"e"</ETag></CompleteMultipartUploadResult>`, bucket, key)
	case r.Method == http.MethodPut:
		st.bytes.Add(n)
		w.Header().Set("ETag", `"e"`)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	}
}

// flushSize is the number of records of an object. The last records of a
// partition wait for the age of their file, so measurements leave them out.
const flushSize = 10_000

func s3Config(url, topic string) map[string]string {
	return map[string]string{
		"connector.class":       "io.confluent.connect.s3.S3SinkConnector",
		"s3.bucket.name":        "bench",
		"s3.region":             "us-east-1",
		"store.url":             url,
		"aws.access.key.id":     "bench",
		"aws.secret.access.key": "benchbench",
		"topics":                topic,
		"format.class":          "io.confluent.connect.s3.format.json.JsonFormat",
		"flush.size":            strconv.Itoa(flushSize),
		"tasks.max":             "1",
	}
}

// logToS3 writes a topic of JSON records to objects. The limit is what a bare
// client can send to the same server.
func logToS3(ctx context.Context, b *bench) (result, error) {
	s, err := b.start(ctx)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	const records, counted = 3_000_000, 3_000_000 - benchPartitions*flushSize
	size, err := fillJSON(ctx, s, records)
	if err != nil {
		return result{}, err
	}
	limit, err := bareUpload(ctx, b.seconds/2)
	if err != nil {
		return result{}, err
	}
	st := newStore()
	defer st.close()
	cpu, begin := s.cpu(), time.Now()
	if err := s.create("lake", s3Config(st.http.URL, "bench")); err != nil {
		return result{}, err
	}
	bytes := float64(size) * counted / records
	if err := st.waitFor(ctx, int64(bytes)+counted); err != nil {
		return result{}, err
	}
	took, cpu := time.Since(begin), s.cpu()-cpu
	if err := s.waitForGroup(ctx, "connect-lake", counted); err != nil {
		return result{}, err
	}
	perCore := bytes / cpu.Seconds()
	return result{
		figure: fmt.Sprintf("%s per core, %s in all, %s", megabytes(perCore), megabytes(bytes/took.Seconds()), perSecond(counted/took.Seconds())),
		limit:  megabytes(limit) + " of a bare uploader",
		ratio:  times(perCore / 150e6),
	}, nil
}

// fillJSON produces n JSON objects to the topic bench and returns their bytes.
func fillJSON(ctx context.Context, s *server, n int) (size int64, err error) {
	if err := s.createTopic(ctx, "bench", benchPartitions); err != nil {
		return 0, err
	}
	cl, err := s.client(kgo.DefaultProduceTopic("bench"), kgo.MaxBufferedRecords(100_000), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(1<<16, false, false, nil)))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var failed atomic.Int64
	for i := range n {
		value := reading(i)
		size += int64(len(value))
		cl.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return 0, err
	}
	if failed.Load() > 0 {
		return 0, fmt.Errorf("%d records were not acknowledged", failed.Load())
	}
	return size, nil
}

// bareUpload puts objects of 2 MiB one after the other without signing them.
func bareUpload(ctx context.Context, d time.Duration) (rate float64, err error) {
	st := newStore()
	defer st.close()
	body := strings.Repeat("x", 2<<20)
	sent := 0
	begin := time.Now()
	for ; time.Since(begin) < d; sent++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, st.http.URL+"/bench/object", strings.NewReader(body))
		if err != nil {
			return 0, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		if err := res.Body.Close(); err != nil {
			return 0, err
		}
	}
	return float64(sent*len(body)) / time.Since(begin).Seconds(), nil
}
