package schemaregistry

import (
	"cmp"
	"sync"
)

// maxReferences bounds how many schemas one may refer to, with those that they refer to (I5).
const maxReferences = 1000

// Input is a schema as a client sends it.
type Input struct {
	Type       string
	Text       string
	References []Reference
	Metadata   *Metadata
	Rules      *RuleSet
}

func (in Input) attachments() attachments { return attachments{in.Metadata, in.Rules} }

// parse reads a client's schema as one of a context. References get the numbers of the versions that they mean.
func (r *Registry) parse(context string, in Input, isNew bool) (Schema, []Reference, error) {
	typ := cmp.Or(in.Type, Avro)
	p := r.providers[typ]
	if p == nil {
		return nil, nil, errorf(CodeInvalidSchema, "Invalid schema type %s", typ)
	}
	references, err := r.pin(context, in.References)
	if err != nil {
		return nil, nil, err
	}
	texts, err := r.resolve(context, references)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := p.Parse(in.Text, texts, isNew)
	if err != nil {
		return nil, nil, invalidSchema(err)
	}
	return parsed, references, nil
}

// pin replaces the version -1 of references by the latest there is.
func (r *Registry) pin(context string, references []Reference) ([]Reference, error) {
	if len(references) > maxReferences {
		return nil, tooManyReferences()
	}
	var pinned []Reference
	for _, ref := range references {
		if ref.Version == latestVersion {
			v := latest(r.state.versionsOf(ParseName(ref.Subject).within(context)))
			if v == nil {
				return nil, noReference(ref)
			}
			ref.Version = v.number
		}
		pinned = append(pinned, ref)
	}
	return pinned, nil
}

func tooManyReferences() error {
	return errorf(CodeInvalidSchema, "Invalid schema: it refers to more than %d others", maxReferences)
}

func noReference(ref Reference) error {
	return errorf(CodeInvalidSchema, "Invalid schema: no schema reference found for subject \"%s\" and version %d", ref.Subject, ref.Version)
}

// Reached are the subjects that a version refers to, directly or through others, as far as they are there.
func (r *Registry) Reached(v Version) []Name {
	var names []Name
	_ = r.walk(v.Name.Context, v.References, func(_ Reference, of *version) { names = append(names, of.name) })
	return names
}

// resolve returns the texts behind references, each before those that use it.
func (r *Registry) resolve(context string, references []Reference) ([]Referenced, error) {
	var texts []Referenced
	err := r.walk(context, references, func(ref Reference, of *version) { texts = append(texts, Referenced{ref.Name, of.entry.text.String()}) })
	return texts, err
}

// walk calls f for what is behind references, each before those that use it.
func (r *Registry) walk(context string, references []Reference, f func(Reference, *version)) error {
	seen := make(map[string]bool)
	var visit func(context string, references []Reference) error
	visit = func(context string, references []Reference) error {
		for _, ref := range references {
			if seen[ref.Name] {
				continue
			}
			seen[ref.Name] = true
			if len(seen) > maxReferences {
				return tooManyReferences()
			}
			name := ParseName(ref.Subject).within(context)
			v := find(r.state.versionsOf(name), ref.Version)
			if v == nil {
				return noReference(ref)
			}
			if err := visit(name.Context, v.entry.references); err != nil {
				return err
			}
			f(ref, v)
		}
		return nil
	}
	return visit(context, references)
}

// find returns the version of a number, soft deleted or not.
func find(versions []version, number int) *version {
	for i := range versions {
		if versions[i].number == number {
			return &versions[i]
		}
	}
	return nil
}

// stored returns a version's schema parsed.
func (r *Registry) stored(v *version) (Schema, error) {
	k := parsedKey{v.name.Context, v.entry.sum, r.state.replacements()}
	if s := r.parsed.get(k); s != nil {
		return s, nil
	}
	e := v.entry
	s, _, err := r.parse(v.name.Context, Input{Type: e.typ, Text: e.text.String(), References: e.references}, false)
	if err == nil {
		r.parsed.put(k, s)
	}
	return s, err
}

// parsedCache keeps schemas that were parsed: references make what a content means depend on the context, and on what became of other versions.
type parsedCache struct {
	mu      sync.Mutex // guards what follows
	schemas map[parsedKey]Schema
	bytes   int // of their texts
}

type parsedKey struct {
	context  string
	sum      sum
	replaced int
}

// The cache has so many schemas and bytes of text at most (I5); it then begins anew. In memory a schema is many times its text.
const (
	maxParsed      = 1000
	maxParsedBytes = 4 << 20
)

func (c *parsedCache) get(k parsedKey) Schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.schemas[k]
}

func (c *parsedCache) put(k parsedKey, s Schema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(s.Canonical())
	if c.schemas == nil || len(c.schemas) >= maxParsed || c.bytes+size > maxParsedBytes {
		c.schemas, c.bytes = make(map[parsedKey]Schema), 0
	}
	c.schemas[k] = s
	c.bytes += size
}
