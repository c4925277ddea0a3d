package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/internal/meters"
)

// retryTask is a task with the options that retrying needs.
func retryTask(timeout, delayMax time.Duration) *task {
	d := &definition{secrets: strings.NewReplacer()}
	d.options.retryTimeout, d.options.retryDelayMax = timeout, delayMax
	return &task{def: d, logger: slog.New(slog.NewTextHandler(io.Discard, nil)), meter: new(meters.Task).Begin()}
}

// TestRetryTiming wants the attempts when Kafka Connect makes them: after 300 ms ×
// 2^n, the last one when errors.retry.timeout is over (KIP-298).
func TestRetryTiming(t *testing.T) {
	away := connect.Retriable(errors.New("away"))
	for _, test := range []struct {
		timeout time.Duration
		works   int // the attempt that does not fail; 0: none
		want    string
	}{
		{0, 0, "[] away"},
		{100 * time.Millisecond, 0, "[100ms] away"},
		{2 * time.Second, 0, "[300ms 900ms 2s] away"},
		{10 * time.Second, 0, "[300ms 900ms 2.1s 4.5s 9.3s 10s] away"},
		{10 * time.Second, 3, "[300ms 900ms 2.1s] <nil>"},
		{-time.Millisecond, 8, "[300ms 900ms 2.1s 4.5s 9.3s 18.9s 38.1s 1m16.5s] <nil>"}, // -1: for ever
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			at := []time.Duration{}
			err := retryTask(test.timeout, time.Minute).retryRecord(t.Context(), away, func() error {
				at = append(at, time.Since(start))
				if len(at) == test.works {
					return nil
				}
				return away
			})
			if got := fmt.Sprint(at, " ", err); got != test.want {
				t.Errorf("timeout %s: got attempts at %s, want %s", test.timeout, got, test.want)
			}
		})
	}
}

// TestRetryBeyondTheMaximum wants random waits below errors.retry.delay.max.ms once
// the doubled one is over it, for ever with -1, and an end with the task.
func TestRetryBeyondTheMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		last := time.Now()
		var waits []time.Duration
		err := retryTask(-time.Millisecond, time.Second).retryRecord(ctx, connect.Retriable(errors.New("away")), func() error {
			waits = append(waits, time.Since(last))
			last = time.Now()
			if len(waits) == 1000 {
				cancel()
			}
			return connect.Retriable(errors.New("away"))
		})
		if err == nil || len(waits) != 1000 {
			t.Fatalf("%d attempts, error %v", len(waits), err)
		}
		if waits[0] != 300*time.Millisecond || waits[1] != 600*time.Millisecond {
			t.Errorf("first waits: got %v", waits[:2])
		}
		var sum time.Duration
		for _, w := range waits[2:] {
			if w >= time.Second {
				t.Errorf("a wait of %s, the maximum is 1s", w)
			}
			sum += w
		}
		if mean := sum / 998; mean < 400*time.Millisecond || mean > 600*time.Millisecond {
			t.Errorf("mean wait: got %s, want about half of the maximum", mean)
		}
	})
}

// TestOnlyRetriableErrorsAreRetried ends with the first error that cannot pass.
func TestOnlyRetriableErrorsAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		attempts := 0
		err := retryTask(time.Hour, time.Minute).retryRecord(t.Context(), connect.Retriable(errors.New("away")), func() error {
			attempts++
			return broken
		})
		if !errors.Is(err, broken) || attempts != 1 {
			t.Errorf("got %v after %d attempts", err, attempts)
		}
	})
}

// TestErrorLog pins Kafka Connect's words for a record that is skipped with
// errors.log.enable, and our own ones without, for powers of two only.
func TestErrorLog(t *testing.T) {
	failed := &stageError{stageValue, "org.apache.kafka.connect.json.JsonConverter", "convert the value", errors.New("no JSON; hunter2")}
	r := &kgo.Record{Offset: 7, Timestamp: time.UnixMilli(1234)}
	where := consumedDetail(connect.TopicPartition{Topic: "in", Partition: 2}, r)
	for _, test := range []struct {
		name        string
		each, where bool
		at          string
		want        []string
	}{
		{"sink", true, true, where, []string{
			`level=ERROR msg="Error encountered in task snk-1. Executing stage 'VALUE_CONVERTER' with class 'org.apache.kafka.connect.json.JsonConverter', where consumed record is {topic='in', partition=2, offset=7, timestamp=1234, timestampType=CreateTime}." error="convert the value: no JSON; [hidden]"`}},
		{"without record", true, false, where, []string{
			`level=ERROR msg="Error encountered in task snk-1. Executing stage 'VALUE_CONVERTER' with class 'org.apache.kafka.connect.json.JsonConverter'." error="convert the value: no JSON; [hidden]"`}},
		{"source", true, true, sourceDetail(origin{"out", `{"p":1}`, `{"n":3}`}), []string{
			`level=ERROR msg="Error encountered in task snk-1. Executing stage 'VALUE_CONVERTER' with class 'org.apache.kafka.connect.json.JsonConverter', where source record is = SourceRecord{sourcePartition={\"p\":1}, sourceOffset={\"n\":3}} ConnectRecord{topic='out'}." error="convert the value: no JSON; [hidden]"`}},
		{"off", false, true, where, []string{
			`level=WARN msg="skip a record" error="convert the value: no JSON; [hidden]" skipped=1 stage=VALUE_CONVERTER class=org.apache.kafka.connect.json.JsonConverter record="the place"`,
			"skipped=2", "skipped=4"}},
	} {
		var buf bytes.Buffer
		l := skipLog{id: TaskID{"snk", 1}, hide: strings.NewReplacer("hunter2", connect.HiddenValue).Replace,
			each: test.each, where: test.where, logger: slog.New(slog.NewTextHandler(&buf, nil))}
		for range 4 {
			l.skip("the place", test.at, failed)
		}
		for _, want := range test.want {
			if !strings.Contains(buf.String(), want) {
				t.Errorf("%s:\n got %s\nwant %s", test.name, buf.String(), want)
			}
		}
		if lines, want := strings.Count(buf.String(), "\n"), map[bool]int{true: 4, false: 3}[l.each]; lines != want {
			t.Errorf("%s: got %d lines of 4 skipped records, want %d", test.name, lines, want)
		}
	}
}
