package s3

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// wire is what requests looked like to the server.
type wire struct {
	mu       sync.Mutex // guards requests
	requests []*http.Request
}

func (w *wire) note(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, r.Clone(r.Context()))
}

// each calls check for the requests of a kind and fails without any.
func (w *wire) each(t *testing.T, kind string, check func(r *http.Request)) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.requests {
		if kindOf(r) == kind && !strings.Contains(r.URL.Path, "_sluice") {
			n++
			check(r)
		}
	}
	if n == 0 {
		t.Errorf("no request of kind %s", kind)
	}
}

// wired is a server whose requests are noted.
func wired(t *testing.T) (*server, *wire) {
	t.Helper()
	srv, w := newServer(t), new(wire)
	real := srv.s3
	srv.s3 = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.note(r)
		real.ServeHTTP(rw, r)
	})
	return srv, w
}

// oneObject writes an object of two parts.
func oneObject(t *testing.T, srv *server, changes map[string]string) {
	t.Helper()
	changes["flush.size"], changes["s3.part.size"] = "4", smallParts
	l := ledger{}
	h := mustOpen(t, srv, l, changes)
	h.write(rawBatch(0, 0, 4, 2*unit))
	h.commitAndApply(l, 4)
}

// TestCustomerKeyOnTheWire has the customer's key with the upload, each part and the end, and not in the clear (48).
func TestCustomerKeyOnTheWire(t *testing.T) {
	srv, w := wired(t)
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	oneObject(t, srv, map[string]string{"s3.ssea.name": "AES256", "s3.sse.customer.key": key})
	for _, kind := range []string{"create", "part", "complete"} {
		w.each(t, kind, func(r *http.Request) {
			if r.Header.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "AES256" || r.Header.Get("X-Amz-Server-Side-Encryption-Customer-Key") != key ||
				r.Header.Get("X-Amz-Server-Side-Encryption-Customer-Key-Md5") == "" {
				t.Errorf("%s has %v", kind, r.Header)
			}
			if r.Header.Get("X-Amz-Server-Side-Encryption") != "" {
				t.Errorf("%s asks for the server's key too", kind)
			}
		})
	}
}

func TestEncryptionAndACLOnTheWire(t *testing.T) {
	srv, w := wired(t)
	oneObject(t, srv, map[string]string{"s3.ssea.name": "aws:kms", "s3.sse.kms.key.id": "k1", "s3.acl.canned": "bucket-owner-full-control", "s3.send.digest": "true"})
	w.each(t, "create", func(r *http.Request) {
		if r.Header.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != "k1" ||
			r.Header.Get("X-Amz-Acl") != "bucket-owner-full-control" {
			t.Errorf("create has %v", r.Header)
		}
	})
	w.each(t, "part", func(r *http.Request) {
		if r.Header.Get("Content-Md5") == "" {
			t.Error("a part has no MD5")
		}
	})
	w.each(t, "complete", func(r *http.Request) {
		if r.Header.Get("If-None-Match") != "*" {
			t.Error("the object would replace another")
		}
	})
}

