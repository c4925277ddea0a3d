package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// mediaTypes are what is produced, the default first.
var mediaTypes = []string{"application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json", "application/json"}

// text is answered as it is.
type text string

// usualAnswer is what most answers need, in bytes.
const usualAnswer = 2 << 10

// writeJSON answers with a value that always has a JSON form. A client that is gone is nobody's error.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	w.Header()["Content-Type"] = accepted(r)
	w.WriteHeader(status)
	switch v := value.(type) {
	case text:
		_, _ = io.WriteString(w, string(v))
	case appender:
		buf := buffers.Get().(*[]byte)
		*buf = v.appendJSON((*buf)[:0])
		_, _ = w.Write(*buf)
		if cap(*buf) <= maxKeptBuffer {
			buffers.Put(buf)
		}
	default:
		_, _ = w.Write(encode(value))
	}
}

// encode returns the JSON of a value that always has one, without the escapes of HTML.
func encode(value any) []byte {
	buf := bytes.NewBuffer(make([]byte, 0, usualAnswer))
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(fmt.Sprintf("rest: encode %T: %v", value, err))
	}
	return buf.Bytes()[:buf.Len()-1] // without the line feed
}

// accepted is the media type that a client asks for, as the value of a header.
func accepted(r *http.Request) []string {
	if wanted := r.Header.Get("Accept"); wanted != "" {
		for part := range strings.SplitSeq(wanted, ",") {
			kind, _, _ := strings.Cut(strings.TrimSpace(part), ";")
			if i := slices.Index(mediaTypes, kind); i >= 0 {
				return mediaTypes[i : i+1 : i+1]
			}
		}
	}
	return mediaTypes[:1:1]
}

// decode reads the JSON body of a request. Fields that it does not know are ignored: newer clients send them.
func decode(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind != "application/octet-stream" &&
		!slices.Contains(mediaTypes, kind) {
		return &schemaregistry.Error{Code: http.StatusUnsupportedMediaType, Message: "HTTP 415 Unsupported Media Type"}
	}
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &schemaregistry.Error{Code: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("The request body is larger than %d bytes", maxBody)}
	case err != nil:
		return &schemaregistry.Error{Code: http.StatusBadRequest, Message: fmt.Sprintf("Read the request body: %v", err)}
	case len(bytes.TrimSpace(body)) == 0 || string(bytes.TrimSpace(body)) == "null":
		return &schemaregistry.Error{Code: http.StatusUnprocessableEntity, Message: "The request body may not be null"}
	}
	if err := json.Unmarshal(body, v); err != nil {
		return &schemaregistry.Error{Code: http.StatusBadRequest, Message: fmt.Sprintf("Read the request body: %v", err)}
	}
	return nil
}

func unescape(segment string) (string, error) { return url.PathUnescape(segment) }

// param is a parameter of the query, which most requests have none of.
func param(r *http.Request, name string) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return r.URL.Query().Get(name)
}

// flag is a boolean of the query.
func flag(r *http.Request, name string) bool {
	b, _ := strconv.ParseBool(param(r, name))
	return b
}

// deleted is what of the soft deleted a query asks for.
func deleted(r *http.Request) schemaregistry.Deleted {
	switch {
	case flag(r, "deletedOnly"):
		return schemaregistry.OnlyDeleted
	case flag(r, "deleted"):
		return schemaregistry.WithDeleted
	}
	return schemaregistry.WithoutDeleted
}

// page is the part of a list that a query asks for. A limit below 1 is none, one beyond the highest, when there is one, counts as that.
func page[S ~[]T, T any](r *http.Request, list S, highest int) S {
	offset, _ := strconv.Atoi(param(r, "offset"))
	count, err := strconv.Atoi(param(r, "limit"))
	if err != nil || count < 1 {
		count = len(list)
	}
	if highest > 0 {
		count = min(count, highest)
	}
	list = list[min(max(offset, 0), len(list)):]
	list = list[:min(count, len(list))]
	if list == nil {
		list = S{}
	}
	return list
}

// versionNumber reads a version of the path: a number, -1 or latest.
func versionNumber(r *http.Request) (int, error) {
	text := r.PathValue("version")
	if strings.EqualFold(text, "latest") {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 && n != -1 {
		return 0, &schemaregistry.Error{Code: schemaregistry.CodeInvalidVersion, Message: "The specified version '" + text +
			"' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""}
	}
	return int(n), nil
}

// schemaJSON is a version of a subject in answers. What a shape does not have is nil.
type schemaJSON struct {
	Subject    string                     `json:"subject,omitempty"`
	Version    int                        `json:"version,omitempty"`
	ID         int                        `json:"id,omitempty"`
	GUID       string                     `json:"guid,omitempty"`
	Type       string                     `json:"schemaType,omitempty"`
	References []schemaregistry.Reference `json:"references,omitempty"`
	Metadata   *schemaregistry.Metadata   `json:"metadata,omitempty"`
	Rules      *schemaregistry.RuleSet    `json:"ruleSet,omitempty"`
	Schema     schemaregistry.Text        `json:"schema,omitzero"`
	Tags       []tag.Tagged               `json:"schemaTags,omitempty"`
	MaxID      int                        `json:"maxId,omitempty"`
	TimeMs     int64                      `json:"ts,omitempty"`
	Deleted    *bool                      `json:"deleted,omitempty"`
	Aliases    []string                   `json:"aliases,omitempty"`
}

func (a *api) schema(v schemaregistry.Version) schemaJSON {
	j := schemaJSON{Subject: v.Name.String(), Version: v.Number, ID: v.ID, GUID: v.GUID, Type: v.Type, References: v.References,
		Metadata: v.Metadata, Rules: v.Rules, Schema: v.Schema, TimeMs: v.TimeMs, Deleted: &v.Deleted, Aliases: v.Aliases}
	if a.o.Legacy {
		j.GUID, j.TimeMs, j.Deleted = "", 0, nil
		if j.Type == schemaregistry.Avro {
			j.Type = ""
		}
	}
	return j
}

// requestJSON is a schema in requests.
type requestJSON struct {
	Type       string                     `json:"schemaType"`
	References []schemaregistry.Reference `json:"references"`
	Metadata   *schemaregistry.Metadata   `json:"metadata"`
	Rules      *schemaregistry.RuleSet    `json:"ruleSet"`
	Schema     string                     `json:"schema"`
	ID         *int                       `json:"id"`
	Version    *int                       `json:"version"`
	AddTags    []tag.Tagged               `json:"schemaTagsToAdd"`
	RemoveTags []tag.Tagged               `json:"schemaTagsToRemove"`
	KeepTags   bool                       `json:"propagateSchemaTags"`
}

func (j requestJSON) input() schemaregistry.Input {
	return schemaregistry.Input{Type: j.Type, Text: j.Schema, References: j.References, Metadata: j.Metadata, Rules: j.Rules}
}
