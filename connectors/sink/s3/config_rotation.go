package s3

import (
	"errors"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// rotationOptions say when files end, whatever is in the records.
func (c *Config) rotationOptions() []connect.Option {
	return []connect.Option{
		{Name: "flush.size", Var: &c.flushSize, Default: "10000", Check: atLeast(&c.flushSize, 1),
			Doc:   "Records of a topic-partition, in all its open files, after which the files end.",
			Group: groupConnector, Importance: connect.High, Width: connect.WidthLong, Display: "Flush size"},
		{Name: "flush.bytes", Var: &c.flushBytes, Default: "-1", Check: c.checkFlushBytes,
			Doc: "Bytes of an object, compressed if it is, after which it ends, about; what has not been compressed yet is estimated by what has " +
				"been before. -1 for no limit.",
			Group: groupConnector, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Flush bytes"},
		{Name: "rotate.max.age.ms", Var: &c.maxAge, NoDefault: true, Check: c.checkMaxAge,
			Doc: "Milliseconds of wall-clock time from the first record in the files of a topic-partition until they become visible, " +
				"even when no more records come; -1 for no limit. When it is not set that is 60000, and no limit when " +
				"rotate.interval.ms, rotate.schedule.interval.ms or rotate.idle.ms says when files end.",
			Group: groupConnector, Importance: connect.High, Width: connect.WidthMedium, Display: "Rotation age (ms)"},
		{Name: "rotate.idle.ms", Var: &c.rotateIdle, Default: "-1", Check: c.checkMillis(&c.rotateIdle),
			Doc:   "Milliseconds without a record of the topic-partition after which its files end; -1 for no limit.",
			Group: groupConnector, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Idle rotation (ms)"},
		{Name: "rotate.interval.ms", Var: &c.rotateInterval, Default: "-1", Check: c.checkMillis(&c.rotateInterval),
			Doc: "Milliseconds between the time of a record, by timestamp.extractor, and that of the first record in the files after which they end. Only " +
				"with a partitioner by time. -1 for no limit.",
			Group: groupConnector, Importance: connect.High, Width: connect.WidthMedium, Display: "Rotation interval (ms)"},
		{Name: "rotate.schedule.interval.ms", Var: &c.rotateSchedule, Default: "-1", Check: c.checkMillis(&c.rotateSchedule),
			Doc:   "Milliseconds of wall-clock time, counted from midnight in timezone, at whose multiples files end; -1 for never.",
			Group: groupConnector, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Rotation schedule (ms)"},
		{Name: "rotate.file.on.partition.change", Var: &c.rotateOnPartition, Default: "true",
			Doc:   "Whether, with rotate.interval.ms, a record for another directory than the one before ends all files.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthShort, Display: "Rotate on a new directory"},
		{Name: "partitioner.max.open.files", Var: &c.maxOpenFiles, Default: "-1",
			Doc:   "Directories that a topic-partition writes to at a time; one more ends the files of all. -1 for no limit but memory.",
			Group: groupPartitioner, Importance: connect.Low, Width: connect.WidthShort, Display: "Open directories"},
		{Name: "flush.on.close", Var: &c.flushOnClose, Default: "false",
			Doc: "Whether files end, and become visible, when the task stops or gives a topic-partition to another. Otherwise their records are " +
				"read again by whoever has the topic-partition next.",
			Group: groupConnector, Importance: connect.Low, Width: connect.WidthShort, Display: "Flush on close"},
	}
}

func (c *Config) checkMaxAge() error {
	if c.maxAge == -time.Millisecond || c.maxAge > 0 {
		return nil
	}
	return errors.New("Value must be at least 1, or -1 for no limit")
}

// defaultMaxAge is how old files become when nothing says so.
const defaultMaxAge = time.Minute

// age is rotate.max.age.ms, negative for no limit.
func (c *Config) age() time.Duration {
	switch {
	case c.maxAge != 0:
		return c.maxAge
	case c.rotateSchedule > 0, c.rotateIdle > 0, c.rotateInterval > 0 && c.timed():
		return -time.Millisecond
	}
	return defaultMaxAge
}

// checkMillis wants a number of milliseconds, or any negative number for none as Confluent's sink takes it.
func (*Config) checkMillis(v *time.Duration) func() error {
	return func() error {
		if *v == 0 {
			return errors.New("Value must be at least 1, or -1 for no limit")
		}
		return nil
	}
}

func (c *Config) checkFlushBytes() error {
	if c.flushBytes == 0 {
		return errors.New("Value must be at least 1, or -1 for no limit")
	}
	return nil
}
