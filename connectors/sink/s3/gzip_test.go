package s3

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// gunzip reads the first member of body and fails if there is anything else.
func gunzip(t testing.TB, body []byte) []byte {
	t.Helper()
	rest := bufio.NewReader(bytes.NewReader(body))
	z, err := gzip.NewReader(rest)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := rest.Discard(1); n != 0 {
		t.Fatal("the object is more than one gzip member")
	}
	return text
}

func TestGzip(t *testing.T) {
	for _, size := range []int{20, 1000, 300_000, 700_000} {
		srv := newServer(t)
		h := openSink(t, srv, map[string]string{"flush.size": "8", "s3.compression.type": "gzip"})
		h.assign(0, 0)
		h.write(rawBatch(0, 0, 16, size))
		h.flushUntil(0, 16)
		objects := srv.objects(t)
		for start := int64(0); start < 16; start += 8 {
			body := objects["topics/iot/partition=0/iot+0+000000000"+string(rune('0'+start))+".json.gz"]
			if got := gunzip(t, body); !bytes.Equal(got, lines(start, start+8, size)) {
				t.Errorf("size %d, object %d: %d bytes, or they differ", size, start, len(got))
			}
		}
		if used := h.sink.pool.heldBytes - h.sink.pool.freeBytes; used != 0 {
			t.Errorf("%d bytes of buffers are not back in the pool", used)
		}
	}
}

func TestGzipMultipart(t *testing.T) {
	srv := newServer(t)
	h := openSink(t, srv, map[string]string{"flush.size": "30", "s3.compression.type": "gzip",
		"s3.compression.level": "0", "s3.part.size": "5242880"})
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 30, 500_000))
	h.flushUntil(0, 30)
	if got := srv.count("part"); got != 3 {
		t.Errorf("%d parts, want 3", got)
	}
	if got := gunzip(t, srv.objects(t)["topics/iot/partition=0/iot+0+0000000000.json.gz"]); !bytes.Equal(got, lines(0, 30, 500_000)) {
		t.Error("the object differs")
	}
}
