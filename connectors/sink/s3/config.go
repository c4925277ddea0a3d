package s3

import (
	"net/url"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/sink/s3/partitioner"
)

// Config is the configuration of an S3 sink: Confluent's options and a few of our own (flush.bytes, rotate.max.age.ms, rotate.idle.ms,
// flush.on.close, schema.rotation, exactly.once, buffer.memory.max and others).
type Config struct {
	formatClass     string
	flushSize       int
	flushBytes      int64
	maxAge          time.Duration // -1 ms: never by age; 0: not set
	rotateIdle      time.Duration
	flushOnClose    bool
	retryBackoff    time.Duration
	padWidth        int
	decimalFormat   string
	nullValues      string
	reportNulls     bool
	tombstoneDir    string
	existingObjects string
	exactlyOnce     string
	byteSeparator   string
	byteExtension   string
	storageClass    string
	topicsDir       string
	storeURL        string
	directoryDelim  string
	fileDelim       string
	storeKeys       bool
	storeHeaders    bool
	keysFormat      string
	headersFormat   string
	bufferMaxBytes  int64

	partitionConfig
	schemaConfig
	s3Config
}

// partitionConfig is how records are divided among directories, and rotation by that.
type partitionConfig struct {
	partitionerClass  string
	partitionFields   []string
	partitionDuration time.Duration
	pathFormat        string
	locale            string
	timezone          string
	extractor         string
	timestampField    string
	rotateInterval    time.Duration
	rotateSchedule    time.Duration
	rotateOnPartition bool
	maxOpenFiles      int

	zone        *time.Location // of timezone, or UTC
	partitioner func(now func() time.Time) (partitioner.Partitioner, error)
}

// schemaConfig is what schemas do to files, and what files say about schemas.
type schemaConfig struct {
	compatibility  string
	schemaRotation string
	schemaAffix    string
	avroCodec      string
	parquetCodec   string
	rowGroupBytes  int64
	legacyLists    bool
	connectMeta    bool
	enhancedAvro   bool
	optionalKeys   bool
}

// s3Config is how the server is reached.
type s3Config struct {
	bucket           string
	region           string
	accessKeyID      string
	secretAccessKey  connect.Secret
	sessionToken     connect.Secret
	provider         string
	roleARN          string
	roleExternalID   string
	roleSession      string
	stsRegion        string
	pathStyle        bool
	wanMode          bool
	partSizeBytes    int
	partRetries      int
	partRetryBackoff time.Duration
	expectContinue   bool
	sendDigest       bool
	checksum         string
	signPayload      string
	compression      string
	compressionLevel int
	cannedACL        string
	sseName          string
	sseKMSKeyID      string
	sseCustomerKey   connect.Secret
	proxyURL         string
	proxyUser        string
	proxyPassword    connect.Secret
	tagging          bool
	tags             []string
	onTaggingError   string

	credentialsLimit time.Duration // of a request for credentials; 0: as of others
}

// Values of options.
const (
	existingOption    = "behavior.on.existing.objects"
	existingFail      = "fail"
	existingOverwrite = "overwrite"

	onceLedger        = "ledger"
	onceDeterministic = "deterministic"

	nullsFail            = "fail"
	nullsIgnore          = "ignore"
	nullsWrite           = "write"
	compressionNone      = "none"
	compressionGzip      = "gzip"
	decimalBase64        = "BASE64"
	decimalNumeric       = "NUMERIC"
	compatibilityNone    = "NONE"
	compatibilityForward = "FORWARD"
	rotationTogether     = "rotate"
	rotationSeparate     = "separate"
	affixNone            = "NONE"
	affixPrefix          = "PREFIX"
	affixSuffix          = "SUFFIX"
	storageClass         = "io.confluent.connect.s3.storage.S3Storage"
	sseKMS               = "aws:kms"
	auto                 = "auto"
)

// Classes of formats and partitioners, under Confluent's names.
const (
	jsonFormatClass = "io.confluent.connect.s3.format.json.JsonFormat"
	byteArrayClass  = "io.confluent.connect.s3.format.bytearray.ByteArrayFormat"
	avroFormatClass = "io.confluent.connect.s3.format.avro.AvroFormat"
	parquetClass    = "io.confluent.connect.s3.format.parquet.ParquetFormat"

	partitioners         = "io.confluent.connect.storage.partitioner."
	defaultPartitioner   = partitioners + "DefaultPartitioner"
	fieldPartitioner     = partitioners + "FieldPartitioner"
	timePartitioner      = partitioners + "TimeBasedPartitioner"
	dailyPartitioner     = partitioners + "DailyPartitioner"
	hourlyPartitioner    = partitioners + "HourlyPartitioner"
	fieldTimePartitioner = "sluice.TimeAndFieldPartitioner"
)

// fallbackRegion is what neither the config nor the environment has to say:
// Confluent's default.
const fallbackRegion = "us-west-2"

// Define binds the options.
func (c *Config) Define(d *connect.Def) {
	d.Add(c.connectorOptions()...)
	d.Add(c.rotationOptions()...)
	d.Add(c.storageOptions()...)
	d.Add(c.keysOptions()...)
	d.Add(c.partitionOptions()...)
	d.Add(c.schemaOptions()...)
	d.Add(c.s3Options()...)
	d.Add(c.objectOptions()...)
	d.Add(c.uploadOptions()...)
	d.Ignore(ignoredKeys...)
}

// ignoredKeys are in configs for Confluent's sink and have no effect here: it skips some of them itself, and others are about how it
// works inside.
var ignoredKeys = []string{
	"schema.generator.class", "hive.*", "shutdown.timeout.ms", "confluent.*",
	"schemas.cache.config", "s3.elastic.buffer.*", "max.write.duration.ms", "max.files.scan.limit",
	"enable.conditional.writes", // always, unless behavior.on.existing.objects says otherwise
}

// Sink returns a new sink.
func (c *Config) Sink() connect.Sink { return newSink(c) }

// endpoint returns store.url with its scheme, or "".
func (c *Config) endpoint() string {
	if c.storeURL == "" || strings.Contains(c.storeURL, "://") {
		return c.storeURL
	}
	return "https://" + c.storeURL
}

func (c *Config) checkEndpoint() error {
	u, err := url.Parse(c.endpoint())
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errNotURL
	}
	return nil
}

// firstPartBytes is the size of a file's first parts: s3.part.size, or as much
// of it as lets four parts be in memory.
func (c *Config) firstPartBytes() int { return min(c.partSizeBytes, c.largestPartBytes()) }

func (c *Config) largestPartBytes() int { return int(c.bufferMaxBytes / 4) }
