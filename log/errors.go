package log

import (
	"errors"
	"fmt"
)

// Errors that callers branch on. The broker has one table that maps them to Kafka codes.
var (
	// ErrLocked: another process has the data directory open.
	ErrLocked = errors.New("data directory is in use by another process")
	// ErrClosed: the log is closed.
	ErrClosed = errors.New("log is closed")
	// ErrFailed: a write or fsync error made the log unusable (I1). Wrapped with the cause; see [Log.Err].
	ErrFailed = errors.New("log has failed, restart it after the disk is repaired")
	// ErrFull: no space left on the device. The append left no trace and may be retried.
	ErrFull = errors.New("no space left for the log")

	// ErrTopicExists: the name is taken (TOPIC_ALREADY_EXISTS).
	ErrTopicExists = errors.New("topic exists")
	// ErrTopicNotFound: no topic has this name (UNKNOWN_TOPIC_OR_PARTITION).
	ErrTopicNotFound = errors.New("topic not found")
	// ErrInvalidTopic: the name is not a Kafka topic name, or differs from an existing one only in '.' and '_' (INVALID_TOPIC_EXCEPTION).
	ErrInvalidTopic = errors.New("invalid topic name")
	// ErrInvalidPartitions: the partition count is not allowed (INVALID_PARTITIONS).
	ErrInvalidPartitions = errors.New("invalid number of partitions")

	// ErrOffsetOutOfRange: the offset is below the log start offset or above the end (OFFSET_OUT_OF_RANGE).
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrPartitionOffline: the partition is quarantined because its files are damaged (KAFKA_STORAGE_ERROR). See [*OfflineError].
	ErrPartitionOffline = errors.New("partition is offline")
	// ErrPartitionDeleted: the partition's topic was deleted (UNKNOWN_TOPIC_OR_PARTITION).
	ErrPartitionDeleted = errors.New("partition was deleted")

	// ErrCorruptBatch: sizes, magic or CRC are wrong (CORRUPT_MESSAGE).
	ErrCorruptBatch = errors.New("corrupt record batch")
	// ErrBatchTooLarge: larger than max.message.bytes (MESSAGE_TOO_LARGE), or than segment.bytes (RECORD_LIST_TOO_LARGE).
	ErrBatchTooLarge = errors.New("record batch too large")
	// ErrInvalidRecord: the batch is intact but not allowed here (INVALID_RECORD). See [*RecordError].
	ErrInvalidRecord = errors.New("invalid record")
	// ErrInvalidTimestamp: outside message.timestamp.{before,after}.max.ms (INVALID_TIMESTAMP).
	ErrInvalidTimestamp = errors.New("timestamp out of the accepted range")
	// ErrOutOfOrderSequence: a gap in the producer's sequence (OUT_OF_ORDER_SEQUENCE_NUMBER).
	ErrOutOfOrderSequence = errors.New("out of order sequence number")
	// ErrUnknownProducer: the producer id has no state where some is required (UNKNOWN_PRODUCER_ID).
	ErrUnknownProducer = errors.New("unknown producer id")
	// ErrInvalidProducerEpoch: a newer epoch of the producer id has written (INVALID_PRODUCER_EPOCH).
	ErrInvalidProducerEpoch = errors.New("producer epoch is fenced")
	// ErrCoordinatorFenced: a newer transaction coordinator has ended a transaction of the producer (TRANSACTION_COORDINATOR_FENCED).
	ErrCoordinatorFenced = errors.New("transaction coordinator epoch is fenced")
	// ErrInvalidTxnState: a batch outside a transaction from a producer with an open one (INVALID_TXN_STATE).
	ErrInvalidTxnState = errors.New("the producer has an open transaction, which the batch is not part of")
	// ErrTooManyProducers: all producers that a partition may remember are in open transactions (I5). It may be tried again.
	ErrTooManyProducers = errors.New("too many producers with open transactions in the partition")
)

// OfflineError says which bytes quarantined a partition. It matches [ErrPartitionOffline].
type OfflineError struct {
	Topic     string
	Partition int32
	File      string // path of the damaged file
	Offset    int64  // first offset that cannot be served, -1 when unknown
	Position  int64  // byte position in File, -1 when unknown
	Reason    string
}

func (e *OfflineError) Error() string {
	return fmt.Sprintf("partition %s-%d is offline: %s at position %d (offset %d): %s; run `sluice log check` and restore the file or delete the topic",
		e.Topic, e.Partition, e.File, e.Position, e.Offset, e.Reason)
}

// Is makes errors.Is(err, ErrPartitionOffline) true.
func (e *OfflineError) Is(target error) bool { return target == ErrPartitionOffline }

// RecordError names the record of a batch that is not allowed. It matches [ErrInvalidRecord].
type RecordError struct {
	Index  int32 // position of the record in its batch, -1 for the whole batch
	Reason string
}

func (e *RecordError) Error() string {
	if e.Index < 0 {
		return "invalid record batch: " + e.Reason
	}
	return fmt.Sprintf("invalid record %d of the batch: %s", e.Index, e.Reason)
}

// Is makes errors.Is(err, ErrInvalidRecord) true.
func (e *RecordError) Is(target error) bool { return target == ErrInvalidRecord }

// ConfigError names a topic configuration that is not accepted (INVALID_CONFIG).
type ConfigError struct {
	Name   string
	Value  string
	Reason string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("topic configuration %s=%q: %s", e.Name, e.Value, e.Reason)
}
