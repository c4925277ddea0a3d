package convert

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/connect"
)

// schemaFormat is what a converter with a schema registry has to know about one type of schemas.
type schemaFormat interface {
	schemaType() sr.SchemaType
	// writer returns how values of s are written: by the registered schema to, or, when that is nil, by the schema that s becomes.
	writer(s *connect.Schema, to parsedSchema) (formatWriter, error)
	// parse reads a registered schema; references are all that it refers to, each before those that use it.
	parse(text string, references []schemaReference) (parsedSchema, error)
	// reader returns how data of a registered schema is read. The version is its number in the subject, 0: not known.
	reader(s parsedSchema, version int) (formatReader, error)
	// fits says why readers could not read data of the schema own by the registered one.
	fits(registered, own parsedSchema) error
}

// parsedSchema is a schema of a schemaFormat.
type parsedSchema interface {
	// Canonical is the text that is registered.
	Canonical() string
	// recordName is the name for the strategies that name subjects after records, "" when there is none.
	recordName() string
}

// formatWriter writes values of one schema.
type formatWriter interface {
	schema() parsedSchema
	// Append appends a value to dst. What it has appended before an error is of no use.
	Append(dst []byte, v connect.Value) ([]byte, error)
	// index is what stands between the id and the data, nil for nothing.
	index() []byte
}

// formatReader reads values of one schema.
type formatReader interface {
	// Decode reads one value. index is what stood behind the id in a header; nil: it is in front of the data, if the format has one.
	Decode(b *connect.Batch, index, data []byte) (*connect.Schema, connect.Value, error)
}

// schemaReference is the text of a schema under the name by which another refers to it.
type schemaReference struct{ name, text string }

// registryConverter writes a zero byte, the id of the schema in four bytes, then the value; or the value alone, and the id in a header.
type registryConverter struct {
	cfg       *registryConfig
	format    schemaFormat
	client    *schemaClient
	isKey     bool
	cacheSize int

	written map[writtenKey]*writtenSchema
	read    map[readKey]formatReader

	// The schemas of the last records, which the next one most likely has.
	lastWrittenKey writtenKey
	lastWritten    *writtenSchema
	lastReadKey    readKey
	lastRead       formatReader
	// ids are the answers of the registry by subject and text: connectors may make the same schema again and again.
	ids map[[2]string]registered
	// expires is when the answers about latest versions are too old; zero: never.
	expires time.Time
}

type writtenKey struct {
	topic  string
	schema *connect.Schema
}

type writtenSchema struct {
	writer formatWriter
	prefix []byte // a zero byte, the id and the index
	guid   []byte // a one byte, the GUID and the index, for a header
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

// newRegistryConverter does not connect.
func newRegistryConverter(cfg *registryConfig, format schemaFormat, isKey bool, cacheSize int) (Converter, error) {
	client, err := cfg.client()
	if err != nil {
		return nil, err
	}
	client.format = format
	return &registryConverter{cfg: cfg, format: format, client: client, isKey: isKey, cacheSize: cacheSize,
		written: make(map[writtenKey]*writtenSchema), read: make(map[readKey]formatReader), ids: make(map[[2]string]registered)}, nil
}

// FromConnect implements Converter.
func (c *registryConverter) FromConnect(dst []byte, topic string, s *connect.Schema, v connect.Value) ([]byte, bool, error) {
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
	if dst, err = w.writer.Append(dst, v); err != nil {
		return dst[:start], false, err
	}
	return dst, false, nil
}

// writing returns how values of a schema are written to a topic. The schema is registered before the first of them.
func (c *registryConverter) writing(k writtenKey) (*writtenSchema, error) {
	if !c.expires.IsZero() && time.Now().After(c.expires) {
		c.forgetLatest()
	}
	if c.lastWritten != nil && c.lastWrittenKey == k {
		return c.lastWritten, nil
	}
	w, ok := c.written[k]
	if !ok {
		var err error
		if w, err = c.register(k); err != nil {
			return nil, err
		}
		if len(c.written) >= c.cacheSize {
			clear(c.written)
		}
		c.written[k] = w
	}
	c.lastWrittenKey, c.lastWritten = k, w
	return w, nil
}

// forgetLatest drops what was known about latest versions (latest.cache.ttl.sec).
func (c *registryConverter) forgetLatest() {
	clear(c.written)
	clear(c.ids)
	c.lastWritten, c.expires = nil, time.Time{}
}

func (c *registryConverter) register(k writtenKey) (*writtenSchema, error) {
	w, err := c.format.writer(k.schema, nil)
	if err != nil {
		return nil, err
	}
	subject, err := c.cfg.subject(k.topic, w.schema().recordName(), c.isKey)
	if err != nil {
		return nil, err
	}
	same := [2]string{subject, w.schema().Canonical()}
	r, ok := c.ids[same]
	if !ok {
		if r, err = c.find(subject, w.schema()); err != nil {
			return nil, err
		}
		if len(c.ids) >= c.cacheSize {
			clear(c.ids)
		}
		c.ids[same] = r
		if c.cfg.latestTTL >= 0 && c.cfg.asksLatest() && c.expires.IsZero() {
			c.expires = time.Now().Add(c.cfg.latestTTL)
		}
	}
	if r.schema != nil && r.schema.Canonical() != w.schema().Canonical() {
		if w, err = c.format.writer(k.schema, r.schema); err != nil {
			return nil, fmt.Errorf("subject %s, schema id %d: %w", subject, r.id, err)
		}
	}
	return c.framed(w, r)
}

// framed adds what stands in front of the data.
func (c *registryConverter) framed(w formatWriter, r registered) (*writtenSchema, error) {
	prefix := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(r.id)), w.index()...)
	s := &writtenSchema{writer: w, prefix: prefix}
	if c.cfg.writeHeader {
		guid, err := hex.DecodeString(strings.ReplaceAll(r.guid, "-", ""))
		if err != nil || len(guid) != guidSize {
			return nil, fmt.Errorf("the schema registry at %s has no GUIDs, which %s needs; use %s", c.client.urls, headerSerializer, prefixSerializer)
		}
		s.guid = append(append([]byte{1}, guid...), w.index()...)
	}
	return s, nil
}

