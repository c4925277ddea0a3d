package group

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// codedError is a Kafka error with a text of its own.
type codedError struct {
	code *kerr.Error
	text string
}

func (e *codedError) Error() string { return e.text }
func (e *codedError) Unwrap() error { return e.code }

func withMessage(code *kerr.Error, format string, args ...any) error {
	return &codedError{code, fmt.Sprintf(format, args...)}
}

// codeOf is the Kafka code of an error of this package or of the log.
func codeOf(err error) int16 {
	if err == nil {
		return 0
	}
	var k *kerr.Error
	if errors.As(err, &k) {
		return k.Code
	}
	return kerr.CoordinatorNotAvailable.Code // the log refused: clients try again
}
