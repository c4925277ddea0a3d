package main

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
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

// TestAdminListenerAndHeaders wants the loggers on the listener of admin.listeners
// alone, with users as everywhere, and browsers of the named origin let in.
func TestAdminListenerAndHeaders(t *testing.T) {
	c, err := loadProperties(t, `
listeners=http://127.0.0.1:0
admin.listeners=http://127.0.0.1:0
access.control.allow.origin=http://ui.example
access.control.allow.methods=GET,PUT
response.http.headers.config="add Cache-Control: no-cache, no-store", set X-Frame-Options: DENY
rest.access.file=`+writeFile(t, "access.json", `{"users": [{"name": "eve", "password": "plain$secret", "connectors": {"*": "view"}}]}`)+`
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Properties) != 0 {
		t.Errorf("properties that were not taken: %v", c.Properties)
	}
	c.DataDir, c.Kafka, c.Registry = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	a, _ := runMain(t, NewMain(c, slog.New(slog.DiscardHandler)))
	ask := func(method, url, password string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "http://ui.example")
		if method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "PUT")
		}
		if password != "" {
			r.SetBasicAuth("eve", password)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for _, test := range []struct {
		method, url, password string
		want                  int
	}{
		{"GET", a.REST + "/connectors", "secret", 200}, {"GET", a.REST + "/admin/loggers", "secret", 404},
		{"GET", a.Admin + "/connectors", "secret", 404}, {"GET", a.Admin + "/admin/loggers", "secret", 200}, {"GET", a.Admin + "/admin/loggers", "", 401},
		{"OPTIONS", a.REST + "/connectors", "", 200}, {"OPTIONS", a.Admin + "/admin/loggers", "", 200},
	} {
		resp := ask(test.method, "http://"+test.url, test.password)
		h := resp.Header
		if resp.StatusCode != test.want || h.Get("Access-Control-Allow-Origin") != "http://ui.example" || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-cache, no-store" {
			t.Errorf("%s %s with password %q: %d %v, want %d", test.method, test.url, test.password, resp.StatusCode, h, test.want)
		}
		if test.method == "OPTIONS" && h.Get("Access-Control-Allow-Methods") != "GET,PUT" {
			t.Errorf("%s: methods %q", test.url, h.Get("Access-Control-Allow-Methods"))
		}
	}
}

// TestAdminListenerProperties wants the loggers gone with an empty list, and wrong
// values named with the remedy.
func TestAdminListenerProperties(t *testing.T) {
	c, err := loadProperties(t, "admin.listeners=\n")
	if err != nil || !c.rest.noAdmin || c.rest.admin != "" {
		t.Errorf("empty: %+v, %v", c.rest, err)
	}
	if c, err = loadProperties(t, "group.id=x\n"); err != nil || c.rest.noAdmin {
		t.Errorf("not given: %+v, %v", c.rest, err)
	}
	for text, want := range map[string]string{
		"admin.listeners=127.0.0.1:1":                             "admin.listeners: this version serves one listener of the form http://HOST:PORT or https://HOST:PORT",
		"admin.listeners=http://127.0.0.1:1,http://127.0.0.1:2":   "admin.listeners: this version serves one listener",
		"admin.listeners=https://127.0.0.1:1":                     "admin.listeners: https needs admin.listeners.https.ssl.keystore.location",
		"response.http.headers.config=replace A:b":                "response.http.headers.config: Invalid header config action: 'replace'",
		"listeners=http://127.0.0.1:1,https://127.0.0.1:2":        "listeners: this version serves one listener of the form http://HOST:PORT or https://HOST:PORT; give that, or use --rest HOST:PORT",
		"listeners.https.ssl.client.auth=x\nlisteners=https://:1": "listeners.https.*: ",
	} {
		if _, err := loadProperties(t, text+"\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestUnknownPropertiesAreNamed wants a warning with what was meant, and no value.
func TestUnknownPropertiesAreNamed(t *testing.T) {
	var logged bytes.Buffer
	m := NewMain(Config{Properties: map[string]string{"offset.flush.intervall.ms": "hunter2", "plugin.path": "/x", "offset.flush.interval.ms": "7"}}, slog.New(slog.NewTextHandler(&logged, nil)))
	m.warnUnknown()
	want := `msg="no worker property has this name; it is ignored" property=offset.flush.intervall.ms did_you_mean=offset.flush.interval.ms`
	if got := logged.String(); !strings.Contains(got, want) || strings.Contains(got, "hunter2") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %s, want one line with %s", got, want)
	}
}
