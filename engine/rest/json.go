package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/engine"
)

// restError is an error with its HTTP status.
type restError struct {
	status  int
	message string
}

func (e *restError) Error() string { return e.message }

// statusError is what Kafka Connect answers to a wrong path, method or media
// type.
func statusError(status int) error {
	return &restError{status, fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))}
}

func badRequest(format string, args ...any) error {
	return &restError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// statusOf maps every error to its HTTP status.
func statusOf(err error) int {
	var r *restError
	var e *engine.Error
	switch {
	case errors.As(err, &r):
		return r.status
	case !errors.As(err, &e):
		return http.StatusInternalServerError
	}
	switch e.Kind {
	case engine.KindBadRequest:
		return http.StatusBadRequest
	case engine.KindNotFound:
		return http.StatusNotFound
	case engine.KindConflict:
		return http.StatusConflict
	case engine.KindForbidden:
		return http.StatusForbidden
	case engine.KindUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// writeError answers with Kafka Connect's error shape.
func writeError(w http.ResponseWriter, err error) {
	status := statusOf(err)
	writeJSON(w, status, struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{status, err.Error()})
}

// writeJSON answers with a value that always has a JSON form. A client that is
// gone is nobody's error.
func writeJSON(w http.ResponseWriter, status int, value any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(fmt.Sprintf("rest: encode %T: %v", value, err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimRight(buf.Bytes(), "\n"))
}

// readBody returns the JSON body of a request.
func readBody(r *http.Request) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, statusError(http.StatusUnsupportedMediaType)
	}
	body, err := readAll(r)
	if err == nil && tooDeep(body) {
		err = errTooDeep()
	}
	return body, err
}

// readAll returns the body of a request, which is bounded.
func readAll(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &restError{http.StatusRequestEntityTooLarge, fmt.Sprintf("The request body is larger than %d bytes", maxBody)}
	case err != nil:
		return nil, badRequest("Read the request body: %v", err)
	}
	return body, nil
}

func errTooDeep() error {
	return badRequest("The request body nests JSON deeper than %d levels", maxDepth)
}

// tooDeep tells whether JSON text nests deeper than maxDepth. It counts brackets
// outside of strings; other mistakes are left to the parser.
func tooDeep(text []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// decode reads JSON text strictly into v. Texts begin as the ones that clients
// know from Kafka Connect.
func decode(text []byte, v any) error {
	return decodeKnowing(text, v, "name, config and initial_state")
}

// decodeKnowing says which fields there are when it meets another.
func decodeKnowing(text []byte, v any, known string) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	err := dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			return badRequest("The request body has more text after its JSON value")
		}
		return nil
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return badRequest("Unrecognized field %s; known are %s", field, known)
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		where := "the request body or the config, which are JSON objects,"
		if wrongType.Field != "" {
			where = fmt.Sprintf("field %q", wrongType.Field)
		}
		return badRequest("Cannot deserialize value of %s from JSON %s", where, wrongType.Value)
	}
	return badRequest("The request body is not valid JSON: %v", err)
}

// decodeConfig reads a connector's config: numbers and booleans become the text
// that was sent. It returns the keys that are null apart.
func decodeConfig(text []byte) (config map[string]string, nulls []string, err error) {
	var values map[string]any
	if err := decode(text, &values); err != nil {
		return nil, nil, err
	}
	if values == nil {
		return nil, nil, badRequest("The config is missing or null; send a JSON object of strings")
	}
	config = make(map[string]string, len(values))
	for key, v := range values {
		switch v := v.(type) {
		case nil:
			nulls = append(nulls, key)
		case string:
			config[key] = v
		case json.Number:
			config[key] = v.String()
		case bool:
			config[key] = fmt.Sprint(v)
		default:
			return nil, nil, badRequest("Cannot deserialize value of key %q: a config value is a string, a number or a boolean", key)
		}
	}
	slices.Sort(nulls)
	return config, nulls, nil
}

// nullValue is Kafka Connect's error for a key whose value is null.
const nullValue = "Null value can not be supplied as the configuration value."

// refuseNulls returns the error of a config with null values.
func refuseNulls(nulls []string) error {
	if len(nulls) == 0 {
		return nil
	}
	return badRequest("Invalid value null for configuration %s: %s", strings.Join(nulls, ", "), nullValue)
}
