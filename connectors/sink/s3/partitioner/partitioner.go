// Package partitioner chooses the directory of a record's object below that of its topic, which Kafka Connect's storage connectors call
// its encoded partition, as Confluent's partitioners do:
//
//	default         partition=0
//	field           country=de/city=null
//	time            year=2026/month=11/day=26, of the time that an extractor finds
//	field and time  country=de/year=2026/month=11
package partitioner

import (
	"regexp"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// Partitioner appends encoded partitions. It belongs to one goroutine.
type Partitioner interface {
	// Append adds the encoded partition of a record of a partition of the log. timeMs is what Time returned.
	Append(dst []byte, r *connect.Record, partition int32, timeMs int64) ([]byte, error)
	// Time returns the time by which the record is partitioned, in milliseconds since 1970; not called unless Timed.
	Time(r *connect.Record) (int64, error)
	// Expression is a regular expression of the encoded partitions that Append makes of records of a partition of the log.
	Expression(partition int32) string
	// Timed tells whether records are partitioned by a time.
	Timed() bool
}

// untimed is a Partitioner that looks at no time.
type untimed struct{}

func (untimed) Time(*connect.Record) (int64, error) { return 0, nil }
func (untimed) Timed() bool                         { return false }

// Default divides records by the partitions of the log.
type Default struct{ untimed }

// Append adds partition=N.
func (Default) Append(dst []byte, _ *connect.Record, partition int32, _ int64) ([]byte, error) {
	return strconv.AppendInt(append(dst, "partition="...), int64(partition), 10), nil
}

// Expression is partition=N.
func (Default) Expression(partition int32) string { return "partition=" + strconv.Itoa(int(partition)) }

// Both puts the directories of one partitioner into those of another; the second has the time.
type Both struct {
	First, Second Partitioner
	Delimiter     string
}

// Append adds both encoded partitions.
func (b Both) Append(dst []byte, r *connect.Record, partition int32, timeMs int64) ([]byte, error) {
	dst, err := b.First.Append(dst, r, partition, timeMs)
	if err != nil {
		return dst, err
	}
	return b.Second.Append(append(dst, b.Delimiter...), r, partition, timeMs)
}

// Expression is that of both.
func (b Both) Expression(partition int32) string {
	return b.First.Expression(partition) + regexp.QuoteMeta(b.Delimiter) + b.Second.Expression(partition)
}

// Time is that of the second.
func (b Both) Time(r *connect.Record) (int64, error) { return b.Second.Time(r) }

// Timed is that of the second.
func (b Both) Timed() bool { return b.Second.Timed() }
