package s3

import (
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/connectors/sink/s3/format"
)

// schemaOptions say what schemas do to files, and what files say about schemas.
func (c *Config) schemaOptions() []connect.Option {
	return []connect.Option{
		{Name: "schema.compatibility", Var: &c.compatibility, Default: compatibilityNone, Check: c.checkCompatibility,
			Doc: "What happens to a record whose schema is not that of the file. NONE: the files end. BACKWARD and FULL: they end at a newer version, " +
				"and a record of an older one is made to fit; FORWARD the other way round. Text, numbers and raw JSON without fields always " +
				"share a file of lines.",
			Group: groupSchema, Importance: connect.High, Width: connect.WidthShort, Display: "Schema compatibility"},
		{Name: "schema.rotation", Var: &c.schemaRotation, Default: rotationTogether, OneOf: []string{rotationTogether, rotationSeparate},
			Doc:   "Whether a record of another schema ends the files, or every schema has files of its own, for topics with several types.",
			Group: groupSchema, Importance: connect.Medium, Width: connect.WidthShort, Display: "Schema rotation"},
		{Name: "s3.schema.partition.affix.type", Var: &c.schemaAffix, Default: affixNone, OneOf: []string{affixNone, affixPrefix, affixSuffix},
			Doc:   "Whether a directory schema_name=NAME stands before or behind those of the partitioner.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Schema directory"},
		{Name: "avro.codec", Var: &c.avroCodec, Default: "null", OneOf: format.AvroCodecs,
			Doc: "Compression of the blocks of Avro files.", Group: groupSchema, Importance: connect.Low, Width: connect.WidthMedium, Display: "Avro compression"},
		{Name: "parquet.codec", Var: &c.parquetCodec, Default: "snappy", OneOf: format.ParquetCodecs,
			Doc: "Compression of the pages of Parquet files.", Group: groupSchema, Importance: connect.Low, Width: connect.WidthMedium, Display: "Parquet compression"},
		{Name: "parquet.row.group.bytes", Var: &c.rowGroupBytes, Default: "16777216", Check: c.checkRowGroup,
			Doc:   "Bytes of records, before they are made columns, of a row group. They wait in memory.",
			Group: groupSchema, Importance: connect.Low, Width: connect.WidthMedium, Display: "Row group bytes"},
		{Name: "parquet.legacy.lists", Var: &c.legacyLists, Default: "false",
			Doc:   "Whether arrays in Parquet have two levels as old writers make them, and not the three of the specification.",
			Group: groupSchema, Importance: connect.Low, Width: connect.WidthShort, Display: "Lists of two levels"},
		{Name: "connect.meta.data", Var: &c.connectMeta, Default: "true",
			Doc:   "Whether the schemas of Avro and Parquet files say what the schemas of Kafka Connect were.",
			Group: groupSchema, Importance: connect.Low, Width: connect.WidthShort, Display: "Connect metadata"},
		{Name: "enhanced.avro.schema.support", Var: &c.enhancedAvro, Default: "true",
			Doc:   "Whether enums and namespaces that were in an Avro schema are there again in files.",
			Group: groupSchema, Importance: connect.Low, Width: connect.WidthShort, Display: "Enhanced Avro support"},
		{Name: "allow.optional.map.keys", Var: &c.optionalKeys, Default: "false",
			Doc:   "Whether a map with optional text as keys is an Avro map.",
			Group: groupSchema, Importance: connect.Low, Width: connect.WidthShort, Display: "Optional map keys"},
	}
}

// checkCompatibility takes any text, as Confluent's sink does, for which an unknown one means NONE.
func (c *Config) checkCompatibility() error {
	switch c.compatibility = strings.ToUpper(c.compatibility); c.compatibility {
	case "BACKWARD", compatibilityForward, "FULL":
	default:
		c.compatibility = compatibilityNone
	}
	return nil
}

