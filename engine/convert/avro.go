package convert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert/connectavro"
)

// avroConfig has the options of AvroConverter.
type avroConfig struct {
	registryConfig
	isKey     bool
	avro      connectavro.Options
	metadata  bool
	flatten   bool
	cacheSize int
}

func (c *avroConfig) define(d *connect.Def, prefix string) {
	c.registryConfig.define(d, prefix)
	flags := []connect.Option{
		{Name: "enhanced.avro.schema.support", Var: &c.avro.Enhanced, Default: "false", Doc: "Keep enums as enums and the namespaces of names."},
		{Name: "scrub.invalid.names", Var: &c.avro.ScrubNames, Default: "false", Doc: "Replace what Avro does not allow in names."},
		{Name: "connect.meta.data", Var: &c.metadata, Default: "true", Doc: "Keep what Avro cannot say about a schema in connect.* attributes."},
		{Name: "generalized.sum.type.support", Var: &c.avro.Generalized, Default: "false", Doc: "Name unions and enums as the converters of other formats do."},
		{Name: "ignore.default.for.nullables", Var: &c.avro.KeepNull, Default: "false", Doc: "Write null and not the default where an optional value is null."},
		{Name: "discard.type.doc.default", Var: &c.avro.FieldDoc, Default: "false", Doc: "Take documentation and defaults from fields, not from their types."},
		{Name: "allow.optional.map.keys", Var: &c.avro.OptionalKeys, Default: "false", Doc: "Write a map with optional strings as keys as a map, not as an array of entries."},
		{Name: "flatten.singleton.unions", Var: &c.flatten, Default: "true", Doc: "Read a union of one type as that type."},
		{Name: "avro.fail.on.trailing.data", Var: &c.avro.FailOnTrailing, Default: "false", Doc: "Refuse data with bytes behind the value."},
		{Name: "extended.logical.types", Var: &c.avro.Extended, Default: "false", Doc: "Keep logical types that Kafka Connect does not know (microseconds, nanoseconds, local times, UUIDs) in a parameter of the schema, and write them again."},
	}
	for _, o := range flags {
		o.Name, o.Group, o.Importance = prefix+o.Name, "Schemas", connect.Low
		d.Add(o)
	}
	d.Add(connect.Option{Name: prefix + "schemas.cache.config", Var: &c.cacheSize, Default: "1000", Group: "Schemas", Importance: connect.Low,
		Doc: "How many schemas are kept so that they need not be compiled again."})
}

func (c *avroConfig) converter() (Converter, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	c.avro.NoMetadata, c.avro.KeepSingletons = !c.metadata, !c.flatten
	return &avroConverter{cfg: c, client: client, written: make(map[writtenKey]*writtenSchema), read: make(map[readKey]*connectavro.Decoder)}, nil
}

// registryConfig says how to reach a schema registry and what to do there.
type registryConfig struct {
	prefix       string
	urls         []string
	authSource   string
	user         connect.Secret
	autoRegister bool
	normalize    bool
	strategy     string
}

// Subject name strategies: how a subject is named after a topic and the name of its records.
const (
	topicName       = "TopicNameStrategy"
	recordName      = "RecordNameStrategy"
	topicRecordName = "TopicRecordNameStrategy"
	strategyPackage = "io.confluent.kafka.serializers.subject."
)

func (c *registryConfig) define(d *connect.Def, prefix string) {
	c.prefix = prefix
	side := "value"
	if strings.HasPrefix(prefix, "key.") {
		side = "key"
	}
	for _, o := range []connect.Option{
		{Name: "schema.registry.url", Var: &c.urls, Importance: connect.High, Doc: "The schema registries, tried in this order; the worker's own when there is none."},
		{Name: "basic.auth.credentials.source", Var: &c.authSource, Default: "URL", OneOf: []string{"URL", "USER_INFO"}, Doc: "Where user and password are: in the URL, or in basic.auth.user.info."},
		{Name: "basic.auth.user.info", Var: &c.user, Doc: "User and password as USER:PASSWORD, with basic.auth.credentials.source=USER_INFO."},
		{Name: "auto.register.schemas", Var: &c.autoRegister, Default: "true", Doc: "Register the schemas that are written; otherwise they have to be there."},
		{Name: "normalize.schemas", Var: &c.normalize, Default: "false", Doc: "Let the registry take schemas for the same that differ only in their form."},
		{Name: side + ".subject.name.strategy", Var: &c.strategy, Default: strategyPackage + topicName, Check: c.checkStrategy, Doc: "How subjects are named: TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy."},
	} {
		o.Name, o.Group = prefix+o.Name, "Schema Registry"
		d.Add(o)
	}
}

func (c *registryConfig) checkStrategy() error {
	switch strings.TrimPrefix(c.strategy, strategyPackage) {
	case topicName, recordName, topicRecordName:
		return nil
	}
	return fmt.Errorf("use %s, %s or %s", topicName, recordName, topicRecordName)
}

