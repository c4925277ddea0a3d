package convert

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/jaas"
)

// oauthConfig says where tokens for a schema registry come from: a client's credentials (RFC 6749, section 4.4).
type oauthConfig struct {
	endpoint, id string
	secret       connect.Secret
	scope        string
	early        time.Duration // a token is not used this long before it expires
}

// saslConfig says it in the options of a Kafka client (KIP-768).
type saslConfig struct {
	jaas     connect.Secret
	endpoint string
}

// inherit takes what the options of bearer.auth do not say from those of a Kafka client.
func (c *registryConfig) inherit() error {
	login, err := jaas.Parse(c.sasl.jaas.Reveal())
	if err != nil {
		return &connect.ConfigError{Option: c.prefix + "sasl.jaas.config", Reason: err.Error()}
	}
	var secret string
	targets := map[string]*string{"clientId": &c.oauth.id, "clientSecret": &secret, "scope": &c.oauth.scope, "extension_identityPoolId": &c.pool}
	for _, o := range login.Options {
		if target := targets[o.Name]; target != nil && *target == "" {
			*target = o.Value
		}
	}
	if c.oauth.secret.Reveal() == "" {
		c.oauth.secret = connect.NewSecret(secret)
	}
	if c.oauth.endpoint == "" {
		c.oauth.endpoint = c.sasl.endpoint
	}
	return nil
}

// check is of what source makes of the options.
func (o *oauthConfig) check(prefix, source string) error {
	for _, needed := range []struct{ name, value string }{
		{"bearer.auth.issuer.endpoint.url", o.endpoint}, {"bearer.auth.client.id", o.id}, {"bearer.auth.client.secret", o.secret.Reveal()},
	} {
		if needed.value == "" && source == saslInherit {
			return &connect.ConfigError{Option: prefix + "sasl.jaas.config", Reason: "the token endpoint, the client or its secret is missing; with bearer.auth.credentials.source=" + source +
				` give sasl.oauthbearer.token.endpoint.url and: org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="ID" clientSecret="SECRET";`}
		}
		if needed.value == "" {
			return &connect.ConfigError{Option: prefix + needed.name, Reason: "is needed with bearer.auth.credentials.source=" + source}
		}
	}
	if u, err := url.Parse(o.endpoint); err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return &connect.ConfigError{Option: prefix + "bearer.auth.issuer.endpoint.url", Reason: "must be the URL of the token endpoint, such as https://login.example.com/oauth2/token"}
	}
	return nil
}

// tokens has a token for each request: the one it has, until that is about to expire.
type tokens struct {
	credentials clientcredentials.Config
	client      *http.Client
	early       time.Duration

	mu    sync.Mutex // guards the fields below
	token string
	renew time.Time // when token is too old; zero: nobody knows
}

func (o *oauthConfig) tokens(client *http.Client) *tokens {
	return &tokens{client: client, early: o.early, credentials: clientcredentials.Config{
		ClientID: o.id, ClientSecret: o.secret.Reveal(), TokenURL: o.endpoint, Scopes: strings.Fields(o.scope)}}
}

// get returns a token, and whether it is one that was used before.
func (t *tokens) get(ctx context.Context) (token string, used bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.token != "" && (t.renew.IsZero() || now.Before(t.renew)) {
		return t.token, true, nil
	}
	got, err := t.credentials.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return "", false, &tokenError{t.explain(err)}
	}
	t.token, t.renew = got.AccessToken, time.Time{}
	expiry := got.Expiry
	if expiry.IsZero() {
		expiry = expiryInside(got.AccessToken)
	}
	if !expiry.IsZero() {
		t.renew = now.Add(lifetime(expiry.Sub(now), t.early))
	}
	return t.token, false, nil
}

// lifetime is how long a token is used: four fifths of its time, and no longer than early before its end if it lives that long.
func lifetime(whole, early time.Duration) time.Duration {
	use := whole / 5 * 4
	if whole >= early {
		use = min(use, whole-early)
	}
	return use
}

// expiryInside reads when a token that is a JWT expires; zero: it does not say.
func expiryInside(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expiry float64 `json:"exp"` // seconds since 1970 (RFC 7519, section 2)
	}
	if err != nil || json.Unmarshal(text, &claims) != nil || claims.Expiry <= 0 || claims.Expiry > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expiry), 0)
}

// forget has the next request fetch a token in place of one that was refused.
func (t *tokens) forget(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token = ""
	}
}

// tokenError is a token that could not be fetched, with what to say of it: it passes through two HTTP clients.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// explain says what the token endpoint said, without its answer, which may repeat what it was sent (I6).
func (t *tokens) explain(err error) error {
	where := t.credentials.TokenURL
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return unavailable(fmt.Errorf("the token endpoint at %s for the schema registry does not answer with a token: %w", where, err))
	}
	status := refused.Response.StatusCode
	switch {
	case status >= http.StatusInternalServerError || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests:
		return unavailable(fmt.Errorf("the token endpoint at %s for the schema registry answers with status %d", where, status))
	}
	reason := cmp.Or(strings.TrimSpace(refused.ErrorCode+" "+refused.ErrorDescription), "without a reason")
	return fmt.Errorf("the token endpoint at %s for the schema registry refuses the client (status %d, %s); look at bearer.auth.client.id, bearer.auth.client.secret and bearer.auth.scope",
		where, status, reason)
}

// authorized shows a token with each request.
type authorized struct {
	next   http.RoundTripper
	tokens *tokens
}

// RoundTrip tries once more with a new token when one that worked before is refused: the registry may take it for expired already.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, used, err := a.try(r)
	if err != nil || !used || resp.StatusCode != http.StatusUnauthorized || r.Body != nil && r.GetBody == nil {
		return resp, err
	}
	_ = resp.Body.Close()
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	resp, _, err = a.try(again)
	return resp, err
}

func (a authorized) try(r *http.Request) (resp *http.Response, used bool, err error) {
	token, used, err := a.tokens.get(r.Context())
	if err != nil {
		return nil, used, err
	}
	shown := r.Clone(r.Context())
	shown.Header.Set("Authorization", "Bearer "+token)
	if resp, err = a.next.RoundTrip(shown); err == nil && resp.StatusCode == http.StatusUnauthorized {
		a.tokens.forget(token)
	}
	return resp, used, err
}
