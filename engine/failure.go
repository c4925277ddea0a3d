package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/connect"
)

// stage is where a record failed, under Kafka Connect's names (KIP-298).
type stage string

const (
	stageKey       stage = "KEY_CONVERTER"
	stageValue     stage = "VALUE_CONVERTER"
	stageHeader    stage = "HEADER_CONVERTER"
	stagePut       stage = "TASK_PUT"
	stageProduce   stage = "KAFKA_PRODUCE"
	stageTransform stage = "TRANSFORMATION"
)

const tooLargeClass = "org.apache.kafka.common.errors.RecordTooLargeException"

// stageError is the failure of one record in one stage.
type stageError struct {
	stage stage
	class string // of what failed: a converter, the connector
	what  string // what was tried, such as "convert the key"
	err   error
}

func (e *stageError) Error() string { return e.what + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// exceptionClass is the Java class that Kafka Connect would name: tools group
// dead letters by it.
func (e *stageError) exceptionClass() string {
	switch {
	case errors.Is(e.err, kerr.MessageTooLarge):
		return tooLargeClass
	case connect.IsRetriable(e.err):
		return "org.apache.kafka.connect.errors.RetriableException"
	case e.stage == stagePut || e.stage == stageProduce:
		return "org.apache.kafka.connect.errors.ConnectException"
	}
	return "org.apache.kafka.connect.errors.DataException"
}

// asStageError returns the stage of a failure; one that names none is of the
// given stage.
func asStageError(err error, other stage, class string) *stageError {
	var e *stageError
	if errors.As(err, &e) {
		return e
	}
	return &stageError{stage: other, class: class, what: "handle the record", err: err}
}

// toleranceHint ends the error of a task that failed because of one record. Tools
// know the words in parentheses.
const toleranceHint = "; set errors.tolerance=all to go on without such records (Tolerance exceeded in error handler)"

// skipLog tells of records that are skipped by errors.tolerance=all.
type skipLog struct {
	logger *slog.Logger
	hide   func(string) string // of secrets (I6); may be nil
	each   bool                // errors.log.enable
	where  bool                // errors.log.include.messages
	count  atomic.Int64
}

// skip counts a record. Without errors.log.enable it logs the 1st, 2nd, 4th,
// 8th... so that neither silence nor a flood hides the trouble. It tells whether
// it did.
func (s *skipLog) skip(place string, err error) (logged bool) {
	count := s.count.Add(1)
	if !s.each && count&(count-1) != 0 {
		return false
	}
	text := err.Error()
	if s.hide != nil {
		text = s.hide(text)
	}
	args := []any{logError, text, "skipped", count}
	if e := asStageError(err, "", ""); e.stage != "" {
		args = append(args, "stage", string(e.stage), "class", e.class)
	}
	if s.where || !s.each {
		args = append(args, "record", place)
	}
	s.logger.Warn("skip a record", args...)
	return true
}

// skip goes on without a record, which errors.tolerance=all allows.
func (t *task) skip(place string, err error) {
	t.meter.Failed()
	t.meter.Skipped(t.skipped.skip(place, err))
}

// intolerable is the error of a task that one record fails.
func (t *task) intolerable(place string, err error) error {
	t.meter.Failed()
	t.meter.Intolerable()
	return fmt.Errorf("%s: %w%s", place, err, toleranceHint)
}

// retryRecord calls f again after a retriable error of a converter, with growing
// delays, until errors.retry.timeout is over (KIP-298). It returns the last error.
func (t *task) retryRecord(ctx context.Context, err error, f func() error) error {
	o := &t.def.options
	if o.retryTimeout == 0 {
		return err
	}
	trouble := t.trouble("convert a record")
	retry := backoff{limit: o.retryDelayMax}
	deadline := time.Now().Add(o.retryTimeout)
	for connect.IsRetriable(err) {
		delay := retry.next()
		if o.retryTimeout > 0 && time.Now().Add(delay).After(deadline) {
			return err
		}
		trouble.note(err)
		t.meter.Failed()
		if sleep(ctx, delay) != nil {
			return err
		}
		t.meter.Retried()
		err = guard(f)
	}
	if err == nil {
		trouble.over()
	}
	return err
}
