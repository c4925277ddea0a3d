package engine

import "fmt"

// ErrorKind says what kind of trouble a request met.
type ErrorKind uint8

// The kinds of errors.
const (
	KindBadRequest  ErrorKind = iota + 1 // the request is wrong
	KindNotFound                         // no such connector, task or plugin
	KindConflict                         // the connector exists already
	KindForbidden                        // switched off, or not allowed to this user
	KindUnavailable                      // the worker is starting or shutting down
	KindInternal                         // the log did not take the change
)

// Error is an error of a request with a message for whoever sent it.
type Error struct {
	Kind    ErrorKind
	Message string
}

func (e *Error) Error() string { return e.Message }

func badRequest(format string, args ...any) error {
	return &Error{KindBadRequest, fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &Error{KindNotFound, fmt.Sprintf(format, args...)}
}
