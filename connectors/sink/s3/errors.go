package s3

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/sluice-data/sluice/connect"
)

// credentialsError is a failure to get credentials, before any request. It is passing when there were some before and nobody has refused them.
type credentialsError struct {
	err     error
	passing bool
}

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// noSuchUpload is S3's error code for an upload that is complete or aborted.
const noSuchUpload = "NoSuchUpload"

// noSuchKey is S3's error code for an object that is not there.
const noSuchKey = "NoSuchKey"

// invalidPart is S3's error code for a part that it does not have, or not as it was.
const invalidPart = "InvalidPart"

// existing tells whether a request was refused because there is an object of the
// name.
func existing(err error) bool { return statusCode(err) == http.StatusPreconditionFailed }

// What may be found after a completion that the server says has worked.
var (
	errForeign = errors.New("the object is of another attempt")
	errNotMade = errors.New("the server says that the upload is complete, and there is no object") // it may come
)

// passingCodes are error codes of S3 that may be gone at the next attempt,
// whatever the HTTP status they come with: CompleteMultipartUpload reports
// InternalError with 200.
var passingCodes = map[string]bool{
	"InternalError": true, "ServiceUnavailable": true, "SlowDown": true, "RequestTimeout": true,
	"OperationAborted": true, "Throttling": true, "ThrottlingException": true,
	"Conflict":             true, // 409 to a HEAD, which has no body with a code
	"RequestTimeTooSkewed": true, // the SDK signs the next one by the server's clock
	"RequestLimitExceeded": true, "TooManyRequests": true, "ConditionalRequestConflict": true,
	"BadDigest": true, "XAmzContentSHA256Mismatch": true, "IncompleteBody": true, // 400: the body was broken on its way
}

// transient tells whether the same request may succeed later. What no server
// has answered may: no connection, no name, a timeout, half an answer.
func transient(err error) bool {
	var credentials *credentialsError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &credentials):
		return credentials.passing
	case errors.As(err, &certificate), errors.Is(err, errForeign):
		return false
	}
	if passingCodes[errorCode(err)] || truncated(err) {
		return true
	}
	switch status := statusCode(err); {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return true
	case status == http.StatusNotImplemented:
		return false
	default:
		return status < 300 || status >= 500
	}
}

// truncated tells whether the answer ended too early to be understood.
func truncated(err error) bool {
	var syntax *xml.SyntaxError
	return errors.As(err, &syntax) && syntax.Msg == "unexpected EOF" || errors.Is(err, io.ErrUnexpectedEOF)
}

// errorCode returns the code of S3's answer, such as NoSuchBucket, or "".
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// statusCode returns the HTTP status of the answer, 0 when there was none.
func statusCode(err error) int {
	var r *awshttp.ResponseError
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// remedy says which option has to do with err and what to do about it.
func (s *store) remedy(err error) *connect.ConfigError {
	var credentials *credentialsError
	var certificate *tls.CertificateVerificationError
	code, status := errorCode(err), statusCode(err)
	switch {
	case errors.As(err, &credentials):
		return &connect.ConfigError{Option: "aws.access.key.id", Reason: fmt.Sprintf("no credentials: %v; %s", err, credentialsRemedy)}
	case errors.As(err, &certificate):
		return &connect.ConfigError{Option: "store.url", Reason: fmt.Sprintf(
			"the certificate of %s is not trusted: %v; set AWS_CA_BUNDLE in the worker's environment to a file with its CA", s.endpoint(), certificate)}
	case status == http.StatusMovedPermanently, code == "AuthorizationHeaderMalformed":
		return s.regionRemedy(err)
	case code == "NoSuchBucket", status == http.StatusNotFound && code != noSuchUpload && code != noSuchKey:
		return &connect.ConfigError{Option: "s3.bucket.name", Reason: fmt.Sprintf(
			"bucket %q does not exist at %s; create it, or correct s3.bucket.name or store.url", s.bucket, s.endpoint())}
	case status == http.StatusForbidden, status == http.StatusUnauthorized, code == "InvalidAccessKeyId", code == "SignatureDoesNotMatch":
		return &connect.ConfigError{Option: "aws.access.key.id", Reason: fmt.Sprintf(
			"%s refuses access to bucket %q (%s); %s, with a policy that allows s3:ListBucket, s3:ListBucketMultipartUploads, s3:PutObject, s3:GetObject, s3:DeleteObject and s3:AbortMultipartUpload",
			s.endpoint(), s.bucket, shortAnswer(err), credentialsRemedy)}
	case errors.Is(err, errNotMade):
		return &connect.ConfigError{Option: "store.url", Reason: fmt.Sprintf("%s: %v; look into the server's log", s.endpoint(), errNotMade)}
	case status == 0:
		return &connect.ConfigError{Option: "store.url", Reason: fmt.Sprintf(
			"%s does not answer: %s; correct store.url, or AWS_ENDPOINT_URL_S3 in the worker's environment, or start the server", s.endpoint(), cause(err))}
	}
	return &connect.ConfigError{Option: "store.url", Reason: fmt.Sprintf("%s answers %s", s.endpoint(), shortAnswer(err))}
}

const credentialsRemedy = "set aws.access.key.id and aws.secret.access.key, or AWS_ACCESS_KEY_ID and " +
	"AWS_SECRET_ACCESS_KEY in the worker's environment"

func (s *store) regionRemedy(err error) *connect.ConfigError {
	at := "another region"
	var r *awshttp.ResponseError
	if errors.As(err, &r) && r.Response != nil {
		if name := r.Response.Header.Get("x-amz-bucket-region"); name != "" {
			at = "region " + name
		}
	}
	return &connect.ConfigError{Option: "s3.region", Reason: fmt.Sprintf(
		"bucket %q is in %s, not %s; set s3.region or AWS_REGION", s.bucket, at, s.region)}
}

// shortAnswer describes an answer without the SDK's wrapping.
func shortAnswer(err error) string {
	status := statusCode(err)
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Sprintf("%d %s: %s", status, api.ErrorCode(), api.ErrorMessage())
	}
	if status != 0 {
		return fmt.Sprintf("%d %s: %s", status, http.StatusText(status), cause(err))
	}
	return cause(err)
}

// cause is the text of the innermost error that says something.
func cause(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	var send *smithy.OperationError
	if errors.As(err, &send) {
		err = send.Err
	}
	var request *awshttp.ResponseError
	if errors.As(err, &request) {
		return request.Err.Error()
	}
	return err.Error()
}

// fatal turns an error that will not pass into what the task fails with.
func (s *store) fatal(key string, err error) error {
	switch {
	case existing(err), errors.Is(err, errForeign):
		return fmt.Errorf("write s3://%s/%s: there is an object of this name already, which is not of this attempt: from before the "+
			"consumer offsets were reset, or of another connector; move it away, or set %s=%s: %w", s.bucket, key, existingOption, existingOverwrite, err)
	case errorCode(err) == noSuchUpload:
		return fmt.Errorf("write s3://%s/%s: the upload was aborted by somebody else; restart the task, "+
			"and see that no lifecycle rule aborts uploads younger than a week: %w", s.bucket, key, err)
	case errorCode(err) == invalidPart:
		return fmt.Errorf("write s3://%s/%s: the server has lost a part of the upload: %w", s.bucket, key, err)
	}
	return s.named(key, s.remedy(err))
}

// named says which object an error is about.
func (s *store) named(key string, err error) error {
	return fmt.Errorf("write s3://%s/%s: %w", s.bucket, key, err)
}