// find returns what the registry knows a schema as. Its schema is set if values are to be written by it, in place of the schema.
func (c *registryConverter) find(subject string, s parsedSchema) (registered, error) {
	switch {
	case c.cfg.autoRegister:
		return c.client.register(subject, s.Canonical(), c.cfg.normalize, c.cfg.keepTags)
	case c.cfg.useID >= 0:
		r, err := c.client.byID(c.cfg.useID, subject)
		return c.checked(r, err, s, c.cfg.idStrict, "id.compatibility.strict")
	case c.cfg.useGUID != "":
		r, err := c.client.byGUID(c.cfg.guid)
		if err == nil {
			r.id, err = c.client.idOf(c.cfg.guid)
		}
		return c.checked(r, err, s, c.cfg.idStrict, "id.compatibility.strict")
	case len(c.cfg.metadataQuery) > 0:
		r, err := c.client.withMetadata(subject, c.cfg.metadataQuery)
		return c.checked(r, err, s, c.cfg.latestStrict, "latest.compatibility.strict")
	case c.cfg.useLatest:
		r, err := c.client.latest(subject)
		return c.checked(r, err, s, c.cfg.latestStrict, "latest.compatibility.strict")
	}
	return c.client.lookup(subject, s.Canonical(), c.cfg.normalize)
}

// checked refuses a registered schema that readers could not read a schema's data by.
func (c *registryConverter) checked(r registered, err error, s parsedSchema, strict bool, option string) (registered, error) {
	if err != nil || !strict {
		return r, err
	}
	if why := c.format.fits(r.schema, s); why != nil {
		return r, fmt.Errorf("the registered schema with id %d does not fit the data: %w; set %s=false to try all the same", r.id, why, option)
	}
	return r, nil
}

// IDHeader implements HeaderIDs.
func (c *registryConverter) IDHeader() string {
	if c.isKey {
		return "__key_schema_id"
	}
	return "__value_schema_id"
}

// LastID implements HeaderIDs.
func (c *registryConverter) LastID() []byte {
	if !c.cfg.writeHeader || c.lastWritten == nil {
		return nil
	}
	return c.lastWritten.guid
}

// ToConnectByID implements HeaderIDs.
func (c *registryConverter) ToConnectByID(b *connect.Batch, topic string, data, id []byte) (*connect.Schema, connect.Value, error) {
	switch {
	case data == nil:
		return nil, connect.Value{}, nil
	case c.cfg.prefixOnly || id == nil:
		return c.ToConnect(b, topic, data)
	case len(id) >= 1+guidSize && id[0] == 1:
		return c.decode(b, readKey{topic: topic, guid: [guidSize]byte(id[1:])}, id[1+guidSize:], data)
	case len(id) >= prefixSize && id[0] == 0:
		return c.decode(b, readKey{topic: topic, id: binary.BigEndian.Uint32(id[1:])}, id[prefixSize:], data)
	}
	return nil, connect.Value{}, fmt.Errorf("the header %s is no id of a schema", c.IDHeader())
}

// ToConnect implements Converter.
func (c *registryConverter) ToConnect(b *connect.Batch, topic string, data []byte) (*connect.Schema, connect.Value, error) {
	if data == nil {
		return nil, connect.Value{}, nil
	}
	if len(data) < prefixSize || data[0] != 0 {
		return nil, connect.Value{}, errors.New("the data does not begin with a zero byte and the id of a schema")
	}
	return c.decode(b, readKey{topic: topic, id: binary.BigEndian.Uint32(data[1:])}, nil, data[prefixSize:])
}

func (c *registryConverter) decode(b *connect.Batch, k readKey, index, data []byte) (*connect.Schema, connect.Value, error) {
	d, err := c.reading(k)
	if err != nil {
		return nil, connect.Value{}, err
	}
	return d.Decode(b, index, data)
}

// reading returns how values of an id are read.
func (c *registryConverter) reading(k readKey) (formatReader, error) {
	if c.lastRead != nil && c.lastReadKey == k {
		return c.lastRead, nil
	}
	d, ok := c.read[k]
	if !ok {
		var err error
		if d, err = c.fetch(k); err != nil {
			return nil, err
		}
		if len(c.read) >= c.cacheSize {
			clear(c.read)
		}
		c.read[k] = d
	}
	c.lastReadKey, c.lastRead = k, d
	return d, nil
}

func (c *registryConverter) fetch(k readKey) (formatReader, error) {
	r, err := registered{}, error(nil)
	if k.guid != [guidSize]byte{} {
		r, err = c.client.byGUID(k.guid)
	} else {
		r, err = c.client.byID(int(k.id), c.cfg.topicSubject(k.topic, c.isKey))
	}
	if err != nil {
		return nil, err
	}
	subject, err := c.cfg.subject(k.topic, r.schema.recordName(), c.isKey)
	if err == nil && k.guid == [guidSize]byte{} {
		if r.version, err = c.client.version(r.id, subject); err != nil {
			return nil, err
		}
	}
	return c.format.reader(r.schema, r.version)
}
