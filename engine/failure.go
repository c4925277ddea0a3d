package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
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

// putClass is what Kafka Connect names as the class that failed in TASK_PUT,
// whatever the connector is.
const putClass = "org.apache.kafka.connect.sink.SinkTask"

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
	id     TaskID
	hide   func(string) string // of secrets (I6); may be nil
	each   bool                // errors.log.enable
	where  bool                // errors.log.include.messages
	count  atomic.Int64
}

// skip counts a record and tells whether it logged it. With errors.log.enable each
// is logged in Kafka Connect's words; detail says where it is and never what is in
// it. Without, the 1st, 2nd, 4th, 8th... are, so that neither silence nor a flood
// hides the trouble.
func (s *skipLog) skip(place, detail string, err error) (logged bool) {
	count := s.count.Add(1)
	if !s.each && count&(count-1) != 0 {
		return false
	}
	text := err.Error()
	if s.hide != nil {
		text = s.hide(text)
	}
	e := asStageError(err, "", "")
	if !s.each {
		s.logger.Warn("skip a record", logError, text, "skipped", count, "stage", string(e.stage), "class", e.class, "record", place)
		return true
	}
	if !s.where {
		detail = ""
	}
	s.logger.Error(fmt.Sprintf("Error encountered in task %s-%d. Executing stage '%s' with class '%s'%s.", s.id.Connector, s.id.Task, e.stage, e.class, detail), logError, text)
	return true
}

// consumedDetail is how Kafka Connect says where a record of a sink is.
func consumedDetail(tp connect.TopicPartition, r *kgo.Record) string {
	detail := fmt.Sprintf(", where consumed record is {topic='%s', partition=%d, offset=%d", tp.Topic, tp.Partition, r.Offset)
	switch r.Attrs.TimestampType() {
	case 0:
		detail += fmt.Sprintf(", timestamp=%d, timestampType=CreateTime", r.Timestamp.UnixMilli())
	case 1:
		detail += fmt.Sprintf(", timestamp=%d, timestampType=LogAppendTime", r.Timestamp.UnixMilli())
	}
	return detail + "}"
}

// sourceDetail says where a record of a source comes from and which topic it is
// for. Kafka Connect logs the record itself here.
func sourceDetail(from origin) string {
	return fmt.Sprintf(", where source record is = SourceRecord{sourcePartition=%s, sourceOffset=%s} ConnectRecord{topic='%s'}", from.partition, from.offset, from.topic)
}

// skip goes on without a record, which errors.tolerance=all allows.
func (t *task) skip(place, detail string, err error) {
	t.meter.Failed()
	t.meter.Skipped(t.skipped.skip(place, detail, err))
}

// intolerable is the error of a task that one record fails.
func (t *task) intolerable(place string, err error) error {
	t.meter.Failed()
	t.meter.Intolerable()
	return fmt.Errorf("%s: %w%s", place, err, toleranceHint)
}

// retryRecord calls f again after a retriable error of a converter, with growing
// delays, until errors.retry.timeout is over (KIP-298). It returns the last error.
//
// A schema registry that does not answer is no fault of the record: the task waits
// for it as long as it takes, and no tolerance skips the record. Then only the end
// of ctx ends it, with a *fatalError.
func (t *task) retryRecord(ctx context.Context, err error, f func() error) error {
	o := &t.def.options
	trouble := t.trouble("convert a record")
	retry := backoff{limit: o.retryDelayMax}
	start := time.Now()
	for connect.IsRetriable(err) {
		delay := retry.next()
		if !convert.IsUnavailable(err) && o.retryTimeout >= 0 {
			left := o.retryTimeout - time.Since(start)
			if left <= 0 {
				return err
			}
			delay = min(delay, left) // the last attempt is when the time is over
		}
		trouble.note(err)
		t.meter.Failed()
		if sleep(ctx, delay) != nil {
			if convert.IsUnavailable(err) {
				return &fatalError{err}
			}
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

// unlessAwaited leaves an error out that is only that a task was stopped while it
// waited for a schema registry: the records will be read again.
func unlessAwaited(stop context.Context, err error) error {
	if stop.Err() != nil && convert.IsUnavailable(err) {
		return nil
	}
	return err
}
