package engine

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestOlderWorkerDoesNotReplaceAStatus holds safe writes to Kafka Connect's rule.
func TestOlderWorkerDoesNotReplaceAStatus(t *testing.T) {
	for _, tt := range []struct {
		url        string
		now        statusRecord
		generation int
		want       bool
	}{
		{"http://me:8083/", statusRecord{WorkerID: "other", Generation: 5}, 4, false},
		{"http://me:8083/", statusRecord{WorkerID: "other", Generation: 5}, 5, true},
		{"http://me:8083/", statusRecord{WorkerID: "other", Generation: 5}, 6, true},
		{"http://me:8083/", statusRecord{WorkerID: "me", Generation: 5}, 4, true},
		{"", statusRecord{WorkerID: "other", Generation: 5}, 0, true}, // alone, after a group
	} {
		s := &statusStore{stores: &stores{cfg: &Config{WorkerID: "me", Group: GroupConfig{URL: tt.url}}}}
		if got := s.mayReplace(tt.now, tt.generation); got != tt.want {
			t.Errorf("%+v: got %t, want %t", tt, got, tt.want)
		}
	}
}

// TestSessionKey reads a key as Kafka Connect writes it, and checks signatures.

func TestSessionKey(t *testing.T) {
	s := newConfigState()
	for value, wrong := range map[string]string{
		`{"key":"a2V5","algorithm":"HmacSHA1","creation-timestamp":1}`: "inter.worker.key.generation.algorithm",
		`{"key":"","algorithm":"HmacSHA256"}`:                          "inter.worker.key.generation.algorithm",
		`{"key":7}`:                                                    "not what it should be",
	} {
		if _, err := s.apply(1, "session-key", []byte(value)); err == nil || !strings.Contains(err.Error(), wrong) || s.session.key != nil {
			t.Errorf("%s: %v, want %s", value, err, wrong)
		}
	}
	if _, err := s.apply(2, "session-key", []byte(`{"key":"a2V5","algorithm":"HmacSHA256","creation-timestamp":1700000000000}`)); err != nil {
		t.Fatal(err)
	}
	if string(s.session.key) != "key" || !s.session.created.Equal(time.UnixMilli(1700000000000)) {
		t.Errorf("got %+v", s.session)
	}
	h := http.Header{}
	body := []byte("The quick brown fox jumps over the lazy dog")
	s.session.sign(h, body)
	const signature = "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=" // a published example of HMAC-SHA256, in base64
	if got := h.Get("X-Connect-Authorization"); got != signature {
		t.Errorf("signature: got %s, want %s", got, signature)
	}
	if err := s.session.verify(h, body); err != nil {
		t.Error(err)
	}
	if err := s.session.verify(h, body[1:]); err == nil {
		t.Error("a body that was changed has passed")
	}
	if err := (sessionKey{}).verify(h, body); err == nil || err.(*Error).Kind != KindUnavailable {
		t.Errorf("without a key: %v", err)
	}
	made, err := newSessionKey(time.UnixMilli(1700000000001))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.apply(3, "session-key", jsonValue(made.record())); err != nil || !bytes.Equal(s.session.key, made.key) || !s.session.created.Equal(made.created) {
		t.Errorf("a key of this worker's: %v, %+v", err, s.session)
	}
	if _, err := s.apply(4, "session-key", nil); err != nil || s.session.key != nil {
		t.Errorf("a key that is gone: %v", err)
	}
}

func TestGroupProperties(t *testing.T) {
	c, err := ParseProperties(map[string]string{"session.timeout.ms": "20000", "scheduled.rebalance.max.delay.ms": "0", "connect.protocol": "compatible",
		"rest.advertised.host.name": "worker7", "rest.advertised.port": "80", "rest.advertised.listener": "https"})
	if err != nil || c.Group.SessionTimeout != 20*time.Second || c.Group.MaxDelay >= 0 || c.Group.Protocol != "compatible" ||
		c.AdvertisedHost != "worker7" || c.AdvertisedPort != 80 || c.AdvertisedListener != "https" {
		t.Errorf("got %v, %+v", err, c.Group)
	}
	for name, value := range map[string]string{"connect.protocol": "eager", "inter.worker.signature.algorithm": "HmacSHA1", "heartbeat.interval.ms": "0",
		"scheduled.rebalance.max.delay.ms": "-1", "rest.advertised.port": "70000", "rest.advertised.listener": "ftp"} {
		if _, err := ParseProperties(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	if _, err := New(Config{BootstrapServers: []string{"a:1"}, Group: GroupConfig{URL: "worker:8083"}}); err == nil || !strings.Contains(err.Error(), "advertised URL") {
		t.Errorf("a URL without a scheme: %v", err)
	}
}
