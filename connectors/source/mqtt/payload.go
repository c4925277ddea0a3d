package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry/avro"
)

// Values of mqtt.payload.format.
const (
	formatBytes  = "bytes"
	formatString = "string"
	formatJSON   = "json"
	formatAvro   = "avro"
)

// Values of mqtt.payload.invalid.
const (
	invalidFail = "fail"
	invalidSkip = "skip"
)

// maxSchemaBytes bounds a schema file (I5).
const maxSchemaBytes = 1 << 20

var errNotUTF8 = errors.New("it is not UTF-8")

// payloadDecoder makes values of payloads. The schema of JSON and Avro is given
// and not guessed from messages: what one message happens to look like says little
// about the next.
type payloadDecoder struct {
	format string
	avro   *connectavro.Decoder // of mqtt.payload.schema
	plan   *connectjson.Plan    // JSON with a schema
}

func newPayloadDecoder(c *Config) (*payloadDecoder, error) {
	d := &payloadDecoder{format: c.PayloadFormat}
	if c.PayloadSchema == "" {
		return d, nil
	}
	var err error
	if d.avro, err = readPayloadSchema(c.PayloadSchema); err != nil {
		return nil, &connect.ConfigError{Option: optPayloadSchema, Reason: err.Error()}
	}
	if d.format == formatJSON {
		if d.plan, err = connectjson.Compile(d.avro.Schema, connectjson.Options{}); err != nil {
			return nil, &connect.ConfigError{Option: optPayloadSchema, Reason: err.Error()}
		}
	}
	return d, nil
}

// readPayloadSchema reads an Avro schema that is given itself or as a file.
func readPayloadSchema(source string) (*connectavro.Decoder, error) {
	text := strings.TrimSpace(source)
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, `"`) {
		info, err := os.Stat(source)
		if err != nil || info.Size() > maxSchemaBytes || !info.Mode().IsRegular() {
			return nil, fmt.Errorf("it is neither an Avro schema nor the path of a file of at most %d bytes with one", maxSchemaBytes)
		}
		content, err := os.ReadFile(source)
		if err != nil {
			return nil, errors.New("the file may not be read: check its permissions")
		}
		text = string(content)
	}
	schema, err := avro.Parse(text, avro.Options{})
	if err != nil {
		return nil, fmt.Errorf("not a valid Avro schema: %w", err)
	}
	return connectavro.ToConnect(schema, 0, connectavro.Options{})
}

// decode makes a value of a payload. Its memory is the batch's.
func (d *payloadDecoder) decode(b *connect.Batch, payload []byte) (*connect.Schema, connect.Value, error) {
	switch {
	case d.format == formatString:
		if !utf8.Valid(payload) {
			return nil, connect.Value{}, errNotUTF8
		}
		return connect.StringSchema, connect.StringValue(b.Text(payload)), nil
	case d.format == formatAvro:
		v, err := d.avro.Decode(b, b.Bytes(payload))
		return d.avro.Schema, v, err
	case d.plan != nil:
		v, err := d.plan.Parse(b, b.Bytes(payload))
		return d.avro.Schema, v, err
	case d.format == formatJSON:
		v, err := connectjson.Parse(b, b.Bytes(payload), connectjson.DefaultMaxDepth)
		return nil, v, err
	}
	return connect.BytesSchema, connect.BytesValue(b.Bytes(payload)), nil
}

// validText returns bytes as text in the batch's memory, in UTF-8 whatever they are.
func validText(b *connect.Batch, p []byte) string {
	if !utf8.Valid(p) {
		p = bytes.ToValidUTF8(p, []byte("\uFFFD"))
	}
	return b.Text(p)
}
