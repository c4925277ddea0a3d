package schemaregistry

import (
	"errors"
	"fmt"
)

// errUnknownKey is a record of a kind that this version does not know: it is left alone.
var errUnknownKey = errors.New("unknown kind of record")

// Error is what a client is told: a code of Confluent's, whose first three digits are the HTTP status, and a text.
type Error struct {
	Code    int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Status is the HTTP status of the error.
func (e *Error) Status() int {
	if e.Code >= 1000 {
		return e.Code / 100
	}
	return e.Code
}

// Codes of errors, as Confluent numbers them.
const (
	CodeSubjectNotFound       = 40401
	CodeVersionNotFound       = 40402
	CodeSchemaNotFound        = 40403
	CodeSubjectSoftDeleted    = 40404
	CodeSubjectNotSoftDeleted = 40405
	CodeVersionSoftDeleted    = 40406
	CodeVersionNotSoftDeleted = 40407
	CodeNoSubjectConfig       = 40408
	CodeNoSubjectMode         = 40409
	CodeIncompatible          = 409
	CodeInvalidSchema         = 42201
	CodeInvalidVersion        = 42202
	CodeInvalidCompatibility  = 42203
	CodeInvalidMode           = 42204
	CodeNotPermitted          = 42205
	CodeReferenceExists       = 42206
	CodeInvalidSubject        = 42208
	CodeSchemaTooLarge        = 42209
	CodeInvalidRuleSet        = 42210
	CodeContextNotEmpty       = 42211
	CodeStore                 = 50001
	CodeTimeout               = 50002
)

func errorf(code int, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

func subjectNotFound(subject string) *Error {
	return errorf(CodeSubjectNotFound, "Subject '%s' not found.", subject)
}

func versionNotFound(version int) *Error {
	return errorf(CodeVersionNotFound, "Version %d not found.", version)
}

// TooLarge is implemented by errors of a Provider about the size of a schema.
type TooLarge interface{ TooLarge() bool }

func invalidSchema(err error) *Error {
	var large TooLarge
	if errors.As(err, &large) && large.TooLarge() {
		return errorf(CodeSchemaTooLarge, "Schema too large: %v", err)
	}
	return errorf(CodeInvalidSchema, "Invalid schema: %v", err)
}