// TestOwnObjectsAreNotPublic has the list of a wide state, and what the probe leaves for a moment, without the right for everybody to read them.
func TestOwnObjectsAreNotPublic(t *testing.T) {
	srv, w := wired(t)
	h := mustOpen(t, srv, ledger{}, map[string]string{"flush.size": fmt.Sprint(wideFiles), "partitioner.class": "FieldPartitioner", "partition.field.name": "o", "s3.acl.canned": "public-read"})
	h.sink.stateBytes = 1 << 10
	h.write(rawBatch(0, 0, wideFiles, 20))
	h.poll("the list", func() bool { h.prepare(); return len(srv.stateObjects(t)) > 0 })
	w.each(t, "create", func(r *http.Request) {
		if r.Header.Get("X-Amz-Acl") != "public-read" {
			t.Errorf("an upload has %v", r.Header)
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	own := 0
	for _, r := range w.requests {
		if kindOf(r) == "put" && strings.Contains(r.URL.Path, "_sluice") {
			own++
			if acl := r.Header.Get("X-Amz-Acl"); acl != "" {
				t.Errorf("%s is %s", r.URL.Path, acl)
			}
		}
	}
	if own < 2 {
		t.Errorf("%d objects, want those of the probe and of the state", own)
	}
}

// TestChecksumOnTheWire sends a CRC32 when told to, and none otherwise (49).
func TestChecksumOnTheWire(t *testing.T) {
	srv, w := wired(t)
	oneObject(t, srv, map[string]string{"s3.checksum": "crc32"})
	w.each(t, "part", func(r *http.Request) {
		if r.Header.Get("X-Amz-Checksum-Crc32") == "" {
			t.Errorf("no CRC32: %v", r.Header)
		}
	})
	srv, w = wired(t)
	oneObject(t, srv, map[string]string{})
	w.each(t, "part", func(r *http.Request) {
		if r.Header.Get("X-Amz-Checksum-Crc32") != "" || r.Header.Get("X-Amz-Trailer") != "" || r.Header.Get("Content-Encoding") == "aws-chunked" {
			t.Errorf("a checksum that nobody asked for: %v", r.Header)
		}
	})
}

// proxyServer forwards what it is asked for to one server, and wants a password.
func proxyServer(t *testing.T, to string, w *wire) *httptest.Server {
	t.Helper()
	p := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.note(r)
		if r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("u:p%1")) {
			http.Error(rw, "who are you?", http.StatusProxyAuthRequired)
			return
		}
		out := r.Clone(r.Context())
		target, err := url.Parse(to)
		if err != nil {
			t.Error(err)
		}
		out.URL.Scheme, out.URL.Host, out.RequestURI = "http", target.Host, ""
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			rw.Header()[k] = v
		}
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body)
	}))
	t.Cleanup(p.Close)
	return p
}

// TestProxy goes through a proxy with a password, which is in the options or in the URL (48).
func TestProxy(t *testing.T) {
	for _, inURL := range []bool{false, true} {
		srv, w := newServer(t), new(wire)
		proxy := proxyServer(t, srv.URL, w)
		changes := map[string]string{"s3.proxy.url": proxy.URL, "s3.proxy.user": "u", "s3.proxy.password": "p%1", "store.url": "http://s3.example.invalid"}
		if inURL {
			changes["s3.proxy.url"] = strings.Replace(proxy.URL, "http://", "http://u:p%251@", 1)
			delete(changes, "s3.proxy.user")
			delete(changes, "s3.proxy.password")
		}
		oneObject(t, srv, changes)
		w.each(t, "complete", func(r *http.Request) {
			if r.Host != "s3.example.invalid" {
				t.Errorf("the proxy is asked for %s", r.Host)
			}
		})
	}
}

// TestHostsOnTheWire looks at the hosts of requests by way of a proxy: with the bucket in them, and S3's accelerated ones (4).
func TestHostsOnTheWire(t *testing.T) {
	cases := []struct {
		changes    map[string]string
		host, path string
	}{
		{map[string]string{"store.url": "http://s3.example.invalid"}, "s3.example.invalid", "/" + testBucket},
		{map[string]string{"store.url": "http://s3.example.invalid", "s3.path.style.access.enabled": "false"}, testBucket + ".s3.example.invalid", "/"},
	}
	for _, c := range cases {
		w := new(wire)
		proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { w.note(r) }))
		c.changes["s3.proxy.url"] = proxy.URL
		st, err := newStore(t.Context(), newConfig(t, newServer(t), c.changes))
		if err != nil {
			t.Fatal(err)
		}
		if err := st.headBucket(t.Context()); err != nil {
			t.Error(err)
		}
		w.each(t, "head", func(r *http.Request) {
			if r.Host != c.host || r.URL.Path != c.path {
				t.Errorf("%v asks %s for %s", c.changes, r.Host, r.URL.Path)
			}
		})
		st.idle()
		proxy.Close()
	}
	c, err := parse(map[string]string{"s3.bucket.name": "lake", "s3.wan.mode": "true", "s3.path.style.access.enabled": "false", "s3.region": "eu-west-1",
		"aws.access.key.id": "a", "aws.secret.access.key": "b"})
	if err != nil {
		t.Fatal(err)
	}
	st, err := newStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer st.idle()
	var host string
	st.client = s3WithTransport(st, func(r *http.Request) (*http.Response, error) {
		host = r.URL.Host
		return nil, errNoNetwork
	})
	sent := st.putObject(t.Context(), "k", "", []byte("x"))
	if host != "lake.s3-accelerate.amazonaws.com" {
		t.Errorf("s3.wan.mode sends to %q: %v", host, sent)
	}
}

