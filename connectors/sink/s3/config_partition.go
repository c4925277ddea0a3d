package s3

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/sink/s3/format"
	"github.com/sluice-data/sluice/connectors/sink/s3/partitioner"
)

func (c *Config) partitionOptions() []connect.Option {
	return []connect.Option{
		{Name: "partitioner.class", Var: &c.partitionerClass, Class: true, Default: defaultPartitioner,
			OneOf: []string{defaultPartitioner, fieldPartitioner, timePartitioner, dailyPartitioner, hourlyPartitioner, fieldTimePartitioner},
			Doc: "How records are divided among directories: by the partition of the topic, by fields, by time, or by fields and, below them, " +
				"by time.",
			Group: groupPartitioner, Importance: connect.High, Width: connect.WidthLong, Display: "Partitioner"},
		{Name: "partition.field.name", Var: &c.partitionFields, Default: "",
			Doc:   "The fields of FieldPartitioner and TimeAndFieldPartitioner; a dot leads into a field.",
			Group: groupPartitioner, Importance: connect.Medium, Width: connect.WidthNone, Display: "Partition fields"},
		{Name: "partition.duration.ms", Var: &c.partitionDuration, Default: "-1",
			Doc:   "Milliseconds of a directory of a partitioner by time. DailyPartitioner and HourlyPartitioner have their own.",
			Group: groupPartitioner, Importance: connect.Medium, Width: connect.WidthNone, Display: "Partition duration (ms)"},
		{Name: "path.format", Var: &c.pathFormat, Default: "",
			Doc: "The directories of a partitioner by time, as a pattern of Joda-Time such as 'year'=YYYY/'month'=MM/'day'=dd. DailyPartitioner and " +
				"HourlyPartitioner have their own.",
			Group: groupPartitioner, Importance: connect.Medium, Width: connect.WidthLong, Display: "Path format"},
		{Name: "locale", Var: &c.locale, Default: "",
			Doc:   "The language of names of months and days in directories, which are English whatever it is.",
			Group: groupPartitioner, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Locale"},
		{Name: "timezone", Var: &c.timezone, Default: "", Check: c.checkZone,
			Doc:   "The time zone of directories and of rotate.schedule.interval.ms, such as Europe/Berlin or +05:30.",
			Group: groupPartitioner, Importance: connect.Medium, Width: connect.WidthMedium, Display: "Time zone"},
		{Name: "timestamp.extractor", Var: &c.extractor, Default: extractWallclock, Check: c.checkExtractor,
			Doc:   "Where a partitioner by time finds it: Wallclock, Record (its timestamp) or RecordField (timestamp.field).",
			Group: groupPartitioner, Importance: connect.Medium, Width: connect.WidthLong, Display: "Timestamp extractor"},
		{Name: "timestamp.field", Var: &c.timestampField, Default: "timestamp",
			Doc:   "The field that RecordField takes the time of: milliseconds, or text of ISO 8601.",
			Group: groupPartitioner, Importance: connect.Medium, Width: connect.WidthLong, Display: "Timestamp field"},
	}
}

// Values of timestamp.extractor.
const (
	extractWallclock = "Wallclock"
	extractRecord    = "Record"
	extractField     = "RecordField"
)

// checkExtractor takes the class names of Confluent's extractors too.
func (c *Config) checkExtractor() error {
	name := strings.TrimSuffix(c.extractor[strings.LastIndexAny(c.extractor, ".$")+1:], "TimestampExtractor")
	switch name {
	case extractWallclock, extractRecord, extractField:
		c.extractor = name
		return nil
	}
	return fmt.Errorf("it must be %s, %s or %s", extractWallclock, extractRecord, extractField)
}

func (c *Config) checkZone() error {
	c.zone = time.UTC
	if c.timezone == "" {
		return nil
	}
	zone, err := partitioner.ParseZone(c.timezone)
	if err == nil {
		c.zone = zone
	}
	return err
}

// timed tells whether records are partitioned by time.
func (c *Config) timed() bool {
	return c.partitionerClass != defaultPartitioner && c.partitionerClass != fieldPartitioner
}

// byField tells whether records are partitioned by fields.
func (c *Config) byField() bool {
	return c.partitionerClass == fieldPartitioner || c.partitionerClass == fieldTimePartitioner
}

// checkPartitioner checks the options that the partitioner needs, and how one is made.
func (c *Config) checkPartitioner() []*connect.ConfigError {
	if c.zone == nil {
		c.zone = time.UTC
	}
	var errs []*connect.ConfigError
	fail := func(option, reason string) {
		errs = append(errs, &connect.ConfigError{Option: option, Reason: reason})
	}
	if c.rotateSchedule > 0 && c.timezone == "" {
		fail("timezone", "rotate.schedule.interval.ms counts from midnight and needs a time zone")
	}
	if c.byField() {
		if _, err := partitioner.NewField(c.partitionFields, c.directoryDelim); err != nil {
			fail("partition.field.name", fmt.Sprintf("%s partitions by it: %v", format.Name(c.partitionerClass), err))
		}
	}
	var pattern *partitioner.Pattern
	if c.timed() {
		c.presetPartition()
		if c.partitionDuration <= 0 {
			fail("partition.duration.ms", format.Name(c.partitionerClass)+" needs a value of at least 1")
		}
		var err error
		if pattern, err = c.pattern(); err != nil {
			fail("path.format", err.Error())
		}
		for _, o := range [][2]string{{"locale", c.locale}, {"timezone", c.timezone}} {
			if strings.TrimSpace(o[1]) == "" {
				fail(o[0], format.Name(c.partitionerClass)+" needs a value")
			}
		}
	}
	if c.extractor == extractField {
		if _, err := partitioner.RecordField(c.timestampField); err != nil {
			fail("timestamp.field", err.Error())
		}
	}
	c.partitioner = func(now func() time.Time) (partitioner.Partitioner, error) { return c.newPartitioner(pattern, now) }
	return errs
}

// presetPartition sets what the partitioners by day and hour have.
func (c *Config) presetPartition() {
	day := strings.Join([]string{"'year'=YYYY", "'month'=MM", "'day'=dd"}, c.directoryDelim)
	switch c.partitionerClass {
	case dailyPartitioner:
		c.partitionDuration, c.pathFormat = 24*time.Hour, day
	case hourlyPartitioner:
		c.partitionDuration, c.pathFormat = time.Hour, day+c.directoryDelim+"'hour'=HH"
	}
}

var errNoPath = errors.New("it is empty, and the partitioner makes directories of it; 'year'=YYYY/'month'=MM/'day'=dd is an example")

func (c *Config) pattern() (*partitioner.Pattern, error) {
	text := strings.TrimSuffix(c.pathFormat, c.directoryDelim)
	if strings.TrimSpace(text) == "" {
		return nil, errNoPath
	}
	return partitioner.ParsePattern(text)
}

// newPartitioner is called when Validate has found nothing.
func (c *Config) newPartitioner(pattern *partitioner.Pattern, now func() time.Time) (partitioner.Partitioner, error) {
	var fields, times partitioner.Partitioner
	var err error
	if c.byField() {
		if fields, err = partitioner.NewField(c.partitionFields, c.directoryDelim); err != nil {
			return nil, err
		}
	}
	if c.timed() {
		extract := partitioner.Wallclock(now)
		switch c.extractor {
		case extractRecord:
			extract = partitioner.RecordTime
		case extractField:
			if extract, err = partitioner.RecordField(c.timestampField); err != nil {
				return nil, err
			}
		}
		times = partitioner.NewTime(c.partitionDuration, pattern, c.zone, extract)
	}
	switch {
	case fields != nil && times != nil:
		return partitioner.Both{First: fields, Second: times, Delimiter: c.directoryDelim}, nil
	case fields != nil:
		return fields, nil
	case times != nil:
		return times, nil
	}
	return partitioner.Default{}, nil
}
