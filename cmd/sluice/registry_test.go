package main

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// TestSecuredRegistry serves schemas over TLS to users with roles.
func TestSecuredRegistry(t *testing.T) {
	keystore, pool := selfSigned(t)
	c, err := loadProperties(t, `
registry.listeners=https://127.0.0.1:0
registry.listeners.https.ssl.keystore.location=`+writeFile(t, "registry.pem", keystore)+`
registry.access.file=`+writeFile(t, "access.json", `{"users": [{"name": "eve", "password": "plain$secret", "subjects": {"*": "read", "eve-*": "write"}}]}`)+`
`)
	if err != nil {
		t.Fatal(err)
	}
	c.DataDir, c.Kafka, c.REST = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	a, _ := runMain(t, NewMain(c, slog.New(slog.DiscardHandler)))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	for _, test := range []struct {
		url, password string
		status        int
		answer        string
	}{
		{"https://" + a.Registry + "/subjects/s/versions", "wrong", 401, "User cannot access"},
		{"https://" + a.Registry + "/subjects/s/versions", "secret", 403, "operation write"},
		{"https://" + a.Registry + "/subjects/eve-1/versions", "secret", 200, `"id":1`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", test.url, strings.NewReader(`{"schema":"\"int\""}`))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("eve", test.password)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != test.status || !strings.Contains(string(body), test.answer) {
			t.Errorf("%s with password %q: %d %s, %v; want %d", test.url, test.password, resp.StatusCode, body, err, test.status)
		}
	}
	if resp, err := client.Get("http://" + a.Registry + "/subjects"); err == nil {
		resp.Body.Close()
		t.Errorf("plaintext is answered %d", resp.StatusCode)
	}
	if _, err := loadProperties(t, "registry.listeners=https://127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "ssl.keystore.location") {
		t.Errorf("https without a certificate: %v", err)
	}
}
