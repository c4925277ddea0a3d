package rest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// BenchmarkByID asks for a schema by its id over one connection that stays open, with a
// client that only writes and reads bytes, and the same of a handler that does nothing but
// answer as much: what is left is net/http and the client. Run it with -cpu 1.
func BenchmarkByID(b *testing.B) {
	opts, _ := registrytest.Cluster(b, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(b, opts)
	text := `{"type":"record","name":"Row","fields":[{"name":"id","type":"long"}` + strings.Repeat(" ", 600) + `]}`
	v, err := r.Register(b.Context(), schemaregistry.ParseName("s"), schemaregistry.Input{Text: text}, schemaregistry.RegisterOptions{ID: -1})
	if err != nil {
		b.Fatal(err)
	}
	handler := rest.New(r, rest.Options{})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/schemas/ids/%d", v.ID), nil))
	answer := w.Body.String()
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	})
	for name, h := range map[string]http.Handler{"bare": bare, "registry": handler} {
		b.Run(name, func(b *testing.B) { askAgain(b, h, fmt.Sprintf("/schemas/ids/%d", v.ID)) })
	}
}

func askAgain(b *testing.B, h http.Handler, path string) {
	s := httptest.NewServer(h)
	defer s.Close()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: registry\r\n\r\n")
	r := bufio.NewReader(conn)
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(res, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu is the processor time of this process: other processes do not count in it.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
