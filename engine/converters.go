package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
)

// converters are those of one task. They are not shared: a converter may cache.
type converters struct {
	key, value convert.Converter
	header     convert.HeaderConverter
	// Those of key and value that may have the ids of schemas in headers, nil if they do not.
	keyIDs, valueIDs convert.HeaderIDs
	// Their classes, for errors.
	keyClass, valueClass, headerClass string
}

// newConverters returns the converters of a connector, or the worker's where it
// has none of its own.
func newConverters(cfg *Config, o *connectorOptions, settings map[string]string) (converters, error) {
	key, value, header := cfg.KeyConverter, cfg.ValueConverter, cfg.HeaderConverter
	own := func(c *ConverterConfig, class string) {
		if class != "" {
			*c = ConverterConfig{class, settings}
		}
	}
	own(&key, o.keyConverter)
	own(&value, o.valueConverter)
	own(&header, o.headConverter)
	for prefix, conv := range map[string]*ConverterConfig{"key.converter.": &key, "value.converter.": &value} {
		conv.Settings = cfg.withRegistry(conv.Settings, prefix)
	}
	var c converters
	var err error
	if c.key, err = convert.New(key.Class, true, key.Settings); err != nil {
		return c, fmt.Errorf("make the key converter: %w", err)
	}
	if c.value, err = convert.New(value.Class, false, value.Settings); err != nil {
		return c, fmt.Errorf("make the value converter: %w", err)
	}
	if c.header, err = convert.NewHeader(header.Class, header.Settings); err != nil {
		return c, fmt.Errorf("make the header converter: %w", err)
	}
	c.keyIDs, _ = c.key.(convert.HeaderIDs)
	c.valueIDs, _ = c.value.(convert.HeaderIDs)
	setDefault(&key.Class, convert.AutoClass)
	setDefault(&value.Class, convert.AutoClass)
	setDefault(&header.Class, convert.SimpleHeaderClass)
	c.keyClass, c.valueClass, c.headerClass = key.Class, value.Class, header.Class
	return c, nil
}

// withRegistry names the worker's own schema registry where a converter's settings name none.
func (c *Config) withRegistry(settings map[string]string, prefix string) map[string]string {
	name := prefix + "schema.registry.url"
	if c.RegistryURL == "" || settings[name] != "" {
		return settings
	}
	own := maps.Clone(settings)
	if own == nil {
		own = make(map[string]string)
	}
	own[name] = c.RegistryURL
	return own
}

// keyError, valueError and headerError say where a conversion went wrong.
func (c *converters) keyError(err error) error {
	return &stageError{stageKey, c.keyClass, "convert the key", err}
}

func (c *converters) valueError(err error) error {
	return &stageError{stageValue, c.valueClass, "convert the value", err}
}

func (c *converters) headerError(header string, err error) error {
	return &stageError{stageHeader, c.headerClass, fmt.Sprintf("convert header %q", header), err}
}

// readKey and readValue convert what a record of the log has.
func (c *converters) readKey(b *connect.Batch, r *kgo.Record) (*connect.Schema, connect.Value, error) {
	if c.keyIDs != nil {
		return c.keyIDs.ToConnectByID(b, r.Topic, r.Key, lastHeader(r, c.keyIDs.IDHeader()))
	}
	return c.key.ToConnect(b, r.Topic, r.Key)
}

func (c *converters) readValue(b *connect.Batch, r *kgo.Record) (*connect.Schema, connect.Value, error) {
	if c.valueIDs != nil {
		return c.valueIDs.ToConnectByID(b, r.Topic, r.Value, lastHeader(r, c.valueIDs.IDHeader()))
	}
	return c.value.ToConnect(b, r.Topic, r.Value)
}

// lastHeader returns the value of the last header of a name, nil if there is none.
func lastHeader(r *kgo.Record, name string) []byte {
	for _, h := range slices.Backward(r.Headers) {
		if h.Key == name {
			return h.Value
		}
	}
	return nil
}

// appendIDs appends the headers with the ids of the schemas of key and value.
func (c *converters) appendIDs(headers []kgo.RecordHeader, r *kgo.Record) []kgo.RecordHeader {
	if c.keyIDs != nil && r.Key != nil {
		headers = appendID(headers, c.keyIDs)
	}
	if c.valueIDs != nil && r.Value != nil {
		headers = appendID(headers, c.valueIDs)
	}
	return headers
}

func appendID(headers []kgo.RecordHeader, c convert.HeaderIDs) []kgo.RecordHeader {
	if id := c.LastID(); id != nil {
		headers = append(headers, kgo.RecordHeader{Key: c.IDHeader(), Value: id})
	}
	return headers
}

// misfit adds which converter may read the bytes that this one did not.
func misfit(data []byte, err error) error {
	if connect.IsRetriable(err) {
		return err
	}
	return fmt.Errorf("%w (%s)", err, convert.Fit(data))
}

// recordPlace says where a record is, for errors.
func recordPlace(tp connect.TopicPartition, offset int64) string {
	return fmt.Sprintf("topic %s, partition %d, offset %d", tp.Topic, tp.Partition, offset)
}
