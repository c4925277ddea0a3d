package s3

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Groups of options, as Confluent's.
const (
	groupConnector   = "Connector"
	groupStorage     = "Storage"
	groupPartitioner = "Partitioner"
	groupS3          = "S3"
	groupKeys        = "Keys and Headers"
	groupSchema      = "Schema"
)

// Classes that format.class, keys.format.class and headers.format.class take.
var (
	valueFormats  = []string{jsonFormatClass, byteArrayClass, avroFormatClass, parquetClass}
	headerFormats = []string{jsonFormatClass, avroFormatClass, parquetClass}
)

var errNotURL = errors.New("it must be a URL such as http://127.0.0.1:9000 or https://s3.example.com")

func (c *Config) connectorOptions() []connect.Option {
	return []connect.Option{
		{Name: "format.class", Var: &c.formatClass, Class: true, Default: jsonFormatClass, OneOf: valueFormats,
			Doc:   "How records become the bytes of an object: a JSON value a line, raw bytes, an Avro container file or Parquet.",
			Group: groupConnector, Importance: connect.High, Width: connect.WidthLong, Display: "Format"},
		{Name: "retry.backoff.ms", Var: &c.retryBackoff, Default: "5000", Check: notNegative(&c.retryBackoff),
			Doc:   "Milliseconds between tries of a request that failed s3.part.retries times already.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthMedium, Display: "Retry backoff (ms)"},
		{Name: "filename.offset.zero.pad.width", Var: &c.padWidth, Default: "10", Check: between(&c.padWidth, 0, 100),
			Doc:   "Digits of the start offset in an object's name.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthLong, Display: "Digits of the offset"},
		{Name: "behavior.on.null.values", Var: &c.nullValues, Default: nullsFail, OneOf: []string{nullsFail, nullsIgnore, nullsWrite},
			Doc: "What happens to a record without a value (a tombstone): it is an error, it is left out, or its key is written into " +
				"the directory tombstone.encoded.partition, which needs store.kafka.keys.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthShort, Display: "Null values"},
		{Name: "report.null.values.to.dlq", Var: &c.reportNulls, Default: "true",
			Doc:   "Whether a record that behavior.on.null.values=ignore leaves out goes to the dead letter queue, if there is one.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthShort, Display: "Report null values"},
		{Name: "tombstone.encoded.partition", Var: &c.tombstoneDir, Default: "tombstone",
			Doc:   "The directory, below the topic's, of records without a value.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthMedium, Display: "Tombstone directory"},
		{Name: "exactly.once", Var: &c.exactlyOnce, Default: onceLedger, OneOf: []string{onceLedger, onceDeterministic},
			Doc: "ledger commits what is to become visible together with the consumer offsets, so that every record is in exactly one " +
				"object, whatever rotates files. deterministic is Confluent's way: a replay writes the same objects again, which is " +
				"exactly once only with rules that give the same files for the same records.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthShort, Display: "Exactly once"},
		{Name: existingOption, Var: &c.existingObjects, Default: existingFail, OneOf: []string{existingFail, existingOverwrite},
			Doc: "What happens, with exactly once, when there is an object of the same name that is none of this connector's " +
				"own attempts: the task fails, or the object is replaced. Names repeat after consumer offsets were reset. " +
				"Without exactly once they are always replaced.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthShort, Display: "Existing objects"},
		{Name: "json.decimal.format", Var: &c.decimalFormat, Default: decimalBase64,
			OneOf: []string{decimalBase64, decimalNumeric},
			Doc:   "Whether JsonFormat writes decimals as base64 of their bytes or as numbers.",
			Group: groupConnector, Importance: connect.Medium, Width: connect.WidthShort, Display: "Decimals in JSON"},
		{Name: "format.bytearray.extension", Var: &c.byteExtension, Default: ".bin",
			Doc:   "End of the object's name with ByteArrayFormat.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthLong, Display: "Extension of byte objects"},
		{Name: "format.bytearray.separator", Var: &c.byteSeparator, Default: "\n", Raw: true,
			Doc:   "Text after each record with ByteArrayFormat; a line feed by default. White space counts.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthLong, Display: "Separator of byte records"},
	}
}

func (c *Config) storageOptions() []connect.Option {
	return []connect.Option{
		{Name: "storage.class", Var: &c.storageClass, Class: true, Default: storageClass, OneOf: []string{storageClass},
			Doc: "Accepted because configs carry it.", Group: groupStorage, Importance: connect.High, Width: connect.WidthNone},
		{Name: "topics.dir", Var: &c.topicsDir, Default: "topics",
			Doc:   "Directory in the bucket that has the topics' directories; may be empty.",
			Group: groupStorage, Importance: connect.High, Width: connect.WidthNone, Display: "Topics directory"},
		{Name: "store.url", Var: &c.storeURL, NoDefault: true, Check: c.checkEndpoint,
			Doc: "URL of the S3 server when it is not AWS; https:// when there is no scheme. Without it " +
				"AWS_ENDPOINT_URL_S3 of the worker's environment is used, else AWS.",
			Group: groupStorage, Importance: connect.High, Width: connect.WidthLong, Display: "Store URL"},
		{Name: "directory.delim", Var: &c.directoryDelim, Default: "/", Doc: "Text between directories.",
			Group: groupStorage, Importance: connect.Medium, Width: connect.WidthLong, Display: "Directory delimiter"},
		{Name: "file.delim", Var: &c.fileDelim, Default: "+", Doc: "Text between topic, partition and offset in an object's name.",
			Group: groupStorage, Importance: connect.Medium, Width: connect.WidthLong, Display: "File delimiter"},
	}
}

func (c *Config) uploadOptions() []connect.Option {
	return []connect.Option{
		{Name: "s3.part.size", Var: &c.partSizeBytes, Default: "26214400", Check: between(&c.partSizeBytes, minPartBytes, 1<<31-1),
			Doc: "Bytes of a part of an upload. They double after every 1,000 parts of an object. A quarter of " +
				"buffer.memory.max is the most that is used.",
			Group: groupS3, Importance: connect.High, Width: connect.WidthLong, Display: "Part size"},
		{Name: "s3.part.retries", Var: &c.partRetries, Default: "3", Check: atLeast(&c.partRetries, 0),
			Doc: "How often a request is repeated quickly before the failure is reported and retry.backoff.ms is " +
				"waited between further tries, which do not end.",
			Group: groupS3, Importance: connect.Medium, Width: connect.WidthLong, Display: "Retries"},
		{Name: "s3.retry.backoff.ms", Var: &c.partRetryBackoff, Default: "200", Check: notNegative(&c.partRetryBackoff),
			Doc:   "Milliseconds before the first repetition at most; they double each time, and are drawn at random.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Retry backoff (ms)"},
		{Name: "s3.http.send.expect.continue", Var: &c.expectContinue, Default: "true",
			Doc:   "Whether large requests ask first (Expect: 100-continue).",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Expect: 100-continue"},
		{Name: "s3.send.digest", Var: &c.sendDigest, Default: "false",
			Doc:   "Whether every request with a body has its MD5, which the server compares.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Send an MD5"},
		{Name: "s3.checksum", Var: &c.checksum, Default: auto, OneOf: []string{auto, "crc32", "none"},
			Doc:   "Whether every request with a body has a CRC32, which many servers other than AWS's do not know; auto sends it to AWS.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Checksum"},
		{Name: "s3.payload.signing", Var: &c.signPayload, Default: auto, OneOf: []string{auto, "true", "false"},
			Doc:   "Whether bodies are part of signatures, which costs time; auto signs them where the connection is not encrypted.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Sign bodies"},
		{Name: "s3.compression.type", Var: &c.compression, Default: compressionNone, OneOf: []string{compressionNone, compressionGzip},
			Doc: "Compression of objects.", Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Compression"},
		{Name: "s3.compression.level", Var: &c.compressionLevel, Default: "-1", Check: between(&c.compressionLevel, -1, 9),
			Doc:   "From 1, fast, to 9, small; 0 stores, -1 is the default in between.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Compression level"},
		{Name: "buffer.memory.max", Var: &c.bufferMaxBytes, Default: "67108864", Check: c.checkBuffer,
			Doc:   "Bytes of memory for records of a task that are not uploaded yet, over all partitions.",
			Group: groupS3, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Buffer memory"},
	}
}

func (c *Config) checkBuffer() error {
	if c.bufferMaxBytes < 4*minPartBytes {
		return fmt.Errorf("Value must be at least %d: four of the smallest parts", 4*minPartBytes)
	}
	return nil
}

func atLeast(v *int, low int) func() error {
	return func() error {
		if *v < low {
			return fmt.Errorf("Value must be at least %d", low)
		}
		return nil
	}
}

func between(v *int, low, high int) func() error {
	return func() error {
		if *v < low || *v > high {
			return fmt.Errorf("Value must be between %d and %d", low, high)
		}
		return nil
	}
}

func notNegative(v *time.Duration) func() error {
	return func() error {
		if *v < 0 {
			return errors.New("Value must be at least 0")
		}
		return nil
	}
}

// names returns the texts of an enumeration.
func names[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return texts
}
