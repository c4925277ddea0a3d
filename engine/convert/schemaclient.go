package convert

import (
	"context"
	"crypto/tls"
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
	registryTimeout = 10 * time.Second
	// maxRegistryBody bounds an answer, in bytes (I5).
	maxRegistryBody = 16 << 20
	// maxReferences bounds how many schemas are fetched for one (I5).
	maxReferences = 1000
)

// schemaClient asks a schema registry, embedded or elsewhere alike, by its REST API (I4). Errors that can pass are retriable.
type schemaClient struct {
	ctx    context.Context // of the task whose converter it is: requests end with it
	client *sr.Client
	format schemaFormat // the type of the schemas
	urls   string       // for errors
}

// registered is a schema that the registry knows.
type registered struct {
	id, version int
	guid        string
	schema      parsedSchema // nil: the one that was asked for
}

// call runs a request within its time.
func (c *schemaClient) call(params []sr.Param, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(sr.WithParams(c.ctx, params...), registryTimeout)
	defer cancel()
	return c.explain(f(ctx))
}

// explain says what the registry said, and whether another try may help.
func (c *schemaClient) explain(err error) error {
	var answer *sr.ResponseError
	var login *tokenError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &login):
		return login.err
	case !errors.As(err, &answer):
		return unavailable(fmt.Errorf("the schema registry at %s does not answer: %w", c.urls, err))
	case passing(answer):
		return unavailable(fmt.Errorf("the schema registry at %s answers with status %d: %s", c.urls, answer.StatusCode, answer.Message))
	case answer.StatusCode >= http.StatusInternalServerError:
		return connect.Retriable(fmt.Errorf("the schema registry at %s answers with status %d: %s", c.urls, answer.StatusCode, answer.Message))
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("the schema registry at %s refuses the user (status %d); look at basic.auth.user.info, bearer.auth.token and bearer.auth.client.id", c.urls, answer.StatusCode)
	}
	return &registryError{answer}
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
type registryError struct{ *sr.ResponseError }

func (e *registryError) Error() string {
	return fmt.Sprintf("%s (the schema registry's error code %d)", e.Message, e.ErrorCode)
}

// register makes a schema a version of a subject, or finds it there. keepTags asks the registry to give it the tags of the version before it.
func (c *schemaClient) register(subject, text string, normalize, keepTags bool) (r registered, err error) {
	err = c.call(normalized(normalize), func(ctx context.Context) error {
		body := struct {
			sr.Schema
			KeepTags bool `json:"propagateSchemaTags,omitempty"`
		}{sr.Schema{Schema: text, Type: c.format.schemaType()}, keepTags}
		var s sr.SubjectSchema
		err := c.client.Do(ctx, http.MethodPost, "/subjects/"+url.PathEscape(subject)+"/versions", body, &s)
		r = registered{id: s.ID, version: s.Version, guid: s.GUID}
		return err
	})
	if err != nil {
		return r, fmt.Errorf("register the schema of subject %s: %w", subject, err)
	}
	return r, nil
}

// lookup finds a schema that somebody else registers.
func (c *schemaClient) lookup(subject, text string, normalize bool) (r registered, err error) {
	err = c.call(normalized(normalize), func(ctx context.Context) error {
		s, err := c.client.LookupSchema(ctx, subject, sr.Schema{Schema: text, Type: c.format.schemaType()})
		r = registered{id: s.ID, version: s.Version, guid: s.GUID}
		return err
	})
	if err != nil {
		return r, fmt.Errorf("look up the schema of subject %s, which auto.register.schemas=false keeps from being registered: %w", subject, err)
	}
	return r, nil
}

func normalized(yes bool) []sr.Param {
	if yes {
		return []sr.Param{sr.Normalize}
	}
	return nil
}

