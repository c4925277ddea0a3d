package convert

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/schemaregistry/avro"
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
	client *sr.Client
	urls   string // for errors
}

// registered is a schema that the registry knows.
type registered struct {
	id, version int
}

// call runs a request within its time.
func (c *schemaClient) call(params []sr.Param, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(sr.WithParams(context.Background(), params...), registryTimeout)
	defer cancel()
	return c.explain(f(ctx))
}

// explain says what the registry said, and whether another try may help.
func (c *schemaClient) explain(err error) error {
	var answer *sr.ResponseError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &answer):
		return unavailable(fmt.Errorf("the schema registry at %s does not answer: %w", c.urls, err))
	case passing(answer):
		return unavailable(fmt.Errorf("the schema registry at %s answers with status %d: %s", c.urls, answer.StatusCode, answer.Message))
	case answer.StatusCode >= http.StatusInternalServerError:
		return connect.Retriable(fmt.Errorf("the schema registry at %s answers with status %d: %s", c.urls, answer.StatusCode, answer.Message))
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("the schema registry at %s refuses the user (status %d); look at basic.auth.user.info", c.urls, answer.StatusCode)
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

// register makes a schema a version of a subject, or finds it there.
func (c *schemaClient) register(subject, text string, normalize bool) (r registered, err error) {
	err = c.call(normalized(normalize), func(ctx context.Context) error {
		s, err := c.client.CreateSchema(ctx, subject, sr.Schema{Schema: text})
		r = registered{s.ID, s.Version}
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
		s, err := c.client.LookupSchema(ctx, subject, sr.Schema{Schema: text})
		r = registered{s.ID, s.Version}
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

// schema fetches the schema of an id with those that it refers to.
func (c *schemaClient) schema(id int) (*avro.Schema, error) {
	var s sr.Schema
	err := c.call(nil, func(ctx context.Context) (err error) {
		s, err = c.client.SchemaByID(ctx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fetch the schema with id %d: %w", id, err)
	}
	if s.Type != sr.TypeAvro {
		return nil, fmt.Errorf("the schema with id %d is %s and not AVRO; use the converter of that type", id, s.Type)
	}
	o := avro.Options{Registered: true}
	if err := c.references(s.References, &o, make(map[string]bool)); err != nil {
		return nil, fmt.Errorf("fetch the schema with id %d: %w", id, err)
	}
	parsed, err := avro.Parse(s.Schema, o)
	if err != nil {
		return nil, fmt.Errorf("read the schema with id %d: %w", id, err)
	}
	return parsed, nil
}

// references fetches what is referred to, each schema before those that use it.
func (c *schemaClient) references(refs []sr.SchemaReference, o *avro.Options, seen map[string]bool) error {
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
		if err := c.references(s.References, o, seen); err != nil {
			return err
		}
		o.References = append(o.References, avro.Reference{Name: ref.Name, Text: s.Schema.Schema})
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
	if err != nil {
		return 0, fmt.Errorf("fetch the versions of the schema with id %d: %w", id, err)
	}
	found := 0
	for _, v := range versions {
		if v.Subject == subject {
			found = max(found, v.Version)
		}
	}
	return found, nil
}

// httpClient is for requests to a registry: bounded in time and size.
func httpClient(t *http.Transport) *http.Client {
	t.DialContext = (&net.Dialer{Timeout: registryTimeout}).DialContext
	t.MaxIdleConnsPerHost = 4
	t.IdleConnTimeout = time.Minute
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