// client returns what asks the registry. It does not connect.
func (c *registryConfig) client() (*schemaClient, error) {
	if len(c.urls) == 0 {
		return nil, &connect.ConfigError{Option: c.prefix + "schema.registry.url", Reason: "name a schema registry, such as http://127.0.0.1:8081"}
	}
	opts := []sr.ClientOpt{sr.URLs(c.urls...), sr.HTTPClient(httpClient(http.DefaultTransport.(*http.Transport).Clone())), sr.UserAgent("sluice")}
	if c.authSource == "USER_INFO" {
		user, password, ok := strings.Cut(c.user.Reveal(), ":")
		if !ok {
			return nil, &connect.ConfigError{Option: c.prefix + "basic.auth.user.info", Reason: "must be USER:PASSWORD"}
		}
		opts = append(opts, sr.BasicAuth(user, password))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, &connect.ConfigError{Option: c.prefix + "schema.registry.url", Reason: err.Error()}
	}
	return &schemaClient{client: client, urls: strings.Join(c.urls, ", ")}, nil
}

// subject is the name under which a schema is registered.
func (c *registryConfig) subject(topic, record string, isKey bool) (string, error) {
	switch strings.TrimPrefix(c.strategy, strategyPackage) {
	case recordName:
		return record, needRecord(record)
	case topicRecordName:
		return topic + "-" + record, needRecord(record)
	}
	if isKey {
		return topic + "-key", nil
	}
	return topic + "-value", nil
}

func needRecord(name string) error {
	if name == "" {
		return errors.New("the subject name strategy needs the name of a record, and the schema is no record; use TopicNameStrategy")
	}
	return nil
}

// avroConverter is AvroConverter: a zero byte, the id of the schema in four bytes, then the value.
type avroConverter struct {
	cfg    *avroConfig
	client *schemaClient

	written map[writtenKey]*writtenSchema
	read    map[readKey]*connectavro.Decoder

	// The schemas of the last records, which the next one most likely has.
	lastWrittenKey writtenKey
	lastWritten    *writtenSchema
	lastReadKey    readKey
	lastRead       *connectavro.Decoder
}

type writtenKey struct {
	topic  string
	schema *connect.Schema
}

type writtenSchema struct {
	encoder *connectavro.Encoder
	header  [headerSize]byte
}

type readKey struct {
	topic string
	id    uint32
}

const headerSize = 5 // a zero byte and an id

// FromConnect implements Converter.
func (c *avroConverter) FromConnect(dst []byte, topic string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
	if v.IsNull() && (s == nil || s.Optional()) {
		return dst, true, nil
	}
	w, err := c.writing(writtenKey{topic, s})
	if err != nil {
		return dst, false, err
	}
	start := len(dst)
	dst = append(dst, w.header[:]...)
	if dst, err = w.encoder.Append(dst, v); err != nil {
		return dst[:start], false, err
	}
	return dst, false, nil
}

// writing returns how values of a schema are written to a topic. The schema is registered before the first of them.
func (c *avroConverter) writing(k writtenKey) (*writtenSchema, error) {
	if c.lastWritten != nil && c.lastWrittenKey == k {
		return c.lastWritten, nil
	}
	w, ok := c.written[k]
	if !ok {
		var err error
		if w, err = c.register(k); err != nil {
			return nil, err
		}
		if len(c.written) >= c.cfg.cacheSize {
			clear(c.written)
		}
		c.written[k] = w
	}
	c.lastWrittenKey, c.lastWritten = k, w
	return w, nil
}

func (c *avroConverter) register(k writtenKey) (*writtenSchema, error) {
	e, err := connectavro.FromConnect(k.schema, c.cfg.avro)
	if err != nil {
		return nil, err
	}
	subject, err := c.cfg.subject(k.topic, e.Schema.Root().Name.Full(), c.cfg.isKey)
	if err != nil {
		return nil, err
	}
	find := c.client.lookup
	if c.cfg.autoRegister {
		find = c.client.register
	}
	r, err := find(subject, e.Schema.Canonical(), c.cfg.normalize)
	if err != nil {
		return nil, err
	}
	w := &writtenSchema{encoder: e}
	binary.BigEndian.PutUint32(w.header[1:], uint32(r.id))
	return w, nil
}

// ToConnect implements Converter.
func (c *avroConverter) ToConnect(b *connect.Batch, topic string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return nil, connect.Value{}, nil
	}
	if len(data) < headerSize || data[0] != 0 {
		return nil, connect.Value{}, errors.New("the data does not begin with a zero byte and the id of a schema")
	}
	d, err := c.reading(readKey{topic, binary.BigEndian.Uint32(data[1:])})
	if err != nil {
		return nil, connect.Value{}, err
	}
	v, err := d.Decode(b, data[headerSize:])
	return d.Schema, v, err
}

// reading returns how values of an id are read.
func (c *avroConverter) reading(k readKey) (*connectavro.Decoder, error) {
	if c.lastRead != nil && c.lastReadKey == k {
		return c.lastRead, nil
	}
	d, ok := c.read[k]
	if !ok {
		var err error
		if d, err = c.fetch(k); err != nil {
			return nil, err
		}
		if len(c.read) >= c.cfg.cacheSize {
			clear(c.read)
		}
		c.read[k] = d
	}
	c.lastReadKey, c.lastRead = k, d
	return d, nil
}

func (c *avroConverter) fetch(k readKey) (*connectavro.Decoder, error) {
	s, err := c.client.schema(int(k.id))
	if err != nil {
		return nil, err
	}
	version := 0
	if subject, err := c.cfg.subject(k.topic, s.Root().Name.Full(), c.cfg.isKey); err == nil {
		if version, err = c.client.version(int(k.id), subject); err != nil {
			return nil, err
		}
	}
	return connectavro.ToConnect(s, version, c.cfg.avro)
}
