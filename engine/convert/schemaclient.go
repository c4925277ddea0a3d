package convert

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/connect"
)

// Limits of a request to a schema registry.
const (
	registryTimeout = 10 * time.Second // to one of its servers
	// maxRegistryBody bounds an answer, in bytes (I5).
	maxRegistryBody = 16 << 20
	// maxReferences bounds how many schemas are fetched for one (I5).
	maxReferences = 1000
)

// schemaClient asks a schema registry, embedded or elsewhere alike, by its REST API (I4). Errors that can pass are retriable.
type schemaClient struct {
	ctx     context.Context // of the task whose converter it is: requests end with it
	servers []server
	timeout time.Duration // of a request to one server
	format  schemaFormat  // the type of the schemas
	urls    string        // for errors
}

// server is one of several with the same schemas.
type server struct {
	client *sr.Client
	url    string // for errors
}

// registered is a schema that the registry knows.
type registered struct {
	id, version int
	guid        string
	schema      parsedSchema // nil: the one that was asked for
}

// ask sends a request and reads the JSON of the answer into a value. While a server is away the next one is asked; the one that has answered is the
// first to be asked the next time. Each has its time: one that hangs leaves some for the others.
func (c *schemaClient) ask(params url.Values, method, path string, body, into any) (err error) {
	for i := range c.servers {
		s := c.servers[i]
		if err = c.askServer(s, params, method, path, body, into); !IsUnavailable(err) {
			copy(c.servers[1:], c.servers[:i])
			c.servers[0] = s
			return err
		}
		if c.ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (c *schemaClient) askServer(s server, params url.Values, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	if len(params) > 0 {
		ctx = sr.WithParams(ctx, sr.RawParams(params))
	}
	var text []byte
	if err := s.client.Do(ctx, method, path, body, &text); err != nil {
		return s.explain(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return s.strange(err)
	}
	return nil
}

// explain says what the registry said, and whether another try may help.
func (s server) explain(err error) error {
	var answer *sr.ResponseError
	var login *tokenError
	switch {
	case errors.As(err, &login):
		return login.err
	case !errors.As(err, &answer):
		return unavailable(fmt.Errorf("the schema registry at %s does not answer: %w", s.url, err))
	case passing(answer):
		return unavailable(fmt.Errorf("the schema registry at %s answers with status %d: %s", s.url, answer.StatusCode, answer.Message))
	case answer.StatusCode >= http.StatusInternalServerError:
		return connect.Retriable(fmt.Errorf("the schema registry at %s answers with status %d: %s", s.url, answer.StatusCode, answer.Message))
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("the schema registry at %s refuses the user (status %d); look at basic.auth.user.info, bearer.auth.token and bearer.auth.client.id", s.url, answer.StatusCode)
	}
	return &registryError{answer, s.url}
}

// strange is an answer that no registry gives, such as that of a proxy in front of one that is away. Nothing is written by it.
func (s server) strange(why error) error {
	return unavailable(fmt.Errorf("the server at %s answers, but not as a schema registry does (%w); look at schema.registry.url", s.url, why))
}

// passing tells whether an answer is about the state of the registry and not about the request.
func passing(r *sr.ResponseError) bool {
	switch r.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return r.StatusCode == http.StatusInternalServerError && r.ErrorCode > 50000 // its store, its leader
}

func unavailable(err error) error { return connect.Retriable(&unavailableError{err}) }

// registryError is a refusal that no retry helps.
type registryError struct {
	*sr.ResponseError
	url string
}

func (e *registryError) Error() string {
	if e.ErrorCode == 0 {
		return fmt.Sprintf("the server at %s answers with status %d and no error code of a schema registry; look at schema.registry.url", e.url, e.StatusCode)
	}
	return fmt.Sprintf("%s (the schema registry's error code %d)", e.Message, e.ErrorCode)
}

// Answers without what was asked for.
var (
	errNoID   = errors.New("the answer has no id")
	errNoText = errors.New("the answer has no schema")
)

// answered is a schema in answers, as far as it is looked at. What else is with it may be of a kind that nobody here knows.
type answered struct {
	Subject    string               `json:"subject"`
	Version    int                  `json:"version"`
	ID         *int                 `json:"id"` // 0 is one too
	GUID       string               `json:"guid"`
	Type       string               `json:"schemaType"` // "" is Avro
	References []sr.SchemaReference `json:"references"`
	Schema     string               `json:"schema"`
}

func (a *answered) registered() registered {
	r := registered{version: a.Version, guid: a.GUID}
	if a.ID != nil {
		r.id = *a.ID
	}
	return r
}

// askID is ask for what has an id.
func (c *schemaClient) askID(params url.Values, method, path string, body any) (s answered, err error) {
	if err = c.ask(params, method, path, body, &s); err == nil && s.ID == nil {
		err = c.servers[0].strange(errNoID)
	}
	return s, err
}

// register makes a schema a version of a subject, or finds it there. keepTags asks the registry to give it the tags of the version before it.
func (c *schemaClient) register(subject, text string, normalize, keepTags bool) (r registered, err error) {
	body := struct {
		sr.Schema
		KeepTags bool `json:"propagateSchemaTags,omitempty"`
	}{sr.Schema{Schema: text, Type: c.format.schemaType()}, keepTags}
	s, err := c.askID(normalized(normalize), http.MethodPost, subjectPath(subject)+"/versions", body)
	if err != nil {
		return r, fmt.Errorf("register the schema of subject %s: %w", subject, err)
	}
	return s.registered(), nil
}

func subjectPath(subject string) string { return "/subjects/" + url.PathEscape(subject) }

// lookup finds a schema that somebody else registers.
func (c *schemaClient) lookup(subject, text string, normalize bool) (r registered, err error) {
	s, err := c.askID(normalized(normalize), http.MethodPost, subjectPath(subject), sr.Schema{Schema: text, Type: c.format.schemaType()})
	if err != nil {
		return r, fmt.Errorf("look up the schema of subject %s, which auto.register.schemas=false keeps from being registered: %w", subject, err)
	}
	return s.registered(), nil
}

func normalized(yes bool) url.Values {
	if yes {
		return url.Values{"normalize": {"true"}}
	}
	return nil
}

// byID fetches the schema of an id with those that it refers to. An id is another schema in each context: subject, if it is known, tells which one is
// meant, as with Confluent's deserializers.
func (c *schemaClient) byID(id int, subject string) (registered, error) {
	var s answered
	path := fmt.Sprintf("/schemas/ids/%d", id)
	err := c.ask(ofSubject(subject), http.MethodGet, path, nil, &s)
	var refused *registryError
	if subject != "" && errors.As(err, &refused) && refused.ErrorCode == codeNoSchema {
		// Confluent's registry says so in a context other than the default one, though another subject there may have it.
		err = c.ask(nil, http.MethodGet, path, nil, &s)
	}
	s.ID = &id
	return c.parsed(s, err, fmt.Sprintf("the schema with id %d", id))
}

// codeNoSchema is the error code for an id that is not there.
const codeNoSchema = 40403

func ofSubject(subject string) url.Values {
	if subject == "" {
		return nil
	}
	return url.Values{"subject": {subject}}
}

// byGUID does so for a GUID, which a registry of Confluent's version 8 knows.
func (c *schemaClient) byGUID(guid [16]byte) (registered, error) {
	text := guidText(guid)
	var s answered
	err := c.ask(nil, http.MethodGet, "/schemas/guids/"+text, nil, &s)
	return c.parsed(s, err, "the schema with GUID "+text)
}

func guidText(guid [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", guid[:4], guid[4:6], guid[6:8], guid[8:10], guid[10:])
}

// idOf is the id that a GUID has in the registry, in the default context if it is there.
func (c *schemaClient) idOf(guid [16]byte) (int, error) {
	var ids []struct {
		Context string `json:"context"`
		ID      int    `json:"id"`
	}
	err := c.ask(nil, http.MethodGet, "/schemas/guids/"+guidText(guid)+"/ids", nil, &ids)
	if err == nil && len(ids) == 0 {
		err = errors.New("the registry knows none")
	}
	if err != nil {
		return 0, fmt.Errorf("fetch the id of the schema with GUID %s: %w", guidText(guid), err)
	}
	for _, i := range ids {
		if i.Context == "." {
			return i.ID, nil
		}
	}
	return ids[0].ID, nil
}

// latest fetches the latest version of a subject.
func (c *schemaClient) latest(subject string) (registered, error) {
	s, err := c.askID(nil, http.MethodGet, subjectPath(subject)+"/versions/latest", nil)
	return c.parsed(s, err, "the latest version of subject "+subject)
}

// withMetadata fetches the latest version of a subject whose metadata has the properties of a query.
func (c *schemaClient) withMetadata(subject string, query url.Values) (registered, error) {
	s, err := c.askID(query, http.MethodGet, subjectPath(subject)+"/metadata", nil)
	return c.parsed(s, err, "the latest version of subject "+subject+" with the metadata of use.latest.with.metadata")
}

func (c *schemaClient) parsed(s answered, err error, what string) (registered, error) {
	r := s.registered()
	if err == nil && s.Schema == "" {
		err = c.servers[0].strange(errNoText)
	}
	if err != nil {
		return r, fmt.Errorf("fetch %s: %w", what, err)
	}
	if typ := c.format.schemaType().String(); cmp.Or(s.Type, "AVRO") != typ {
		return r, fmt.Errorf("%s is %s and not %s; use the converter of that type", what, cmp.Or(s.Type, "AVRO"), typ)
	}
	var references []schemaReference
	if err := c.references(contextOf(s.Subject), s.References, &references, make(map[string]bool)); err != nil {
		return r, fmt.Errorf("fetch %s: %w", what, err)
	}
	if r.schema, err = c.format.parse(s.Schema, references); err != nil {
		return r, fmt.Errorf("read %s: %w", what, err)
	}
	return r, nil
}

// references fetches what is referred to, each schema before those that use it. A reference that names no context is within that of the schema, which
// may be another than the one that was asked for.
func (c *schemaClient) references(context string, refs []sr.SchemaReference, found *[]schemaReference, seen map[string]bool) error {
	for _, ref := range refs {
		if seen[ref.Name] {
			continue
		}
		seen[ref.Name] = true
		if len(seen) > maxReferences {
			return fmt.Errorf("it refers to more than %d others", maxReferences)
		}
		subject := ref.Subject
		if contextOf(subject) == "" {
			subject = context + subject
		}
		var s answered
		if err := c.ask(nil, http.MethodGet, fmt.Sprintf("%s/versions/%d", subjectPath(subject), ref.Version), nil, &s); err != nil {
			return fmt.Errorf("version %d of subject %s, which it refers to: %w", ref.Version, subject, err)
		}
		if err := c.references(contextOf(s.Subject), s.References, found, seen); err != nil {
			return err
		}
		*found = append(*found, schemaReference{ref.Name, s.Schema})
	}
	return nil
}

// version returns the version that an id has in a subject, 0 when it has none there.
func (c *schemaClient) version(id int, subject string) (int, error) {
	var versions []sr.SubjectVersion
	err := c.ask(ofSubject(subject), http.MethodGet, fmt.Sprintf("/schemas/ids/%d/versions", id), nil, &versions)
	var refused *registryError
	if errors.As(err, &refused) { // such as a registry that does not have the list: the version is only for the schema's attributes
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("fetch the versions of the schema with id %d: %w", id, err)
	}
	found := 0
	for _, v := range versions {
		if withoutContext(v.Subject) == withoutContext(subject) { // a context in the URL is not in subject
			found = max(found, v.Version)
		}
	}
	return found, nil
}

// contextOf is the context, with its colons, that a registry puts before the subjects of all but the default one, "" for that.
func contextOf(subject string) string {
	if strings.HasPrefix(subject, ":.") {
		if end := strings.IndexByte(subject[1:], ':'); end >= 0 {
			return subject[:end+2]
		}
	}
	return ""
}

func withoutContext(subject string) string { return subject[len(contextOf(subject)):] }

// httpClient is for requests to a registry: bounded in time and size.
func httpClient(c *tls.Config, proxy func(*http.Request) (*url.URL, error)) *http.Client {
	t := &http.Transport{Proxy: proxy, DialContext: (&net.Dialer{Timeout: registryTimeout}).DialContext,
		TLSClientConfig: c, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
	return &http.Client{Transport: bounded{t}, Timeout: registryTimeout}
}

// bounded cuts long answers off.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxRegistryBody)
	}
	return resp, err
}
