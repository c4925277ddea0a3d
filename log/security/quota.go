package security

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"
)

// The quotas, under Kafka's names.
const (
	ProducerByteRate  = "producer_byte_rate"       // bytes/s of records
	ConsumerByteRate  = "consumer_byte_rate"       // bytes/s of records
	RequestPercentage = "request_percentage"       // of the time of one thread
	MutationRate      = "controller_mutation_rate" // partitions created and deleted per second (KIP-599)
	ConnectionRate    = "connection_creation_rate" // connections per second, of an address (KIP-612)
)

// The types of a quota's entity.
const (
	EntityUser     = "user"
	EntityClientID = "client-id"
	EntityIP       = "ip"
)

// entityTypes in the order of an Entity's fields.
var entityTypes = [...]string{EntityUser, EntityClientID, EntityIP}

// Entity is whom a quota is for: a user, a client id, a client id of a user, or an
// address; each by name, or the default for those that have none of their own.
type Entity struct{ User, ClientID, IP Part }

// Part is one name of an Entity.
type Part struct {
	Given   bool
	Default bool
	Name    string
}

// Exactly is the part that names one; ByDefault the one of those without their own.
func Exactly(name string) Part { return Part{Given: true, Name: name} }

// ByDefault is the part that stands for all that have no quota of their own.
func ByDefault() Part { return Part{Given: true, Default: true} }

func (e *Entity) part(typ string) *Part {
	switch typ {
	case EntityUser:
		return &e.User
	case EntityClientID:
		return &e.ClientID
	case EntityIP:
		return &e.IP
	}
	return nil
}

// NewEntity makes an entity of names by type; nil is the default. It returns an
// *Error with INVALID_REQUEST for types that are not known or do not go together.
func NewEntity(names map[string]*string) (Entity, error) {
	var e Entity
	for typ, name := range names {
		p := e.part(typ)
		switch {
		case p == nil:
			return e, refuse(kerr.InvalidRequest, "Unhandled client quota entity type: %s", typ)
		case name == nil:
			*p = ByDefault()
		case *name == "" || len(*name) > maxNameBytes || !utf8.ValidString(*name):
			return e, refuse(kerr.InvalidRequest, "the name of a %s is UTF-8 of 1 to %d bytes", typ, maxNameBytes)
		default:
			*p = Exactly(*name)
		}
	}
	if e == (Entity{}) || (e.IP.Given && (e.User.Given || e.ClientID.Given)) {
		return e, refuse(kerr.InvalidRequest, "Invalid client quota entity: want a user, a client-id, both, or an ip")
	}
	return e, nil
}

// Parts is the reverse of NewEntity.
func (e Entity) Parts() map[string]*string {
	names := map[string]*string{}
	for _, typ := range entityTypes {
		if p := *e.part(typ); p.Default {
			names[typ] = nil
		} else if p.Given {
			names[typ] = &p.Name
		}
	}
	return names
}

func (e Entity) String() string {
	var parts []string
	for _, typ := range entityTypes {
		if p := *e.part(typ); p.Default {
			parts = append(parts, typ+" (default)")
		} else if p.Given {
			parts = append(parts, fmt.Sprintf("%s %q", typ, p.Name))
		}
	}
	return strings.Join(parts, ", ")
}

func comparePart(a, b Part) int {
	rank := func(p Part) int {
		switch {
		case !p.Given:
			return 0
		case p.Default:
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name))
}

func sortedEntities(quotas map[Entity]map[string]float64) []Entity {
	return slices.SortedFunc(maps.Keys(quotas), func(a, b Entity) int {
		return cmp.Or(comparePart(a.User, b.User), comparePart(a.ClientID, b.ClientID), comparePart(a.IP, b.IP))
	})
}

// checkValue returns an *Error with INVALID_REQUEST when an entity cannot have a quota.
func (e Entity) checkValue(key string, value float64) error {
	known := []string{ProducerByteRate, ConsumerByteRate, RequestPercentage, MutationRate}
	if e.IP.Given {
		known = []string{ConnectionRate}
	}
	whole := key == ProducerByteRate || key == ConsumerByteRate || key == ConnectionRate
	switch {
	case !slices.Contains(known, key):
		return refuse(kerr.InvalidRequest, "Invalid configuration key %s", key)
	case !(value > 0) || value > math.MaxInt64: // and not NaN
		return refuse(kerr.InvalidRequest, "Quota %s must be greater than 0", key)
	case whole && value != math.Trunc(value):
		return refuse(kerr.InvalidRequest, "%s cannot be a fractional value", key)
	}
	return nil
}

// QuotaChange sets, or removes, the quotas of one entity.
type QuotaChange struct {
	Entity Entity
	Set    map[string]float64
	Remove []string
}

// Validate returns an *Error with INVALID_REQUEST when the change cannot be made.
func (c *QuotaChange) Validate() error {
	for key, value := range c.Set {
		if err := c.Entity.checkValue(key, value); err != nil {
			return err
		}
	}
	for _, key := range c.Remove {
		if err := c.Entity.checkValue(key, 1); err != nil {
			return err
		}
	}
	return nil
}

// AlterQuotas makes changes, which the caller has validated, durably.
func (s *Store) AlterQuotas(changes []QuotaChange) error {
	return s.change(func(next *state) error {
		for _, c := range changes {
			values := map[string]float64{}
			maps.Copy(values, next.quotas[c.Entity])
			maps.Copy(values, c.Set)
			for _, key := range c.Remove {
				delete(values, key)
			}
			if next.quotas[c.Entity] = values; len(values) == 0 {
				delete(next.quotas, c.Entity)
			}
		}
		return nil
	})
}

// QuotaFilter selects entities by one type.
type QuotaFilter struct {
	Type string
	// Match is the name, or nil with Default or for any that is given.
	Match   *string
	Default bool
}

// Quota is an entity with its values.
type Quota struct {
	Entity Entity
	Values map[string]float64 // not to be changed
}

// Quotas returns what all filters select, sorted. Strict leaves out entities that
// have a type without a filter.
func (s *Store) Quotas(filters []QuotaFilter, strict bool) []Quota {
	now := s.state.Load()
	var found []Quota
	for _, e := range sortedEntities(now.quotas) {
		if e.matches(filters, strict) {
			found = append(found, Quota{e, now.quotas[e]})
		}
	}
	return found
}

func (e Entity) matches(filters []QuotaFilter, strict bool) bool {
	left := e
	for _, f := range filters {
		p := left.part(f.Type)
		if p == nil || !p.Given || (f.Default && !p.Default) || (f.Match != nil && (p.Default || p.Name != *f.Match)) {
			return false
		}
		*p = Part{}
	}
	return !strict || left == (Entity{})
}
