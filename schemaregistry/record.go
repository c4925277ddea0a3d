package schemaregistry

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// keyType says what a record is about.
type keyType string

const (
	keySchema        keyType = "SCHEMA"
	keyConfig        keyType = "CONFIG"
	keyMode          keyType = "MODE"
	keyDeleteSubject keyType = "DELETE_SUBJECT"
	keyClearSubject  keyType = "CLEAR_SUBJECT"
	keyContext       keyType = "CONTEXT"
	keyNoop          keyType = "NOOP"
)

// key is the key of a record. It is comparable: two keys that mean the same are equal, whatever their bytes.
type key struct {
	kind    keyType
	subject string // qualified; "" in CONFIG and MODE means all
	version int
	context string
}

// keyJSON is every field that a key can have.
type keyJSON struct {
	Kind    keyType `json:"keytype"`
	Subject *string `json:"subject"`
	Version int     `json:"version"`
	Magic   int     `json:"magic"`
	Tenant  string  `json:"tenant"`
	Context string  `json:"context"`
}

// parseKey reads a key, with its fields in any order: old releases had others, and compaction compares bytes.
func parseKey(b []byte) (key, error) {
	var j keyJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return key{}, fmt.Errorf("read record key: %w", err)
	}
	k := key{kind: j.Kind}
	if j.Subject != nil {
		k.subject = *j.Subject
	}
	switch j.Kind {
	case keySchema:
		k.version = j.Version
		if j.Magic != 0 && j.Magic != 1 {
			return key{}, fmt.Errorf("read record key: magic %d of a SCHEMA key is neither 0 nor 1", j.Magic)
		}
	case keyConfig, keyMode, keyDeleteSubject, keyClearSubject:
		if j.Magic != 0 {
			return key{}, fmt.Errorf("read record key: magic %d of a %s key is not 0", j.Magic, j.Kind)
		}
	case keyContext:
		k.context = j.Context
	case keyNoop:
	default:
		return key{}, errUnknownKey
	}
	return k, nil
}

// bytes is the key as the current releases of Confluent write it.
func (k key) bytes() []byte {
	switch {
	case k.kind == keySchema:
		return mustJSON(struct {
			Kind    keyType `json:"keytype"`
			Subject string  `json:"subject"`
			Version int     `json:"version"`
			Magic   int     `json:"magic"`
		}{k.kind, k.subject, k.version, 1})
	case k.kind == keyContext:
		return mustJSON(struct {
			Kind    keyType `json:"keytype"`
			Tenant  string  `json:"tenant"`
			Context string  `json:"context"`
			Magic   int     `json:"magic"`
		}{k.kind, defaultTenant, k.context, 0})
	}
	return mustJSON(struct {
		Kind    keyType `json:"keytype"`
		Subject string  `json:"subject,omitempty"`
		Magic   int     `json:"magic"`
	}{k.kind, k.subject, 0})
}

// defaultTenant is what a registry without tenants writes.
const defaultTenant = "default"

// Reference is a schema of another subject that a schema uses under a name.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Metadata is what users attach to a schema.
type Metadata struct {
	Tags       map[string][]string `json:"tags,omitempty"`
	Properties map[string]string   `json:"properties,omitempty"`
	Sensitive  []string            `json:"sensitive,omitempty"`
}

func (m *Metadata) empty() bool {
	return m == nil || len(m.Tags)+len(m.Properties)+len(m.Sensitive) == 0
}

// schemaValue is the value of a SCHEMA record.
type schemaValue struct {
	Subject    string      `json:"subject"`
	Version    int         `json:"version"`
	ID         int         `json:"id"`
	Type       string      `json:"schemaType,omitempty"` // absent: AVRO
	References []Reference `json:"references,omitempty"`
	Metadata   *Metadata   `json:"metadata,omitempty"`
	Rules      *RuleSet    `json:"ruleSet,omitempty"`
	Schema     string      `json:"schema"`
	Deleted    bool        `json:"deleted"`
}

// configValue is the value of a CONFIG record.
type configValue struct {
	Subject string `json:"subject,omitempty"`
	Config
}

type modeValue struct {
	Subject string `json:"subject,omitempty"`
	Mode    Mode   `json:"mode"`
}

type deleteSubjectValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"` // the last that is deleted
}

type clearSubjectValue struct {
	Subject string `json:"subject"`
}

type contextValue struct {
	Tenant  string `json:"tenant"`
	Context string `json:"context"`
}

// noopValue keeps what would be lost with the records of schemas that are hard deleted.
type noopValue struct {
	IDs map[string]int `json:"ids"` // the highest id of each context
}

// record is one record of the topic as it is written. A nil value takes away what has the key.
type record struct {
	key   []byte
	value []byte
}

func newRecord(k key, value any) record {
	if value == nil {
		return record{key: k.bytes()}
	}
	return record{k.bytes(), mustJSON(value)}
}

// mustJSON is compact JSON without HTML escapes, which Java does not write. It panics on what cannot be JSON: all types here can.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
