package s3

import (
	"net/url"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Config is the configuration of an S3 sink: Confluent's options that have an
// effect here and a few of our own (rotate.max.age.ms, buffer.memory.max).
type Config struct {
	formatClass      string
	flushSize        int
	maxAge           time.Duration // -1 ms: never by age
	retryBackoff     time.Duration
	padWidth         int
	decimalFormat    string
	nullValues       string
	existingObjects  string
	byteSeparator    string
	byteExtension    string
	storageClass     string
	topicsDir        string
	storeURL         string
	directoryDelim   string
	fileDelim        string
	partitionerClass string

	bucket           string
	region           string
	accessKeyID      string
	secretAccessKey  connect.Secret
	provider         string
	pathStyle        bool
	partSizeBytes    int
	partRetries      int
	partRetryBackoff time.Duration
	expectContinue   bool
	compression      string
	compressionLevel int
	cannedACL        string
	sseName          string
	sseKMSKeyID      string
	bufferMaxBytes   int64
}

// Values of options.
const (
	existingOption    = "behavior.on.existing.objects"
	existingFail      = "fail"
	existingOverwrite = "overwrite"

	nullsFail       = "fail"
	nullsIgnore     = "ignore"
	compressionNone = "none"
	compressionGzip = "gzip"
	decimalBase64   = "BASE64"
	decimalNumeric  = "NUMERIC"
	jsonFormatClass = "io.confluent.connect.s3.format.json.JsonFormat"
	byteArrayClass  = "io.confluent.connect.s3.format.bytearray.ByteArrayFormat"
	storageClass    = "io.confluent.connect.s3.storage.S3Storage"
	partitionerName = "io.confluent.connect.storage.partitioner.DefaultPartitioner"
	sseKMS          = "aws:kms"
)

// fallbackRegion is what neither the config nor the environment has to say:
// Confluent's default.
const fallbackRegion = "us-west-2"

// Define binds the options.
func (c *Config) Define(d *connect.Def) {
	d.Add(c.connectorOptions()...)
	d.Add(c.storageOptions()...)
	d.Add(c.s3Options()...)
	d.Add(c.uploadOptions()...)
	d.Add(laterOptions()...)
	d.Ignore(ignoredKeys...)
}

// Sink returns a new sink.
func (c *Config) Sink() connect.Sink { return newSink(c) }

// Validate checks the rules between options.
func (c *Config) Validate() []*connect.ConfigError {
	var errs []*connect.ConfigError
	if (c.accessKeyID != "") != c.secretAccessKey.IsSet() {
		missing := "aws.access.key.id"
		if c.accessKeyID != "" {
			missing = "aws.secret.access.key"
		}
		errs = append(errs, &connect.ConfigError{Option: missing,
			Reason: "aws.access.key.id and aws.secret.access.key go together: set both, or neither to use the AWS environment"})
	}
	if c.sseKMSKeyID != "" && c.sseName != sseKMS {
		errs = append(errs, &connect.ConfigError{Option: "s3.sse.kms.key.id",
			Reason: "it is used only with s3.ssea.name=" + sseKMS})
	}
	return errs
}

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

func (c *Config) gzip() bool { return c.compression == compressionGzip }

// firstPartBytes is the size of a file's first parts: s3.part.size, or as much
// of it as lets four parts be in memory.
func (c *Config) firstPartBytes() int { return min(c.partSizeBytes, c.largestPartBytes()) }

func (c *Config) largestPartBytes() int { return int(c.bufferMaxBytes / 4) }
