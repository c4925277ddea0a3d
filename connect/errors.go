package connect

import (
	"errors"
	"fmt"
)

// Retriable marks err as passing: the caller makes the same call again after a
// backoff. Retriable(nil) is nil.
func Retriable(err error) error {
	if err == nil {
		return nil
	}
	return &retriableError{err}
}

// IsRetriable tells whether Retriable marked err or an error that it wraps.
func IsRetriable(err error) bool {
	var r *retriableError
	return errors.As(err, &r)
}

type retriableError struct{ err error }

func (e *retriableError) Error() string { return e.err.Error() }
func (e *retriableError) Unwrap() error { return e.err }

// BatchError says that a sink could not handle some records of a batch, while it
// took all others. The engine applies the connector's error tolerance to the
// failed ones.
type BatchError struct {
	Failed []RecordError // by ascending index
}

// RecordError is the failure of one record.
type RecordError struct {
	Index int // in the batch
	Err   error
}

// Error names the first failure and the number of all.
func (e *BatchError) Error() string {
	if len(e.Failed) == 0 {
		return "no record failed"
	}
	first := e.Failed[0]
	if len(e.Failed) == 1 {
		return fmt.Sprintf("record %d of the batch: %v", first.Index, first.Err)
	}
	return fmt.Sprintf("%d records of the batch failed, the first is record %d: %v", len(e.Failed), first.Index, first.Err)
}

// Unwrap returns the failures of the records.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f.Err
	}
	return errs
}

// ConfigError says what is wrong with the value of one option and what to do.
type ConfigError struct {
	Option string
	Reason string
}

func (e *ConfigError) Error() string { return e.Option + ": " + e.Reason }
