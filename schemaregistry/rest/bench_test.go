package rest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// manySchemas is a large registry: the limit of Confluent's larger cloud package.
const manySchemas = 20_000

// large is a cluster whose topic has many schemas of ten fields, in subjects of four versions.
func large(b *testing.B) []kgo.Opt {
	b.Helper()
	opts, _ := registrytest.Cluster(b, vfs.NewMem(), "/data")
	_, stop := registrytest.Start(b, opts) // makes the topic
	c, err := kgo.NewClient(opts...)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	defer stop()
	var fields bytes.Buffer
	for f := range 10 {
		fmt.Fprintf(&fields, `,{\"name\":\"field_%d\",\"type\":[\"null\",\"string\"],\"default\":null}`, f)
	}
	records := make([]*kgo.Record, manySchemas)
	for i := range records {
		subject, version := fmt.Sprintf("team-%d.topic-%d-value", i%20, i/4), i%4+1
		records[i] = &kgo.Record{Topic: "_schemas", Key: fmt.Appendf(nil, `{"keytype":"SCHEMA","subject":"%s","version":%d,"magic":1}`, subject, version),
			Value: fmt.Appendf(nil, `{"subject":"%s","version":%d,"id":%d,"schemaType":"AVRO","schema":"{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"}%s]}","deleted":false}`,
				subject, version, i+1, i, fields.Bytes())}
	}
	if err := c.ProduceSync(b.Context(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	return opts
}

func ready(b *testing.B, opts []kgo.Opt) *schemaregistry.Registry {
	b.Helper()
	r, _ := registrytest.Start(b, opts)
	select {
	case <-r.Ready():
	case <-b.Context().Done():
	}
	return r
}

// BenchmarkLarge measures a registry with 20,000 schemas: how long it takes to start, what it takes of the heap, and GET /schemas.
func BenchmarkLarge(b *testing.B) {
	opts := large(b)
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	before, began := heap(), time.Now()
	r := ready(b, opts)
	start, taken := time.Since(began), heap()-before
	h := rest.New(r, rest.Options{})
	used := cpu(b)
	for b.Loop() {
		for offset := 0; offset < manySchemas; offset += 1000 {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/schemas?offset=%d", offset), nil))
			if w.Code != http.StatusOK || w.Body.Len() < 1000 {
				b.Fatal(w.Code, w.Body)
			}
		}
	}
	b.ReportMetric(float64((cpu(b)-used).Milliseconds())/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(start.Milliseconds()), "start-ms")
	b.ReportMetric(taken, "heap-MB")
}

// cpu is the processor time that the process has used: what counts on a machine that does other things too.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perCPU reports lookups for each second of processor time since a moment, the client's included.
func perCPU(b *testing.B, since time.Duration) {
	b.ReportMetric(float64(b.N)/(cpu(b)-since).Seconds(), "lookups/cpu-s")
}

// BenchmarkByID asks for schemas by id over HTTP, on connections that stay open.
func BenchmarkByID(b *testing.B) {
	opts := large(b)
	server := httptest.NewServer(rest.New(ready(b, opts), rest.Options{}))
	b.Cleanup(server.Close)
	b.ResetTimer()
	began := cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for i := 0; pb.Next(); i++ {
			resp, err := client.Get(fmt.Sprintf("%s/schemas/ids/%d", server.URL, i%manySchemas+1))
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Errorf("status %d, %v", resp.StatusCode, err)
			}
		}
	})
	perCPU(b, began)
}

// BenchmarkByIDHandler is BenchmarkByID without HTTP.
func BenchmarkByIDHandler(b *testing.B) {
	h := rest.New(ready(b, large(b)), rest.Options{})
	b.ReportAllocs()
	began := cpu(b)
	for i := 0; b.Loop(); i++ {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/schemas/ids/%d", i%manySchemas+1), nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
	perCPU(b, began)
}
