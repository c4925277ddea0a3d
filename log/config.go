package log

import (
	"log/slog"
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Config of [Open]. Zero values mean the defaults given per field.
type Config struct {
	// Dir is the data directory of the log, created when missing. Required.
	Dir string
	// FS is the file system. Default: the operating system's.
	FS vfs.FS
	// Logger gets state changes. Default: discard.
	Logger *slog.Logger
	// Topic holds the configuration of topics that do not override it. Zero value: [DefaultTopicConfig].
	Topic TopicConfig
	// RetentionInterval is how often old segments are looked for (log.retention.check.interval.ms). Default 5 min.
	RetentionInterval time.Duration
	// CompactionInterval is how often compacted topics are looked at for something to clean (log.cleaner.backoff.ms). Default 15 s.
	CompactionInterval time.Duration
	// CompactionMemory is the limit in bytes for the keys of one pass of the cleaner (log.cleaner.dedupe.buffer.size): 24 for a key, at
	// a load of 3/4; while it grows, half as much again. More keys take more passes. Only used while the cleaner works. Default 32 MiB (I5).
	CompactionMemory int
	// CompactionBytesPerSecond limits what the cleaner reads and writes (log.cleaner.io.max.bytes.per.second). Default 64 MiB.
	CompactionBytesPerSecond int
	// CheckpointInterval is how often recovery points are looked at. Default 3 s.
	CheckpointInterval time.Duration
	// ProducerExpiration is how long an idle producer id is remembered (producer.id.expiration.ms). Default 24 h.
	ProducerExpiration time.Duration
	// MaxPartitions of one topic. Default 10,000.
	MaxPartitions int
	// MaxProducers remembered per partition; beyond it the longest idle are forgotten (I5). Default 65,536.
	MaxProducers int
	// MaxOpenFiles is how many descriptors the log keeps open when none is waiting for a sync. Default 1,000.
	MaxOpenFiles int
	// SyncParallelism is how many files of one round are synced at the same time. Default 16.
	SyncParallelism int
	// SyncVolumeAt is how many dirty files make a round that may sync the whole volume at once, where that is faster. Default 8;
	// negative: never.
	SyncVolumeAt int
	// RecoveryParallelism is how many partitions are recovered at the same time. Default 4.
	RecoveryParallelism int
	// MaxDecompressed is the limit in bytes for the records of one compressed batch, where they have to be looked at. Default 64 MiB (I5).
	MaxDecompressed int
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// withDefaults returns the config with every zero value replaced.
func (c Config) withDefaults() Config {
	def(&c.FS, vfs.FS(vfs.OS))
	def(&c.Logger, slog.New(slog.DiscardHandler))
	def(&c.Topic, DefaultTopicConfig())
	def(&c.RetentionInterval, 5*time.Minute)
	def(&c.CompactionInterval, 15*time.Second)
	def(&c.CompactionMemory, 32<<20)
	def(&c.CompactionBytesPerSecond, 64<<20)
	def(&c.CheckpointInterval, 3*time.Second)
	def(&c.ProducerExpiration, 24*time.Hour)
	def(&c.MaxPartitions, 10_000)
	def(&c.MaxProducers, 1<<16)
	def(&c.MaxOpenFiles, 1000)
	def(&c.SyncParallelism, 16)
	def(&c.SyncVolumeAt, 8)
	def(&c.RecoveryParallelism, 4)
	def(&c.MaxDecompressed, 64<<20)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
