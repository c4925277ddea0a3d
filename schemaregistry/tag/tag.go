// Package tag is about the tags that stand in schemas: the attribute confluent:tags of Avro and JSON Schema, the options confluent.field_meta
// and confluent.message_meta of Protobuf. What a path looks like is up to the type of the schema.
package tag

import (
	"fmt"
	"slices"
	"strings"
)

// Attribute is the name under which Avro and JSON Schema have tags.
const Attribute = "confluent:tags"

// EntityType is the type of what has tags.
type EntityType string

// What can have tags.
const (
	Record EntityType = "sr_record"
	Field  EntityType = "sr_field"
)

// Entity is a part of a schema: a record, or a field of one.
type Entity struct {
	Path string     `json:"entityPath"`
	Type EntityType `json:"entityType"`
}

// Steps are the names in the path, which may begin with a dot.
func (e Entity) Steps() []string { return strings.Split(strings.TrimPrefix(e.Path, "."), ".") }

// Tagged are the tags of an entity.
type Tagged struct {
	Entity Entity   `json:"schemaEntity"`
	Tags   []string `json:"tags,omitempty"`
}

// Edit changes the tags of an entity.
type Edit struct {
	Entity      Entity
	Add, Remove []string
	// Optional edits are left out where the entity is not there.
	Optional bool
}

// Of returns what the tags of the entity become: first some are added, then some removed. It takes tags over.
func (e *Edit) Of(tags []string) []string {
	for _, t := range e.Add {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	return slices.DeleteFunc(tags, func(t string) bool { return slices.Contains(e.Remove, t) })
}

// Missing is the error of an edit whose entity is not there, nil for an optional one.
func (e *Edit) Missing() error {
	if e.Optional {
		return nil
	}
	return fmt.Errorf("no matching path '%s' found in the schema: there is no such %s", e.Entity.Path, e.Entity.Type.noun())
}

func (t EntityType) noun() string {
	switch t {
	case Record:
		return "record"
	case Field:
		return "field"
	}
	return fmt.Sprintf("part of the type %q, which is neither %s nor %s", string(t), Record, Field)
}

// maxListed bounds the paths of one List in bytes (I5): each repeats the names of all that the entity is in.
const maxListed = 4 << 20

// A List is what has tags in one schema.
type List struct {
	Tagged []Tagged
	bytes  int
}

// Add appends an entity if it has tags.
//
// Errors: the list would be too long.
func (l *List) Add(path string, typ EntityType, tags []string) error {
	if len(tags) == 0 {
		return nil
	}
	if l.bytes += len(path); l.bytes > maxListed {
		return fmt.Errorf("the paths of what has tags in the schema take more than %d bytes", maxListed)
	}
	l.Tagged = append(l.Tagged, Tagged{Entity{path, typ}, tags})
	return nil
}