// byID fetches the schema of an id with those that it refers to.
func (c *schemaClient) byID(id int) (registered, error) {
	var s sr.SubjectSchema
	err := c.call(nil, func(ctx context.Context) error {
		return c.client.Do(ctx, http.MethodGet, fmt.Sprintf("/schemas/ids/%d", id), nil, &s)
	})
	s.ID = id
	return c.parsed(s, err, fmt.Sprintf("the schema with id %d", id))
}

// byGUID does so for a GUID, which a registry of Confluent's version 8 knows.
func (c *schemaClient) byGUID(guid [16]byte) (registered, error) {
	text := guidText(guid)
	var s sr.SubjectSchema
	err := c.call(nil, func(ctx context.Context) (err error) {
		s, err = c.client.SchemaByGUID(ctx, text)
		return err
	})
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
	err := c.call(nil, func(ctx context.Context) error {
		return c.client.Do(ctx, http.MethodGet, "/schemas/guids/"+guidText(guid)+"/ids", nil, &ids)
	})
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
	var s sr.SubjectSchema
	err := c.call(nil, func(ctx context.Context) (err error) {
		s, err = c.client.SchemaByVersion(ctx, subject, -1)
		return err
	})
	return c.parsed(s, err, "the latest version of subject "+subject)
}

// withMetadata fetches the latest version of a subject whose metadata has the properties of a query.
func (c *schemaClient) withMetadata(subject string, query url.Values) (registered, error) {
	var s sr.SubjectSchema
	err := c.call([]sr.Param{sr.RawParams(query)}, func(ctx context.Context) error {
		return c.client.Do(ctx, http.MethodGet, "/subjects/"+url.PathEscape(subject)+"/metadata", nil, &s)
	})
	return c.parsed(s, err, "the latest version of subject "+subject+" with the metadata of use.latest.with.metadata")
}

func (c *schemaClient) parsed(s sr.SubjectSchema, err error, what string) (registered, error) {
	r := registered{id: s.ID, version: s.Version, guid: s.GUID}
	if err != nil {
		return r, fmt.Errorf("fetch %s: %w", what, err)
	}
	if typ := c.format.schemaType(); s.Type != typ {
		return r, fmt.Errorf("%s is %s and not %s; use the converter of that type", what, s.Type, typ)
	}
	var references []schemaReference
	if err := c.references(s.References, &references, make(map[string]bool)); err != nil {
		return r, fmt.Errorf("fetch %s: %w", what, err)
	}
	if r.schema, err = c.format.parse(s.Schema.Schema, references); err != nil {
		return r, fmt.Errorf("read %s: %w", what, err)
	}
	return r, nil
}

// references fetches what is referred to, each schema before those that use it.
func (c *schemaClient) references(refs []sr.SchemaReference, found *[]schemaReference, seen map[string]bool) error {
	for _, ref := range refs {
		if seen[ref.Name] {
			continue
		}
		seen[ref.Name] = true
		if len(seen) > maxReferences {
			return fmt.Errorf("it refers to more than %d others", maxReferences)
		}
		var s sr.SubjectSchema
		err := c.call(nil, func(ctx context.Context) (err error) {
			s, err = c.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
			return err
		})
		if err != nil {
			return fmt.Errorf("version %d of subject %s, which it refers to: %w", ref.Version, ref.Subject, err)
		}
		if err := c.references(s.References, found, seen); err != nil {
			return err
		}
		*found = append(*found, schemaReference{ref.Name, s.Schema.Schema})
	}
	return nil
}

// version returns the version that an id has in a subject, 0 when it has none there.
func (c *schemaClient) version(id int, subject string) (int, error) {
	var versions []sr.SubjectVersion
	err := c.call(nil, func(ctx context.Context) (err error) {
		versions, err = c.client.SchemaVersionsByID(ctx, id)
		return err
	})
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

// withoutContext takes the context away that a registry puts before the subjects of all but the default one.
func withoutContext(subject string) string {
	if rest, ok := strings.CutPrefix(subject, ":."); ok {
		_, subject, _ = strings.Cut(rest, ":")
	}
	return subject
}

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