// fakeSTS gives credentials away that end soon.
type fakeSTS struct {
	*httptest.Server
	mu     sync.Mutex // guards the rest
	forms  []url.Values
	status int // of the answers; 0 as 200
	hangs  int // requests that are not answered, the first ones
}

func (f *fakeSTS) answer(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

func newSTS(t *testing.T, life time.Duration) *fakeSTS {
	t.Helper()
	f := new(fakeSTS)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.forms = append(f.forms, r.PostForm)
		if f.hangs--; f.hangs >= 0 {
			f.mu.Unlock()
			<-r.Context().Done()
			f.mu.Lock()
			return
		}
		if f.status > http.StatusOK {
			w.WriteHeader(f.status)
			_, _ = io.WriteString(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>injected</Message></Error></ErrorResponse>")
			return
		}
		action := r.PostForm.Get("Action")
		fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>ROLE%[2]d</AccessKeyId><SecretAccessKey>s</SecretAccessKey>`+
			`<SessionToken>token%[2]d</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
			action, len(f.forms), time.Now().Add(life).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(f.Close)
	t.Cleanup(f.CloseClientConnections)
	t.Setenv("AWS_ENDPOINT_URL_STS", f.URL)
	return f
}

func (f *fakeSTS) asked() []url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forms
}

// TestAssumedRole assumes a role, with an external id and without, and again when its credentials end (47).
func TestAssumedRole(t *testing.T) {
	for _, external := range []string{"", "x-1"} {
		sts := newSTS(t, time.Hour)
		srv, w := wired(t)
		changes := map[string]string{"s3.credentials.provider.class": "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider",
			"s3.credentials.provider.sts.role.arn": "arn:aws:iam::1:role/r", "s3.credentials.provider.sts.role.session.name": "lake"}
		if external != "" {
			changes["s3.credentials.provider.sts.role.external.id"] = external
		}
		oneObject(t, srv, changes)
		forms := sts.asked()
		if len(forms) != 1 || forms[0].Get("Action") != "AssumeRole" || forms[0].Get("RoleArn") != "arn:aws:iam::1:role/r" ||
			forms[0].Get("RoleSessionName") != "lake" || forms[0].Get("ExternalId") != external {
			t.Errorf("STS is asked %v", forms)
		}
		w.each(t, "part", func(r *http.Request) {
			if !strings.Contains(r.Header.Get("Authorization"), "Credential=ROLE1/") || r.Header.Get("X-Amz-Security-Token") != "token1" {
				t.Errorf("not signed by the role: %s", r.Header.Get("Authorization"))
			}
		})
	}
	sts := newSTS(t, -time.Second) // they have ended when they come
	srv, w := wired(t)
	oneObject(t, srv, map[string]string{"s3.credentials.provider.class": "AwsAssumeRoleCredentialsProvider", "s3.credentials.provider.sts.role.arn": "arn:aws:iam::1:role/r"})
	if n := len(sts.asked()); n < 2 {
		t.Errorf("credentials that have ended were fetched %d times", n)
	}
	w.each(t, "complete", func(r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "Credential=ROLE1/") {
			t.Error("signed by credentials that have ended")
		}
	})
}

// TestRoleThatCannotBeAssumedForAWhile waits for STS once it has had credentials, and not when they are refused (47).
func TestRoleThatCannotBeAssumedForAWhile(t *testing.T) {
	t.Setenv("AWS_MAX_ATTEMPTS", "1") // the SDK's own are with long waits
	for _, refused := range []bool{false, true} {
		sts := newSTS(t, -time.Second) // they have ended when they come
		srv, l := newServer(t), ledger{}
		h := mustOpen(t, srv, l, map[string]string{"flush.size": "4", "s3.credentials.provider.class": "AwsAssumeRoleCredentialsProvider",
			"s3.credentials.provider.sts.role.arn": "arn:aws:iam::1:role/r"})
		if sts.answer(http.StatusServiceUnavailable); refused {
			sts.answer(http.StatusForbidden)
		}
		h.write(rawBatch(0, 0, 4, 20))
		var err error
		h.poll("trouble", func() bool {
			_, err = h.sink.Prepare(t.Context())
			return err != nil || h.sink.retrier.health.trouble() != nil
		})
		if refused != (err != nil) {
			t.Errorf("refused: %v; Prepare = %v", refused, err)
		}
		if sts.answer(http.StatusOK); !refused {
			h.commitAndApply(l, 4)
			h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
		}
	}
}

