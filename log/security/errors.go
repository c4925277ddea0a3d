package security

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Error is a change that was refused, with the Kafka code to answer.
type Error struct {
	Code *kerr.Error
	Text string
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Code }

func refuse(code *kerr.Error, format string, args ...any) error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// ErrFailed is returned for changes after an fsync of security.json has failed: what
// is on disk is unknown, so the process has to end (I1).
var ErrFailed = errors.New("security.json cannot be written any more: an fsync failed; restart the process")

// ErrAuthentication is why a client's credentials were refused. It does not say
// whether the user exists.
var ErrAuthentication = errors.New("invalid credentials")
