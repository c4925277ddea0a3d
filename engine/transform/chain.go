package transform

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// transformation is one transform with its options set.
type transformation interface {
	// options declares the options, without prefix.
	options() []connect.Option
	// prepare is called once the options are parsed without error. Its error is a
	// *connect.ConfigError whose option has no prefix.
	prepare() error
	// apply changes r, or tells to drop it. What it stores in r is immutable or b's.
	apply(b *connect.Batch, r *connect.Record) (keep bool, err error)
}

// predicate is one predicate with its options set.
type predicate interface {
	options() []connect.Option
	prepare() error
	test(r *connect.Record) (bool, error)
}

// Chain is the transforms of a connector in order. It is for one goroutine.
type Chain struct {
	steps []step
	work  connect.Record
}

// step is a transform and the predicate that chooses its records.
type step struct {
	alias, class string
	apply        transformation
	when         predicate // nil: every record
	negate       bool
}

// Error is the failure of one transform with one record: stage TRANSFORMATION of
// Kafka's errors.
type Error struct {
	Alias string // of the transform
	Class string // its Java class name
	Err   error
}

func (e *Error) Error() string { return fmt.Sprintf("transform %s (%s): %v", e.Alias, e.Class, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Apply puts a record of b through the chain and tells whether it is still there.
// On an error, which is an *Error, the record is as it was. A nil Chain keeps every
// record as it is.
func (c *Chain) Apply(b *connect.Batch, r *connect.Record) (keep bool, err error) {
	if c == nil {
		return true, nil
	}
	c.work = *r
	for i := range c.steps {
		s := &c.steps[i]
		keep, err := s.run(b, &c.work)
		if err != nil {
			return false, &Error{s.alias, s.class, err}
		}
		if !keep {
			return false, nil
		}
	}
	*r = c.work
	return true, nil
}

func (s *step) run(b *connect.Batch, r *connect.Record) (keep bool, err error) {
	if s.when != nil {
		holds, err := s.when.test(r)
		if err != nil || holds == s.negate {
			return true, err
		}
	}
	return s.apply.apply(b, r)
}
