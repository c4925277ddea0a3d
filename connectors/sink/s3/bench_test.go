package s3

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// nullServer speaks just enough S3 to take any upload and keeps nothing.
func nullServer(b *testing.B) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch kindOf(r) {
		case "create":
			_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
		case "complete":
			_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"1"</ETag></CompleteMultipartUploadResult>`)
		default:
			w.Header().Set("ETag", `"1"`)
		}
	}))
	b.Cleanup(s.Close)
	return s
}

// BenchmarkWrite writes batches of 1,000 raw JSON records of about 200 B to a server
// that keeps nothing, server and client in one process.
func BenchmarkWrite(b *testing.B) {
	cases := []struct {
		name   string
		change map[string]string
	}{
		{"json", map[string]string{"flush.size": "10000"}},
		{"json-multipart", map[string]string{"flush.size": "1000000"}},
		{"gzip", map[string]string{"flush.size": "100000", "s3.compression.type": "gzip"}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			c.change["store.url"] = nullServer(b).URL
			benchmarkWrite(b, newConfig(b, &server{Server: &httptest.Server{}}, c.change))
		})
	}
}

// readings are records of 200 B that do not repeat themselves much.
func readings(n int64) *connect.Batch {
	b := connect.NewBatch(int(n), 1<<30)
	b.From = tp(0)
	for o := range n {
		x := uint64(o+1) * 0x9e3779b97f4a7c15
		addRaw(b, o, fmt.Sprintf(`{"device":"sensor-%04d","time":"2026-03-04T05:06:07.%06dZ","temperature":%2d.%03d,`+
			`"humidity":%2d.%02d,"pressure":1%03d.%02d,"battery":%3d,"firmware":"4.12.%02d","nonce":"%016x%016x"}`,
			x%1000, x>>20%1000000, 10+x>>3%30, x>>9%1000, 10+x>>13%80, x>>5%100, x>>7%100, x>>11%100, 100+x>>17%100, 10+x>>27%90, x, x*x))
	}
	return b
}

func benchmarkWrite(b *testing.B, config *Config) {
	const records = 1000
	sink := newSink(config)
	if err := sink.Open(b.Context(), connect.SinkContext{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sink.Close() }()
	batch := readings(records)
	b.SetBytes(int64(records * batch.Records()[0].Value.Len()))
	b.ReportAllocs()
	next := int64(0)
	for b.Loop() {
		for i := range batch.Records() {
			batch.Records()[i].Offset = next
			next++
		}
		if err := sink.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if next%100_000 == 0 {
			if _, err := sink.Prepare(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
