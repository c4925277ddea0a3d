package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/s3server"
)

// allArrived waits until the ids 0 to n-1 are in the log, and every record of the
// log is in the bucket, exactly once (I3).
func allArrived(t *testing.T, s *sluice, b *bucket, topic string, n int) {
	t.Helper()
	var records [][]byte
	objects := map[string][]string{}
	eventually(t, func() error {
		records = records[:0]
		for _, r := range s.records(t, topic) {
			records = append(records, r.Value)
		}
		absent, err := missing(n, records)
		if err == nil && absent > 0 {
			err = fmt.Errorf("%d of %d are missing in the log", absent, n)
		}
		if err == nil {
			err = b.lines(t.Context(), objects)
		}
		if err == nil {
			err = sameRecords(records, objects)
		}
		return err
	})
	t.Logf("%d sent, %d records in the log, the same in %d objects", n, len(records), len(objects))
}

// sameRecords compares what the log has with the lines of all objects, in any
// order and with as many of each.
func sameRecords(records [][]byte, objects map[string][]string) error {
	count := make(map[string]int, len(records))
	for _, r := range records {
		count[string(r)]++
	}
	lines := 0
	for _, object := range objects {
		lines += len(object)
		for _, line := range object {
			count[line]--
		}
	}
	missing, doubled := 0, 0
	for _, n := range count {
		missing += max(n, 0)
		doubled += max(-n, 0)
	}
	if missing+doubled > 0 {
		return fmt.Errorf("of %d records %d are missing in S3 and %d are there once too often (%d lines in %d objects)", len(records), missing, doubled, lines, len(objects))
	}
	return nil
}

// TestKillNine publishes 50,000 messages at 10,000/s while the server is killed
// with SIGKILL five times (I7).
func TestKillNine(t *testing.T) {
	const n, kills = 50_000, 5
	bucket := makeBucket(t, "kill-nine")
	broker := startMosquitto(t)
	s := startSluice(t, s3server.Env(bucket.url))
	s.create(t, seedConfig(t, "mqtt-source.json"))
	s.create(t, changed(t, seedConfig(t, "s3-sink.json"), map[string]string{"s3.bucket.name": bucket.name, "rotate.max.age.ms": "1000"}))
	s.waitRunning(t, "s3-sink-connector")
	broker.waitSubscribed(t, "sensor/temperature")

	var publishing sync.WaitGroup
	client := publisher(t)
	begin := time.Now()
	publishing.Go(func() { publish(t, client, "sensor/temperature", 10_000, readings(n)) })
	for i := range kills {
		<-time.After(time.Until(begin.Add(time.Duration(i+1) * 900 * time.Millisecond)))
		s.kill()
		t.Logf("killed at %.2f s, ready again after %.2f s", time.Since(begin).Seconds(), s.start(t).Seconds())
	}
	publishing.Wait()
	t.Logf("published after %.1f s", time.Since(begin).Seconds())
	allArrived(t, s, bucket, "iot-sensors", n)
	t.Logf("arrived after %.1f s", time.Since(begin).Seconds())
	s.stop(t)
}

// TestKillBeforeVisible kills the server when its output is committed and cannot
// be seen yet, and again while it completes what the one before left. The uploads
// of the dead are completed, not written again (I3).
func TestKillBeforeVisible(t *testing.T) {
	const n, kills = 3000, 3
	bucket := makeBucket(t, "kill-before-visible")
	broker := startMosquitto(t)
	proxy := newFaultyS3(t)
	s := startSluice(t, s3server.Env(proxy.URL))
	s.create(t, seedConfig(t, "mqtt-source.json"))
	s.create(t, changed(t, seedConfig(t, "s3-sink.json"), map[string]string{"s3.bucket.name": bucket.name, "rotate.max.age.ms": "500"}))
	s.waitRunning(t, "s3-sink-connector")
	broker.waitSubscribed(t, "sensor/temperature")
	client, all := publisher(t), readings(n)
	for i := range kills {
		proxy.hidden.Store(true)
		refused := proxy.refused.Load()
		publish(t, client, "sensor/temperature", 2000, all[i*n/kills:(i+1)*n/kills])
		eventually(t, func() error {
			if proxy.refused.Load() == refused {
				return errors.New("nothing was to become visible")
			}
			return nil
		})
		s.kill()
		proxy.hidden.Store(false)
		s.start(t)
	}
	allArrived(t, s, bucket, "iot-sensors", n)
	s.stop(t)
}

// TestOutages takes the MQTT broker away, then S3 for 20 s: no task fails, and
// nothing is lost.
func TestOutages(t *testing.T) {
	bucket := makeBucket(t, "outages")
	broker := startMosquitto(t)
	proxy := newFaultyS3(t)
	s := startSluice(t, s3server.Env(proxy.URL))
	s.create(t, seedConfig(t, "mqtt-source.json"))
	s.create(t, changed(t, seedConfig(t, "s3-sink.json"), map[string]string{"s3.bucket.name": bucket.name, "rotate.max.age.ms": "1000"}))
	s.waitRunning(t, "s3-sink-connector")
	broker.waitSubscribed(t, "sensor/temperature")
	failures := watchFailures(t, s, "mqtt-source-connector", "s3-sink-connector")

	client := publisher(t)
	all := readings(6000)
	publish(t, client, "sensor/temperature", 2000, all[:2000])
	broker.stop(t)
	<-time.After(2 * time.Second)
	broker.start(t)
	publish(t, client, "sensor/temperature", 2000, all[2000:4000])

	proxy.down.Store(true)
	begin := time.Now()
	publish(t, client, "sensor/temperature", 2000, all[4000:])
	<-time.After(time.Until(begin.Add(20 * time.Second)))
	if proxy.refused.Load() == 0 {
		t.Error("S3 was down and nobody noticed: the test shows nothing")
	}
	proxy.down.Store(false)
	allArrived(t, s, bucket, "iot-sensors", 6000)
	if got := failures(); len(got) > 0 {
		t.Errorf("states other than RUNNING: %s", strings.Join(got, "; "))
	}
	s.stop(t)
}

// watchFailures looks at the states of connectors until the returned function is
// called, and returns those that had FAILED in them.
func watchFailures(t *testing.T, s *sluice, names ...string) func() []string {
	var failed []string
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, name := range names {
				states, err := s.states(name)
				if err == nil && strings.Contains(states, "FAILED") && !slices.Contains(failed, states) {
					failed = append(failed, states)
				}
			}
			select {
			case <-tick.C:
			case <-quit:
				return
			}
		}
	}()
	var once sync.Once
	stop := func() []string {
		once.Do(func() { close(quit) })
		<-done
		return failed
	}
	t.Cleanup(func() { stop() })
	return stop
}