func (c *Config) checkRowGroup() error {
	if c.rowGroupBytes < 64<<10 || c.rowGroupBytes > c.bufferMaxBytes/4 && c.bufferMaxBytes > 0 {
		return fmt.Errorf("Value must be between %d and a quarter of buffer.memory.max", 64<<10)
	}
	return nil
}

// keysOptions say what of records is stored beside values.
func (c *Config) keysOptions() []connect.Option {
	return []connect.Option{
		{Name: "store.kafka.keys", Var: &c.storeKeys, Default: "false",
			Doc:   "Whether keys are stored, in objects of their own beside those with values. A record without a key is an error then.",
			Group: groupKeys, Importance: connect.Low, Width: connect.WidthShort, Display: "Store keys"},
		{Name: "store.kafka.headers", Var: &c.storeHeaders, Default: "false",
			Doc:   "Whether headers are stored, in objects of their own beside those with values.",
			Group: groupKeys, Importance: connect.Low, Width: connect.WidthShort, Display: "Store headers"},
		{Name: "keys.format.class", Var: &c.keysFormat, Class: true, Default: avroFormatClass, OneOf: valueFormats,
			Doc: "The format of objects with keys.", Group: groupKeys, Importance: connect.Low, Width: connect.WidthLong, Display: "Format of keys"},
		{Name: "headers.format.class", Var: &c.headersFormat, Class: true, Default: avroFormatClass, OneOf: headerFormats,
			Doc: "The format of objects with headers.", Group: groupKeys, Importance: connect.Low, Width: connect.WidthLong, Display: "Format of headers"},
	}
}

// lines tells whether values are written one a line or one behind the other, without a schema in the file.
func (c *Config) lines() bool { return isLines(c.formatClass) }

// keySchemas tells whether keys are written to files that have the schema of their first key.
func (c *Config) keySchemas() bool { return c.storeKeys && !isLines(c.keysFormat) }

func isLines(class string) bool { return class == jsonFormatClass || class == byteArrayClass }

// newFormat makes the format of a part of records.
func (c *Config) newFormat(what format.Part, class string) (format.Format, error) {
	var f format.Format
	switch class {
	case avroFormatClass:
		return format.NewAvro(what, c.avroCodec, c.avroOptions())
	case parquetClass:
		return format.NewParquet(what, c.parquetCodec, int(c.rowGroupBytes), c.legacyLists, c.avroOptions())
	case byteArrayClass:
		f = format.NewByteArray(what, c.byteExtension, c.byteSeparator)
	default:
		decimals := connectjson.DecimalBase64
		if c.decimalFormat == decimalNumeric {
			decimals = connectjson.DecimalNumeric
		}
		f = format.NewJSON(what, decimals)
	}
	if c.compression == compressionGzip {
		return format.NewGzip(f, c.compressionLevel)
	}
	return f, nil
}

// checkFormats refuses gzip around formats that compress by themselves.
func (c *Config) checkFormats() []*connect.ConfigError {
	if c.compression != compressionGzip {
		return nil
	}
	var errs []*connect.ConfigError
	for _, f := range []struct {
		option, class string
		used          bool
	}{{"format.class", c.formatClass, true}, {"keys.format.class", c.keysFormat, c.storeKeys}, {"headers.format.class", c.headersFormat, c.storeHeaders}} {
		if f.used && !isLines(f.class) {
			errs = append(errs,
				&connect.ConfigError{Option: "s3.compression.type", Reason: fmt.Sprintf("gzip is not for %s (%s), which compresses by itself; set it to none", format.Name(f.class), f.option)},
				&connect.ConfigError{Option: f.option, Reason: "it is not used with s3.compression.type=gzip; JsonFormat and ByteArrayFormat are"})
		}
	}
	return errs
}

// avroOptions are those of AvroConverter that make sense in files.
func (c *Config) avroOptions() connectavro.Options {
	return connectavro.Options{Enhanced: c.enhancedAvro, NoMetadata: !c.connectMeta, OptionalKeys: c.optionalKeys, ScrubNames: true, Extended: true}
}
