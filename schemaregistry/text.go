package schemaregistry

import (
	"encoding/json"
	"fmt"

	"github.com/sluice-data/sluice/connect/connectjson"
)

// Text is the text of a schema. It is kept as a JSON string, since that is how nearly everybody asks for it: escaping 850 bytes takes
// longer than finding them among 20,000 schemas. The zero value is the empty text.
type Text struct {
	quoted string // with its quotes; "" for the empty text
}

// NewText takes a text over. Bytes that are not UTF-8 become U+FFFD.
func NewText(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{string(connectjson.AppendString(make([]byte, 0, len(text)+len(text)/3+2), text))}
}

// String is the text itself.
func (t Text) String() string {
	if t == (Text{}) {
		return ""
	}
	var text string
	if err := json.Unmarshal([]byte(t.quoted), &text); err != nil {
		panic(fmt.Sprintf("schemaregistry: read a text that NewText wrote: %v", err))
	}
	return text
}

// AppendJSON appends the text as a JSON string.
func (t Text) AppendJSON(dst []byte) []byte {
	if t == (Text{}) {
		return append(dst, '"', '"')
	}
	return append(dst, t.quoted...)
}

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }
