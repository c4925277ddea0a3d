package engine

import (
	"fmt"
	"maps"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
)

// converters are those of one task. They are not shared: a converter may cache.
type converters struct {
	key, value convert.Converter
	header     convert.HeaderConverter
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
