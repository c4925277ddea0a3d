package convert_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// issuer is a token endpoint, and a registry in front of which its tokens are asked for.
type issuer struct {
	t        *testing.T
	endpoint *httptest.Server
	registry *httptest.Server

	mu sync.Mutex // guards the fields below
	// fetched are the forms of the requests for tokens.
	fetched []url.Values
	answer  func(n int) (status int, body string) // to the nth of them
	valid   func(token string) bool
	headers http.Header // of the last request to the registry
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	reg, _ := registry(t)
	h := rest.New(reg, rest.Options{})
	i := &issuer{t: t, valid: func(string) bool { return true }}
	i.endpoint = httptest.NewServer(http.HandlerFunc(i.serveToken))
	i.registry = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.headers = r.Header
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		ok = ok && i.valid(token)
		i.mu.Unlock()
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(i.endpoint.Close)
	t.Cleanup(i.registry.Close)
	return i
}

func (i *issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	if id != "me" || secret != "s3cret" {
		i.t.Errorf("the client is %s:%s", id, secret)
	}
	if err := r.ParseForm(); err != nil {
		i.t.Error(err)
	}
	i.fetched = append(i.fetched, r.PostForm)
	status, body := i.answer(len(i.fetched))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// lasting are tokens t1, t2, … with what each says of its time.
func lasting(expiry string) func(int) (int, string) {
	return func(n int) (int, string) {
		return http.StatusOK, fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer"%s}`, n, expiry)
	}
}

func (i *issuer) converter(more map[string]string) convert.Converter {
	settings := map[string]string{"bearer.auth.credentials.source": "OAUTHBEARER", "bearer.auth.issuer.endpoint.url": i.endpoint.URL,
		"bearer.auth.client.id": "me", "bearer.auth.client.secret": "s3cret"}
	for k, v := range more {
		settings[k] = v
	}
	return avroConverter(i.t, i.registry.URL, settings)
}

// writeTo makes a request: each topic has a subject of its own.
func writeTo(c convert.Converter, topic string) error {
	_, _, err := c.FromConnect(nil, topic, oneField, one)
	return err
}

// A token is fetched with the client's credentials and shown with every request, with the names of Confluent Cloud's cluster and pool.
func TestOAuth(t *testing.T) {
	i := newIssuer(t)
	i.answer = lasting(`,"expires_in":3600`)
	c := i.converter(map[string]string{"bearer.auth.scope": "schemas:read schemas:write", "bearer.auth.logical.cluster": "lsrc-1", "bearer.auth.identity.pool.id": "pool-1"})
	for _, topic := range []string{"a", "b"} {
		if err := writeTo(c, topic); err != nil {
			t.Fatal(err)
		}
	}
	if len(i.fetched) != 1 || i.fetched[0].Get("grant_type") != "client_credentials" || i.fetched[0].Get("scope") != "schemas:read schemas:write" {
		t.Errorf("asked for tokens with %v", i.fetched)
	}
	for name, want := range map[string]string{"Authorization": "Bearer t1", "target-sr-cluster": "lsrc-1", "Confluent-Identity-Pool-Id": "pool-1"} {
		if got := i.headers.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// The client is the one of Kafka's SASL/OAUTHBEARER; what bearer.auth says wins over it.
func TestOAuthInherit(t *testing.T) {
	i := newIssuer(t)
	i.answer = lasting(`,"expires_in":3600`)
	source := map[string]string{"bearer.auth.credentials.source": "SASL_OAUTHBEARER_INHERIT", "sasl.oauthbearer.token.endpoint.url": i.endpoint.URL,
		"sasl.jaas.config": `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="me" clientSecret="s3cret" scope="schemas:read" extension_identityPoolId="pool-1";`}
	if err := writeTo(avroConverter(t, i.registry.URL, source), "a"); err != nil {
		t.Fatal(err)
	}
	if len(i.fetched) != 1 || i.fetched[0].Get("scope") != "schemas:read" || i.headers.Get("Authorization") != "Bearer t1" || i.headers.Get("Confluent-Identity-Pool-Id") != "pool-1" {
		t.Errorf("asked for tokens with %v, for schemas with %v", i.fetched, i.headers)
	}
	source["sasl.jaas.config"] = `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="other" clientSecret="wrong" scope="x";`
	source["sasl.oauthbearer.token.endpoint.url"] = "http://127.0.0.1:1/none"
	source["bearer.auth.scope"], source["bearer.auth.identity.pool.id"] = "schemas:write", "pool-2"
	for k, v := range map[string]string{"client.id": "me", "client.secret": "s3cret", "issuer.endpoint.url": i.endpoint.URL} {
		source["bearer.auth."+k] = v
	}
	if err := writeTo(avroConverter(t, i.registry.URL, source), "b"); err != nil {
		t.Fatal(err)
	}
	if len(i.fetched) != 2 || i.fetched[1].Get("scope") != "schemas:write" || i.headers.Get("Confluent-Identity-Pool-Id") != "pool-2" {
		t.Errorf("asked for tokens with %v, for schemas with %v", i.fetched, i.headers)
	}
}

// A token is used until shortly before it expires, which the endpoint or the token itself says.
func TestOAuthExpiry(t *testing.T) {
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x"
	}
	for name, c := range map[string]struct {
		answer string
		again  bool // a token for each request
	}{
		"long":             {`{"access_token":"t","expires_in":3600}`, false},
		"text":             {`{"access_token":"t","expires_in":"3600"}`, false},
		"expired":          {`{"access_token":"t","expires_in":-1}`, true},
		"shorter than 300": {`{"access_token":"t","expires_in":200}`, false},
		"unknown":          {`{"access_token":"t"}`, false},
		"JWT":              {`{"access_token":"` + jwt(`{"exp":99999999999}`) + `"}`, false},
		"expired JWT":      {`{"access_token":"` + jwt(`{"exp":1}`) + `"}`, true},
		"no time in a JWT": {`{"access_token":"` + jwt(`{"exp":"x"}`) + `"}`, false},
	} {
		i := newIssuer(t)
		i.answer = func(int) (int, string) { return http.StatusOK, c.answer }
		converter := i.converter(nil)
		for _, topic := range []string{"a", "b"} {
			if err := writeTo(converter, topic); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if again := len(i.fetched) > 1; again != c.again {
			t.Errorf("%s: %d tokens for two topics", name, len(i.fetched))
		}
	}
}

// A token that the registry takes no more is replaced once; one that it never took is an error.
func TestOAuthRefused(t *testing.T) {
	i := newIssuer(t)
	i.answer = lasting(`,"expires_in":3600`)
	c := i.converter(nil)
	if err := writeTo(c, "a"); err != nil {
		t.Fatal(err)
	}
	i.valid = func(token string) bool { return token == "t2" }
	if err := writeTo(c, "b"); err != nil || len(i.fetched) != 2 {
		t.Errorf("%d tokens, %v", len(i.fetched), err)
	}
	i.valid = func(string) bool { return false }
	if err := writeTo(c, "c"); err == nil || convert.IsUnavailable(err) || !strings.Contains(err.Error(), "bearer.auth.client.id") {
		t.Errorf("with a token that is never taken: %v", err)
	}
	if len(i.fetched) != 3 {
		t.Errorf("%d tokens, want 3", len(i.fetched))
	}
	if err := writeTo(i.converter(nil), "d"); err == nil || len(i.fetched) != 4 {
		t.Errorf("with a first token that is not taken: %d tokens, want 4; %v", len(i.fetched), err)
	}
}

// An endpoint that is away holds the task up like a registry that is; one that refuses the client is an error that says so. Neither has the
// secret in it (I6).
func TestOAuthErrors(t *testing.T) {
	for _, c := range []struct {
		status      int
		body        string
		unavailable bool
		says        string
	}{
		{http.StatusServiceUnavailable, "s3cret", true, "status 503"},
		{http.StatusTooManyRequests, "s3cret", true, "status 429"},
		{http.StatusOK, `{"token_type":"s3cret"}`, true, "does not answer with a token"},
		{http.StatusUnauthorized, `{"error":"invalid_client","error_description":"no such client"}`, false, "status 401, invalid_client no such client); look at bearer.auth.client.id"},
		{http.StatusBadRequest, "s3cret", false, "status 400, without a reason"},
	} {
		i := newIssuer(t)
		i.endpoint.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		err := writeTo(i.converter(nil), "a")
		if err == nil || convert.IsUnavailable(err) != c.unavailable || connect.IsRetriable(err) != c.unavailable || !strings.Contains(err.Error(), c.says) {
			t.Errorf("status %d: %v", c.status, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the secret is in %v", err)
		}
	}
	i := newIssuer(t)
	c := i.converter(nil)
	i.endpoint.Close()
	if err := writeTo(c, "a"); !convert.IsUnavailable(err) {
		t.Errorf("without an endpoint: %v", err)
	}
}

// Requests to the registry go through a proxy, those for tokens do not.
func TestRegistryProxy(t *testing.T) {
	i := newIssuer(t)
	i.answer = lasting("")
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Host)
		r.RequestURI = ""
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeTo(i.converter(map[string]string{"proxy.host": u.Hostname(), "proxy.port": u.Port()}), "a"); err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimPrefix(i.registry.URL, "http://"); len(asked) == 0 || asked[0] != want || len(i.fetched) != 1 {
		t.Errorf("the proxy was asked for %v, want %s; %d tokens", asked, want, len(i.fetched))
	}
}

// A context of a registry is part of its URL.
func TestContextInURL(t *testing.T) {
	reg, server := registry(t)
	data, _, err := avroConverter(t, server.URL+"/contexts/.mine", map[string]string{"context.name.strategy": "io.confluent.kafka.serializers.context.NullContextNameStrategy"}).FromConnect(nil, "t", oneField, one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Version(t.Context(), schemaregistry.ParseName(":.mine:t-value"), 1, false); err != nil {
		t.Error(err)
	}
	s, got, err := avroConverter(t, server.URL+"/contexts/.mine", nil).ToConnect(connect.NewBatch(1, 1<<10), "t", data)
	if err != nil || !got.Equal(one) || s.Version() != 1 {
		t.Errorf("read %v of version %d, %v", got, s.Version(), err)
	}
}

// What the options of the client cannot be is said with their names.
func TestRegistryClientOptions(t *testing.T) {
	for text, says := range map[string]string{
		"bearer.auth.credentials.source=OAUTHBEARER":                                                                                       "bearer.auth.issuer.endpoint.url",
		"bearer.auth.credentials.source=OAUTHBEARER bearer.auth.issuer.endpoint.url=http://x":                                              "bearer.auth.client.id",
		"bearer.auth.credentials.source=OAUTHBEARER bearer.auth.issuer.endpoint.url=http://x bearer.auth.client.id=a":                      "bearer.auth.client.secret",
		"bearer.auth.credentials.source=OAUTHBEARER bearer.auth.issuer.endpoint.url=x bearer.auth.client.id=a bearer.auth.client.secret=b": "bearer.auth.issuer.endpoint.url",
		"bearer.auth.credentials.source=SASL_OAUTHBEARER_INHERIT":                                                                          "sasl.jaas.config",
		"bearer.auth.credentials.source=SASL_OAUTHBEARER_INHERIT sasl.jaas.config=M":                                                       "sasl.jaas.config",
		"bearer.auth.credentials.source=AZURE":                                                                                             "bearer.auth.credentials.source",
		"proxy.host=p":                                                                                                                     "proxy.port",
		"proxy.host=http://p proxy.port=1":                                                                                                 "proxy.host",
		"context.name.strategy=com.example.ByTeam":                                                                                         "context.name.strategy",
	} {
		settings := map[string]string{"value.converter.schema.registry.url": "http://127.0.0.1:8081"}
		for _, pair := range strings.Fields(text) {
			name, value, _ := strings.Cut(pair, "=")
			settings["value.converter."+name] = value
		}
		if _, err := convert.New("AvroConverter", false, settings); err == nil || !strings.Contains(err.Error(), "value.converter."+says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// An id is another schema in each context of a registry: the subject of the topic tells which one is meant, and what that refers to is looked for beside it.
func TestSchemaOfAnotherContext(t *testing.T) {
	reg, server := registry(t)
	put := func(subject, text string, references ...schemaregistry.Reference) {
		t.Helper()
		in := schemaregistry.Input{Text: text, References: references}
		if v, err := reg.Register(t.Context(), schemaregistry.ParseName(subject), in, schemaregistry.RegisterOptions{ID: -1}); err != nil {
			t.Fatal(v, err)
		}
	}
	put("e", `{"type":"enum","name":"E","symbols":["X","Y"]}`)
	put("other-value", `{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}`)
	put(":.linked:e", `{"type":"enum","name":"E","symbols":["A","B"]}`)
	put(":.linked:t-value", `{"type":"array","items":"E"}`, schemaregistry.Reference{Name: "E", Subject: "e", Version: 1})
	for _, settings := range []map[string]string{nil, {"value.subject.name.strategy": "TopicNameStrategy"}} {
		_, v, err := avroConverter(t, server.URL, settings).ToConnect(connect.NewBatch(1, 1<<10), "t", []byte("\x00\x00\x00\x00\x02\x02\x02\x00"))
		if err != nil || len(v.Cells()) != 1 || v.Cells()[0].Text() != "B" {
			t.Errorf("read %v, %v; want [B]", v, err)
		}
	}
}

// What does not answer as a registry does is not taken for one: nothing is written by it, and the error names the option.
func TestStrangeAnswers(t *testing.T) {
	for _, c := range []struct {
		status      int
		body        string
		unavailable bool
		says        string
	}{
		{http.StatusOK, "<html>sign in</html>", true, "not as a schema registry does"},
		{http.StatusOK, "{}", true, "the answer has no id"},
		{http.StatusOK, `{"version":"1.0"}`, true, "not as a schema registry does"},
		{http.StatusOK, "[]", true, "not as a schema registry does"},
		{http.StatusOK, "", true, "not as a schema registry does"},
		{http.StatusNotFound, "<html>no such page</html>", false, "status 404 and no error code"},
		{http.StatusMethodNotAllowed, "", false, "status 405 and no error code"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		t.Cleanup(server.Close)
		err := writeTo(avroConverter(t, server.URL, nil), "a")
		if err == nil || convert.IsUnavailable(err) != c.unavailable || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "schema.registry.url") ||
			!strings.Contains(err.Error(), server.URL) {
			t.Errorf("written after %d %q: %v", c.status, c.body, err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	t.Cleanup(server.Close)
	if _, _, err := avroConverter(t, server.URL, nil).ToConnect(connect.NewBatch(1, 1<<10), "t", []byte("\x00\x00\x00\x00\x01\x02")); !convert.IsUnavailable(err) {
		t.Errorf("read by an answer without a schema: %v", err)
	}
}

// What else an answer says may be of kinds that nobody here knows.
func TestUnknownAttributes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := `{"schema":"\"long\"","ruleSet":{"domainRules":[{"name":"r","kind":"NEW","mode":"LATER","type":"CEL"}]},"metadata":[1]}`
		if strings.HasSuffix(r.URL.Path, "/versions") {
			answer = "[]"
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	if _, v, err := avroConverter(t, server.URL, nil).ToConnect(connect.NewBatch(1, 1<<10), "t", []byte("\x00\x00\x00\x00\x01\x02")); err != nil || v.Int() != 1 {
		t.Errorf("read %v, %v", v, err)
	}
}

// A registry may say that a subject of a context does not have an id that is there: then it is the context's, under another subject.
func TestIDOfAnotherSubject(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("subject") != "":
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code":40403,"message":"Schema 1 not found"}`)
		case strings.HasSuffix(r.URL.Path, "/ids/1"):
			_, _ = io.WriteString(w, `{"schema":"\"long\""}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code":40403,"message":"Schema 2 not found"}`)
		}
	}))
	t.Cleanup(server.Close)
	c := avroConverter(t, server.URL, nil)
	if _, v, err := c.ToConnect(connect.NewBatch(1, 1<<10), "t", []byte("\x00\x00\x00\x00\x01\x02")); err != nil || v.Int() != 1 {
		t.Errorf("read %v, %v", v, err)
	}
	if _, _, err := c.ToConnect(connect.NewBatch(1, 1<<10), "t", []byte("\x00\x00\x00\x00\x02\x02")); err == nil || convert.IsUnavailable(err) || !strings.Contains(err.Error(), "Schema 2 not found") {
		t.Errorf("an id that is not there: %v", err)
	}
}
