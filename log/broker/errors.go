package broker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/security"
)

// errorCode is the one table from errors to Kafka codes.
func errorCode(err error) int16 {
	if err == nil {
		return 0
	}
	var kafka *kerr.Error
	if errors.As(err, &kafka) {
		return kafka.Code
	}
	var config *log.ConfigError
	if errors.As(err, &config) {
		return kerr.InvalidConfig.Code
	}
	for _, e := range []struct {
		err  error
		code *kerr.Error
	}{
		{log.ErrTopicExists, kerr.TopicAlreadyExists},
		{log.ErrTopicNotFound, kerr.UnknownTopicOrPartition},
		{log.ErrPartitionDeleted, kerr.UnknownTopicOrPartition},
		{log.ErrInvalidTopic, kerr.InvalidTopicException},
		{log.ErrInvalidPartitions, kerr.InvalidPartitions},
		{log.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
		{log.ErrPartitionOffline, kerr.KafkaStorageError},
		{log.ErrCorruptBatch, kerr.CorruptMessage},
		{log.ErrBatchTooLarge, kerr.MessageTooLarge},
		{log.ErrInvalidRecord, kerr.InvalidRecord},
		{log.ErrInvalidTimestamp, kerr.InvalidTimestamp},
		{log.ErrOutOfOrderSequence, kerr.OutOfOrderSequenceNumber},
		{log.ErrUnknownProducer, kerr.UnknownProducerID},
		{log.ErrInvalidProducerEpoch, kerr.InvalidProducerEpoch},
		{log.ErrCoordinatorFenced, kerr.TransactionCoordinatorFenced},
		{log.ErrInvalidTxnState, kerr.InvalidTxnState},
		{log.ErrTooManyProducers, kerr.KafkaStorageError},
		{log.ErrFull, kerr.KafkaStorageError},
		{log.ErrFailed, kerr.KafkaStorageError},
		{log.ErrClosed, kerr.KafkaStorageError},
		{security.ErrFailed, kerr.KafkaStorageError},
		{context.Canceled, kerr.RequestTimedOut},
		{context.DeadlineExceeded, kerr.RequestTimedOut},
	} {
		if errors.Is(err, e.err) {
			return e.code.Code
		}
	}
	return kerr.UnknownServerError.Code
}

// errorMessage is the text that goes with errorCode in responses that have room
// for one; nil when there is no error.
func errorMessage(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}

// groupErrorCode is errorCode for the APIs of the coordinators: their clients do not expect
// the log's errors, and look for the coordinator again when it is not available.
func groupErrorCode(err error) int16 {
	var kafka *kerr.Error
	if err != nil && !errors.As(err, &kafka) {
		return kerr.CoordinatorNotAvailable.Code
	}
	return errorCode(err)
}
