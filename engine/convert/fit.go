package convert

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// fitLimit is how many bytes Fit looks at as JSON.
const fitLimit = 1 << 20

// Fit says which converter reads data, for the error of one that does not. It
// is a guess that a user can try.
func Fit(data []byte) string {
	switch trimmed := bytes.TrimSpace(data); {
	case len(data) == 0:
		return "it is empty: StringConverter or ByteArrayConverter reads it"
	case len(data) > 5 && data[0] == 0 && binary.BigEndian.Uint32(data[1:]) < 1<<24:
		return fmt.Sprintf("it looks like Avro, Protobuf or JSON with the id %d of a schema registry: use the registry's converter that wrote it",
			binary.BigEndian.Uint32(data[1:]))
	case len(trimmed) <= fitLimit && json.Valid(trimmed):
		if hasEnvelope(trimmed) {
			return "it looks like JSON with an envelope of schema and payload: use JsonConverter with schemas.enable=true"
		}
		return "it looks like JSON without a schema: use JsonConverter with schemas.enable=false"
	case utf8.Valid(data):
		return "it looks like text: use StringConverter"
	}
	return "it looks like binary data: use ByteArrayConverter" + fixedSize(len(data))
}

// hasEnvelope tells whether a JSON text has the two fields of Kafka's envelope.
func hasEnvelope(text []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return false
	}
	_, schema := fields["schema"]
	_, payload := fields["payload"]
	return schema && payload && len(fields) == 2
}

// fixedSize names the converters of numbers that have the size.
func fixedSize(n int) string {
	switch n {
	case 2:
		return " or ShortConverter"
	case 4:
		return " or IntegerConverter"
	case 8:
		return " or LongConverter"
	}
	return ""
}