// TestWebIdentity takes the worker's environment: a file with a token, as Kubernetes has it (47).
func TestWebIdentity(t *testing.T) {
	sts := newSTS(t, time.Hour)
	srv, w := wired(t)
	l := ledger{}
	c, err := parse(webIdentity(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, srv: srv, clock: time.Unix(1_700_000_000, 0), offsets: make(map[connect.TopicPartition]int64), sink: newSink(c)}
	t.Cleanup(h.close)
	if err := h.sink.Open(t.Context(), sinkContext()); err != nil {
		t.Fatal(err)
	}
	h.assign(0, 0)
	h.write(rawBatch(0, 0, 4, 20))
	h.commitAndApply(l, 4)
	forms := sts.asked()
	if len(forms) != 1 || forms[0].Get("Action") != "AssumeRoleWithWebIdentity" || forms[0].Get("WebIdentityToken") != "jwt" || forms[0].Get("RoleArn") != "arn:aws:iam::1:role/pod" {
		t.Errorf("STS is asked %v", forms)
	}
	w.each(t, "part", func(r *http.Request) {
		if r.Header.Get("X-Amz-Security-Token") != "token1" {
			t.Error("not signed by the role")
		}
	})
}

// TestTokenServiceThatHangs has credentials as soon as a request to it is answered: the SDK asks once for all who wait, and lets none of them end that
// request (47).
func TestTokenServiceThatHangs(t *testing.T) {
	for _, provider := range []string{"a role", "web identity"} {
		sts := newSTS(t, time.Hour)
		sts.hangs = 1
		srv := newServer(t)
		s := settings(srv, map[string]string{"s3.credentials.provider.class": "AwsAssumeRoleCredentialsProvider", "s3.credentials.provider.sts.role.arn": "arn:aws:iam::1:role/r"})
		if provider == "web identity" {
			s = webIdentity(t, srv)
		}
		c, err := parse(s)
		if err != nil {
			t.Fatal(err)
		}
		c.credentialsLimit = 100 * time.Millisecond
		h := &harness{t: t, srv: srv, sink: newSink(c)}
		if err := h.sink.Open(t.Context(), sinkContext()); err != nil {
			t.Errorf("%s: Open = %v", provider, err)
		}
		if n := len(sts.asked()); n != 2 {
			t.Errorf("%s: %d requests, want one that hangs and another", provider, n)
		}
		h.close()
	}
}

// webIdentity is a config without keys, in an environment that has a token.
func webIdentity(t *testing.T, srv *server) map[string]string {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("jwt"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod", "AWS_ACCESS_KEY_ID": "",
		"AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"} {
		t.Setenv(name, value)
	}
	s := settings(srv, map[string]string{"flush.size": "4"})
	delete(s, "aws.access.key.id")
	delete(s, "aws.secret.access.key")
	return s
}

// TestSessionToken sends the token of temporary keys (47).
func TestSessionToken(t *testing.T) {
	srv, w := wired(t)
	oneObject(t, srv, map[string]string{"aws.session.token": "temporary"})
	w.each(t, "part", func(r *http.Request) {
		if r.Header.Get("X-Amz-Security-Token") != "temporary" {
			t.Errorf("no token: %v", r.Header)
		}
	})
}

// clock is a server's, so far ahead: it refuses what was signed at another time than its own.
func clock(ahead time.Duration) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		now := time.Now().Add(ahead)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		if signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err != nil || now.Sub(signed).Abs() > 15*time.Minute {
			s3 = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				respond(http.StatusForbidden, "RequestTimeTooSkewed")(w, r, nil)
			})
		}
		r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z")) // the server behind looks at its own
		s3.ServeHTTP(w, r)
	}
}

// TestClockThatIsWrong signs by the server's clock once that has answered, also when one of the two is set while a task runs.
func TestClockThatIsWrong(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	for i, ahead := range []time.Duration{time.Hour, 0, -24 * time.Hour} {
		srv.heal()
		srv.inject("", -1, clock(ahead))
		from := int64(4 * i)
		h.write(rawBatch(0, from, from+4, 20))
		h.commitAndApply(l, from+4)
	}
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20), 4: lines(4, 8, 20), 8: lines(8, 12, 20)})
	if err := newConfig(t, srv, nil).Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
}
