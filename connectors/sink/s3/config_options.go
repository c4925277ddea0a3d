package s3

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

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

var errNotURL = errors.New("it must be a URL such as http://127.0.0.1:9000 or https://s3.example.com")

func (c *Config) connectorOptions() []connect.Option {
	return []connect.Option{
		{Name: "format.class", Var: &c.formatClass, Class: true, Default: jsonFormatClass,
			OneOf: []string{jsonFormatClass, byteArrayClass},
			Doc:   "How records become the bytes of an object: JSON values or raw bytes, one a line.",
			Group: groupConnector, Importance: connect.High, Width: connect.WidthLong, Display: "Format"},
		{Name: "flush.size", Var: &c.flushSize, Default: "10000", Check: atLeast(&c.flushSize, 1),
			Doc:   "Records in an object, at most.",
			Group: groupConnector, Importance: connect.High, Width: connect.WidthLong, Display: "Flush size"},
		{Name: "rotate.max.age.ms", Var: &c.maxAge, Default: "60000", Check: c.checkMaxAge,
			Doc: "Milliseconds of wall-clock time from an object's first record until it becomes visible, " +
				"even when no more records come; -1 for no limit.",
			Group: groupConnector, Importance: connect.High, Width: connect.WidthMedium, Display: "Rotation age (ms)"},
		{Name: "retry.backoff.ms", Var: &c.retryBackoff, Default: "5000", Check: notNegative(&c.retryBackoff),
			Doc:   "Milliseconds between tries of a request that failed s3.part.retries times already.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthMedium, Display: "Retry backoff (ms)"},
		{Name: "filename.offset.zero.pad.width", Var: &c.padWidth, Default: "10", Check: between(&c.padWidth, 0, 100),
			Doc:   "Digits of the start offset in an object's name.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthLong, Display: "Digits of the offset"},
		{Name: "behavior.on.null.values", Var: &c.nullValues, Default: nullsFail, OneOf: []string{nullsFail, nullsIgnore},
			Doc:   "What happens to a record without a value (a tombstone): it is an error, or it is left out.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthShort, Display: "Null values"},
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
		{Name: "partitioner.class", Var: &c.partitionerClass, Class: true, Default: partitionerName, OneOf: []string{partitionerName},
			Doc:   "How records are divided among directories: by the partition of the topic.",
			Group: groupPartitioner, Importance: connect.High, Width: connect.WidthLong, Display: "Partitioner"},
	}
}

func (c *Config) s3Options() []connect.Option {
	return []connect.Option{
		{Name: "s3.bucket.name", Var: &c.bucket, Required: true, Doc: "The bucket, which must exist.",
			Group: groupS3, Importance: connect.High, Width: connect.WidthLong, Display: "Bucket"},
		{Name: "s3.region", Var: &c.region, NoDefault: true,
			Doc: "Region of the bucket. Without it AWS_REGION, AWS_DEFAULT_REGION or the AWS profile of the worker's " +
				"environment, else " + fallbackRegion + ".",
			Group: groupS3, Importance: connect.Medium, Width: connect.WidthLong, Display: "Region"},
		{Name: "aws.access.key.id", Var: &c.accessKeyID,
			Doc:   "Access key. Without it the AWS environment (variables, profile, role) has the credentials.",
			Group: groupS3, Importance: connect.High, Width: connect.WidthLong, Display: "Access key id"},
		{Name: "aws.secret.access.key", Var: &c.secretAccessKey, Doc: "Secret of the access key.",
			Group: groupS3, Importance: connect.High, Width: connect.WidthLong, Display: "Secret access key"},
		{Name: "s3.credentials.provider.class", Var: &c.provider, Class: true, Default: defaultProviders[0], OneOf: defaultProviders,
			Doc:   "Where credentials come from: the AWS environment.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Credentials provider"},
		{Name: "s3.path.style.access.enabled", Var: &c.pathStyle, Default: "true",
			Doc:   "Whether the bucket is in the path of URLs or in the host name.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Path style access"},
		{Name: "s3.acl.canned", Var: &c.cannedACL, NoDefault: true, OneOf: names(types.ObjectCannedACL("").Values()),
			Doc: "Canned ACL of objects.", Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Canned ACL"},
		{Name: "s3.ssea.name", Var: &c.sseName, OneOf: []string{"", string(types.ServerSideEncryptionAes256), sseKMS},
			Doc:   "Encryption on the server.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Server-side encryption"},
		{Name: "s3.sse.kms.key.id", Var: &c.sseKMSKeyID, Doc: "Key for s3.ssea.name=" + sseKMS + "; the account's own when empty.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "KMS key"},
	}
}

// defaultProviders name the AWS SDK's default chain in both generations of the
// Java SDK.
var defaultProviders = []string{
	"software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
	"com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
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
		{Name: "s3.compression.type", Var: &c.compression, Default: compressionNone, OneOf: []string{compressionNone, compressionGzip},
			Doc: "Compression of objects.", Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Compression"},
		{Name: "s3.compression.level", Var: &c.compressionLevel, Default: "-1", Check: between(&c.compressionLevel, -1, 9),
			Doc:   "From 1, fast, to 9, small; 0 stores, -1 is the default in between.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Compression level"},
		{Name: "buffer.memory.max", Var: &c.bufferMaxBytes, Default: "134217728", Check: c.checkBuffer,
			Doc:   "Bytes of memory for records of a task that are not uploaded yet, over all partitions.",
			Group: groupS3, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Buffer memory"},
	}
}

func (c *Config) checkMaxAge() error {
	if c.maxAge == -time.Millisecond || c.maxAge > 0 {
		return nil
	}
	return errors.New("Value must be at least 1, or -1 for no limit")
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
