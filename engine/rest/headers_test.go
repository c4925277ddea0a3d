package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/engine/rest"
)

var plain = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Method + " " + r.URL.Path)) })

// TestOtherOrigins wants pages of the named origins, and of no other, to be let in
// by browsers (access.control.allow.origin and .methods).
func TestOtherOrigins(t *testing.T) {
	const preflight = "Access-Control-Request-Method"
	for _, test := range []struct {
		origins, methods, method, origin string
		preflight                        bool
		want                             string // origin, credentials, methods, who answers
	}{
		{"", "", "GET", "http://bar.com", false, "|||GET /"},
		{"*", "", "GET", "http://bar.com", false, "http://bar.com|||GET /"},
		{"*", "", "GET", "", false, "|||GET /"},
		{"http://bar.com,http://foo.com", "", "PUT", "http://bar.com", false, "http://bar.com|true||PUT /"},
		{"http://bar.com", "", "GET", "http://evil.com", false, "|||GET /"},
		{"http://*.bar.com", "", "GET", "http://a.b.bar.com", false, "http://a.b.bar.com|true||GET /"},
		{"http://*.bar.com", "", "GET", "http://bar.com.evil.com", false, "|||GET /"},
		{"http://bar.com", "", "OPTIONS", "http://bar.com", true, "http://bar.com|true|GET,POST,HEAD|"},
		{"http://bar.com", "PUT,DELETE", "OPTIONS", "http://bar.com", true, "http://bar.com|true|PUT,DELETE|"},
		{"http://bar.com", "PUT", "OPTIONS", "http://evil.com", true, "|||OPTIONS /"},
		{"http://bar.com", "PUT", "OPTIONS", "http://bar.com", false, "http://bar.com|true||OPTIONS /"},
	} {
		h := rest.Headers{AllowOrigins: list(test.origins), AllowMethods: list(test.methods)}.Handler(plain)
		r := httptest.NewRequest(test.method, "/", nil)
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		if test.preflight {
			r.Header.Set(preflight, "PUT")
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		get := func(name string) string { return rec.Header().Get("Access-Control-Allow-" + name) }
		got := fmt.Sprintf("%s|%s|%s|%s", get("Origin"), get("Credentials"), get("Methods"), rec.Body)
		if got != test.want || rec.Code != 200 {
			t.Errorf("%+v: got %d %s", test, rec.Code, got)
		}
		if test.origins != "" && rec.Header().Get("Vary") != "Origin" {
			t.Errorf("%+v: Vary is %q", test, rec.Header().Get("Vary"))
		}
	}
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func TestHeaderRules(t *testing.T) {
	rules, err := rest.ParseHeaderRules(`"add Cache-Control: no-cache, no-store, must-revalidate", add X-XSS-Protection: 1; mode=block, set x-content-type-options: nosniff, SETDATE Last-Modified: 0, addDate X-D:1700000000123`)
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	rest.Headers{Rules: append(rules, rest.HeaderRule{Add: true, Name: "X-D", Value: "again"})}.Handler(plain).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	rec.Header().Del("Content-Type") // the handler's own
	want := "map[Cache-Control:[no-cache, no-store, must-revalidate] Last-Modified:[Thu, 01 Jan 1970 00:00:00 GMT] " +
		"X-Content-Type-Options:[nosniff] X-D:[Tue, 14 Nov 2023 22:13:20 GMT again] X-Xss-Protection:[1; mode=block]]"
	if got := fmt.Sprint(rec.Header()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for text, want := range map[string]string{
		"set":                      "Invalid format of header config 'set'",
		"put A:b":                  "Invalid header config action: 'put'",
		"set A":                    "Invalid format of header name and header value pair 'A'",
		"set A B:c":                "Invalid header name 'A B'",
		"set :c":                   "Invalid header name ''",
		"setDate A:now":            "milliseconds since 1970",
		"set A:b\nSet-Cookie: c=d": "it has a line break",
	} {
		if _, err := rest.ParseHeaderRules(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if rules, err := rest.ParseHeaderRules(" , "); len(rules) != 0 || err != nil {
		t.Errorf("nothing: %v, %v", rules, err)
	}
}

func FuzzHeaderRules(f *testing.F) {
	f.Add(`"add A: b, c", setDate D: 1`)
	f.Add("set \x00:\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := rest.ParseHeaderRules(text)
		if err != nil {
			return
		}
		rec := httptest.NewRecorder()
		rest.Headers{Rules: rules}.Handler(plain).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
		for name, values := range rec.Header() {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n") {
				t.Errorf("%q breaks the line of header %q: %q", text, name, values)
			}
		}
	})
}

// TestAdminListener wants the loggers on one listener and the rest on the other.
func TestAdminListener(t *testing.T) {
	for path, admin := range map[string]bool{"/admin/loggers": true, "/admin/loggers/root": true, "/admin": true, "/": false, "/connectors": false, "/administer": false} {
		for name, h := range map[string]http.Handler{"admin": rest.OnlyAdmin(plain), "main": rest.WithoutAdmin(plain)} {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
			if served := rec.Code == 200; served != (admin == (name == "admin")) {
				t.Errorf("%s listener, %s: %d", name, path, rec.Code)
			}
			if rec.Code != 200 && !strings.Contains(rec.Body.String(), `"error_code":404`) {
				t.Errorf("%s listener, %s: %s", name, path, rec.Body)
			}
		}
	}
}
