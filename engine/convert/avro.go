package convert

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
	"github.com/sluice-data/sluice/schemaregistry/avro"
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
	return &avroConverter{cfg: c, client: client, written: make(map[writtenKey]*writtenSchema), read: make(map[readKey]*connectavro.Decoder),
		ids: make(map[[2]string]registered)}, nil
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
	// ids are the answers of the registry by subject and text: connectors may make the same schema again and again.
	ids map[[2]string]registered
}

type writtenKey struct {
	topic  string
	schema *connect.Schema
}

type writtenSchema struct {
	encoder *connectavro.Encoder
	prefix  []byte // a zero byte and the id
	guid    []byte // a one byte and the GUID, for a header
}

type readKey struct {
	topic string
	id    uint32
	guid  [guidSize]byte // if the header has one
}

const (
	prefixSize = 5 // a zero byte and an id
	guidSize   = 16
)

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
	if !c.cfg.writeHeader {
		dst = append(dst, w.prefix...)
	}
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
	same := [2]string{subject, e.Schema.Canonical()}
	r, ok := c.ids[same]
	if !ok {
		if r, err = c.find(subject, e.Schema); err != nil {
			return nil, err
		}
		if len(c.ids) >= c.cfg.cacheSize {
			clear(c.ids)
		}
		c.ids[same] = r
	}
	if r.schema != nil && r.schema.Canonical() != e.Schema.Canonical() {
		if e, err = connectavro.FromConnectTo(k.schema, r.schema, c.cfg.avro); err != nil {
			return nil, fmt.Errorf("subject %s, schema id %d: %w", subject, r.id, err)
		}
	}
	w := &writtenSchema{encoder: e, prefix: binary.BigEndian.AppendUint32([]byte{0}, uint32(r.id))}
	if c.cfg.writeHeader {
		guid, err := hex.DecodeString(strings.ReplaceAll(r.guid, "-", ""))
		if err != nil || len(guid) != guidSize {
			return nil, fmt.Errorf("the schema registry at %s has no GUIDs, which %s needs; use %s", c.client.urls, headerSerializer, prefixSerializer)
		}
		w.guid = append([]byte{1}, guid...)
	}
	return w, nil
}

// find returns what the registry knows a schema as. Its schema is set if values are to be written by it, in place of the schema.
func (c *avroConverter) find(subject string, s *avro.Schema) (registered, error) {
	switch {
	case c.cfg.autoRegister:
		return c.client.register(subject, s.Canonical(), c.cfg.normalize)
	case c.cfg.useID >= 0:
		r, err := c.client.byID(c.cfg.useID)
		return checked(r, err, s, c.cfg.idStrict, "id.compatibility.strict")
	case c.cfg.useLatest:
		r, err := c.client.latest(subject)
		return checked(r, err, s, c.cfg.latestStrict, "latest.compatibility.strict")
	}
	return c.client.lookup(subject, s.Canonical(), c.cfg.normalize)
}

// checked refuses a registered schema that readers could not read a schema's data by.
func checked(r registered, err error, s *avro.Schema, strict bool, option string) (registered, error) {
	if err != nil || !strict {
		return r, err
	}
	differences, err := avro.CanRead(r.schema, s, avro.NewReadsOld)
	if err == nil && len(differences) > 0 {
		err = fmt.Errorf("the registered schema with id %d does not fit the data: %s; set %s=false to try all the same", r.id, differences[0].Message(), option)
	}
	return r, err
}

// IDHeader implements HeaderIDs.
func (c *avroConverter) IDHeader() string {
	if c.cfg.isKey {
		return "__key_schema_id"
	}
	return "__value_schema_id"
}

// LastID implements HeaderIDs.
func (c *avroConverter) LastID() []byte {
	if !c.cfg.writeHeader || c.lastWritten == nil {
		return nil
	}
	return c.lastWritten.guid
}

// ToConnectByID implements HeaderIDs.
func (c *avroConverter) ToConnectByID(b *connect.Batch, topic string, data, id []byte) (*connect.Schema, connect.Value, error) {
	switch {
	case data == nil:
		return nil, connect.Value{}, nil
	case c.cfg.prefixOnly || id == nil:
		return c.ToConnect(b, topic, data)
	case len(id) == 1+guidSize && id[0] == 1:
		return c.decode(b, readKey{topic: topic, guid: [guidSize]byte(id[1:])}, data)
	case len(id) == prefixSize && id[0] == 0:
		return c.decode(b, readKey{topic: topic, id: binary.BigEndian.Uint32(id[1:])}, data)
	}
	return nil, connect.Value{}, fmt.Errorf("the header %s is no id of a schema", c.IDHeader())
}

// ToConnect implements Converter.
func (c *avroConverter) ToConnect(b *connect.Batch, topic string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return nil, connect.Value{}, nil
	}
	if len(data) < prefixSize || data[0] != 0 {
		return nil, connect.Value{}, errors.New("the data does not begin with a zero byte and the id of a schema")
	}
	return c.decode(b, readKey{topic: topic, id: binary.BigEndian.Uint32(data[1:])}, data[prefixSize:])
}

func (c *avroConverter) decode(b *connect.Batch, k readKey, data []byte) (*connect.Schema, connect.Value, error) {
	d, err := c.reading(k)
	if err != nil {
		return nil, connect.Value{}, err
	}
	v, err := d.Decode(b, data)
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
	r, err := registered{}, error(nil)
	if k.guid != [guidSize]byte{} {
		r, err = c.client.byGUID(k.guid)
	} else {
		r, err = c.client.byID(int(k.id))
	}
	if err != nil {
		return nil, err
	}
	subject, err := c.cfg.subject(k.topic, r.schema.Root().Name.Full(), c.cfg.isKey)
	if err == nil && k.guid == [guidSize]byte{} {
		if r.version, err = c.client.version(r.id, subject); err != nil {
			return nil, err
		}
	}
	return connectavro.ToConnect(r.schema, r.version, c.cfg.avro)
}
