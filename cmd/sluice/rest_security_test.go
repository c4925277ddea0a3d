package main

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"testing"
)

// The REST API over TLS, with users: who is not one learns nothing, plaintext gets
// no answer, and what a user may do depends on the role.
func TestSecuredREST(t *testing.T) {
	keystore, pool := selfSigned(t)
	c, err := loadProperties(t, `
listeners=https://127.0.0.1:0
listeners.https.ssl.keystore.location=`+writeFile(t, "rest.pem", keystore)+`
rest.access.file=`+writeFile(t, "access.json", `{"users": [{"name": "eve", "password": "plain$secret", "connectors": {"*": "view"}}]}`)+`
`)
	if err != nil {
		t.Fatal(err)
	}
	c.DataDir, c.Kafka, c.Registry = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	a, _ := runMain(t, NewMain(c, slog.New(slog.DiscardHandler)))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	ask := func(method, url, password string) (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			r.SetBasicAuth("eve", password)
		}
		resp, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	for _, test := range []struct {
		method, path, password string
		want                   int
	}{
		{"GET", "/health", "", 200},
		{"GET", "/connectors", "", 401},
		{"GET", "/connectors", "wrong", 401},
		{"GET", "/connectors", "secret", 200},
		{"DELETE", "/connectors/x", "secret", 403},
	} {
		if got, err := ask(test.method, "https://"+a.REST+test.path, test.password); err != nil || got != test.want {
			t.Errorf("%s %s with password %q: %d, %v; want %d", test.method, test.path, test.password, got, err, test.want)
		}
	}
	if got, err := ask("GET", "http://"+a.REST+"/connectors", "secret"); err == nil && got != http.StatusBadRequest {
		t.Errorf("plaintext is answered %d", got)
	}
}
