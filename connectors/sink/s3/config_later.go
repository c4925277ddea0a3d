package s3

import (
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// ignoredKeys are in configs for Confluent's sink and change nothing there
// either with the formats, partitioner and storage that work here.
var ignoredKeys = []string{
	// Confluent's sink skips these itself.
	"schema.generator.class", "hive.*", "shutdown.timeout.ms", "confluent.*",
	// Avro and Parquet objects.
	"avro.codec", "parquet.codec", "connect.meta.data", "enhanced.avro.schema.support",
	"allow.optional.map.keys", "schemas.cache.config",
	// Other partitioners, and rotation by their partitions.
	"partition.field.name", "partition.duration.ms", "path.format", "locale", "timezone",
	"timestamp.extractor", "timestamp.field", "rotate.file.on.partition.change", "partitioner.max.open.files",
	// Keys, headers and tombstones as objects.
	"keys.format.class", "headers.format.class", "tombstone.encoded.partition", "report.null.values.to.dlq",
	// Only with rotate.schedule.interval.ms.
	"enable.conditional.writes", "max.files.scan.limit",
	// Buffers always grow as needed, and Write never holds the group up.
	"s3.elastic.buffer.*", "max.write.duration.ms",
	// Settings of providers that take some.
	"s3.credentials.provider.*",
	// Only with s3.object.tagging.
	"s3.object.tagging.key.value.pairs", "s3.object.behavior.on.tagging.error",
}

// laterOptions are Confluent's options whose effect is not available yet. Their
// defaults are accepted, so that a config which spells them out works.
func laterOptions() []connect.Option {
	const (
		rotation = "objects are rotated by flush.size and rotate.max.age.ms"
		values   = "only values are written; leave it false"
	)
	return []connect.Option{
		later("rotate.interval.ms", int64(-1), groupConnector, "Rotation by record time.", rotation),
		later("rotate.schedule.interval.ms", int64(-1), groupConnector, "Rotation aligned to midnight.", rotation),
		later("schema.compatibility", "NONE", groupSchema, "Rotation on schema changes.", "leave it at NONE: records of any schema share an object"),
		later("s3.schema.partition.affix.type", "NONE", groupS3, "Schema name as a directory.", "leave it at NONE"),
		later("store.kafka.keys", false, groupKeys, "Keys as objects of their own.", values),
		later("store.kafka.headers", false, groupKeys, "Headers as objects of their own.", values),
		later("s3.wan.mode", false, groupS3, "S3 transfer acceleration.", "set store.url to the accelerated endpoint instead"),
		later("s3.send.digest", false, groupS3, "Content-MD5 of parts.", "leave it false: AWS gets a CRC32 with every part"),
		later("s3.object.tagging", false, groupS3, "Tags of objects.", "leave it false"),
		later("s3.proxy.url", "", groupS3, "HTTP proxy.", "set HTTPS_PROXY in the worker's environment"),
		later("s3.proxy.user", "", groupS3, "User for the proxy.", "set HTTPS_PROXY in the worker's environment"),
		laterSecret("s3.proxy.password", "Password for the proxy.", "set HTTPS_PROXY in the worker's environment"),
		laterSecret("s3.sse.customer.key", "Key for encryption with a key of the customer.", "use s3.ssea.name with AES256 or aws:kms"),
	}
}

// later declares an option that accepts its default alone.
func later[T bool | int64 | string](name string, only T, group, doc, instead string) connect.Option {
	v := new(T)
	return connect.Option{Name: name, Var: v, Default: fmt.Sprint(only), Group: group, Doc: doc + " Not available yet.",
		Check: func() error {
			if *v == only {
				return nil
			}
			return errors.New("it is not available in this version: " + instead)
		}}
}

// laterSecret declares a secret that has to stay empty.
func laterSecret(name, doc, instead string) connect.Option {
	v := new(connect.Secret)
	return connect.Option{Name: name, Var: v, NoDefault: true, Group: groupS3, Doc: doc + " Not available yet.",
		Check: func() error {
			if !v.IsSet() {
				return nil
			}
			return errors.New("it is not available in this version: " + instead)
		}}
}
