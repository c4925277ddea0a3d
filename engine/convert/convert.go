package convert

import (
	"context"
	"errors"

	"github.com/sluice-data/sluice/connect"
)

// Class names.
const (
	AutoClass         = "sluice.AutoConverter"
	StringClass       = "org.apache.kafka.connect.storage.StringConverter"
	ByteArrayClass    = "org.apache.kafka.connect.converters.ByteArrayConverter"
	JSONClass         = "org.apache.kafka.connect.json.JsonConverter"
	AvroClass         = "io.confluent.connect.avro.AvroConverter"
	ProtobufClass     = "io.confluent.connect.protobuf.ProtobufConverter"
	JSONSchemaClass   = "io.confluent.connect.json.JsonSchemaConverter"
	BooleanClass      = "org.apache.kafka.connect.converters.BooleanConverter"
	ShortClass        = "org.apache.kafka.connect.converters.ShortConverter"
	IntegerClass      = "org.apache.kafka.connect.converters.IntegerConverter"
	LongClass         = "org.apache.kafka.connect.converters.LongConverter"
	FloatClass        = "org.apache.kafka.connect.converters.FloatConverter"
	DoubleClass       = "org.apache.kafka.connect.converters.DoubleConverter"
	SimpleHeaderClass = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
)

// Converter turns the keys or the values of records into bytes and back.
type Converter interface {
	// FromConnect appends the bytes of v, which s describes (nil: schemaless), to
	// dst. It returns true for null, which is no bytes at all. On an error dst
	// comes back as it was.
	FromConnect(dst []byte, topic string, s *connect.Schema, v connect.Value) ([]byte, bool, error)
	// ToConnect reads data; nil is null. The value's memory is b's or data's.
	ToConnect(b *connect.Batch, topic string, data []byte) (*connect.Schema, connect.Value, error)
}

// HeaderIDs is a Converter that may have the id of a schema in a header of the record, in place of the first bytes of the data.
type HeaderIDs interface {
	Converter
	// IDHeader is the name of the header.
	IDHeader() string
	// LastID returns the header of the bytes that FromConnect returned last, nil if it is to have none. It must not be changed.
	LastID() []byte
	// ToConnectByID is ToConnect for a record with that header; nil: it has none.
	ToConnectByID(b *connect.Batch, topic string, data, id []byte) (*connect.Schema, connect.Value, error)
}

// HeaderConverter turns the values of headers into bytes and back.
type HeaderConverter interface {
	// FromConnectHeader is FromConnect for the header named key.
	FromConnectHeader(dst []byte, topic, key string, s *connect.Schema, v connect.Value) ([]byte, bool, error)
	// ToConnectHeader is ToConnect for the header named key.
	ToConnectHeader(b *connect.Batch, topic, key string, data []byte) (*connect.Schema, connect.Value, error)
}

// Bind lets the requests of a converter to other servers end with ctx. It comes before the converter's first call.
func Bind(ctx context.Context, c Converter) {
	if a, ok := c.(*registryConverter); ok {
		a.client.ctx = ctx
	}
}

// IsUnavailable tells whether a converter's error is that a schema registry does not answer, which says nothing about the record. Such
// errors are retriable.
func IsUnavailable(err error) bool {
	var u *unavailableError
	return errors.As(err, &u)
}

type unavailableError struct{ err error }

func (e *unavailableError) Error() string { return e.err.Error() }
func (e *unavailableError) Unwrap() error { return e.err }
