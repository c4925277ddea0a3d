package convert

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// A server that takes requests and does not answer leaves time for the one behind it, which is then the first to be asked.
func TestServerThatHangs(t *testing.T) {
	var hung, answered atomic.Int32
	gate := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		hung.Add(1)
		<-gate
	}))
	works := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answered.Add(1)
		_, _ = io.WriteString(w, `{"id":7}`)
	}))
	defer works.Close()
	defer hangs.Close()
	defer close(gate)
	made, err := New(AvroClass, false, map[string]string{"value.converter.schema.registry.url": hangs.URL + "," + works.URL})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*registryConverter)
	c.client.timeout = 50 * time.Millisecond
	write := func(topic string) {
		t.Helper()
		data, _, err := c.FromConnect(nil, topic, connect.Int64Schema, connect.Int64Value(1))
		for IsUnavailable(err) && t.Context().Err() == nil { // a slow machine
			data, _, err = c.FromConnect(nil, topic, connect.Int64Schema, connect.Int64Value(1))
		}
		if err != nil || string(data) != "\x00\x00\x00\x00\x07\x02" {
			t.Errorf("wrote %q, %v", data, err)
		}
	}
	write("a")
	if hung.Load() == 0 || answered.Load() == 0 {
		t.Errorf("%d and %d requests", hung.Load(), answered.Load())
	}
	c.client.timeout = time.Minute
	before := hung.Load()
	write("b")
	if hung.Load() != before {
		t.Error("the server that hangs was asked first again")
	}
}
