package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// allArrived waits until the ids 0 to n-1 are in the log and in the bucket.
func allArrived(t *testing.T, s *sluice, b *bucket, topic string, n int, limit time.Duration) {
	t.Helper()
	objects := map[string][]string{}
	eventually(t, limit, func() error {
		if err := b.lines(t.Context(), objects); err != nil {
			return err
		}
		var lines [][]byte
		for _, object := range objects {
			for _, line := range object {
				lines = append(lines, []byte(line))
			}
		}
		absent, err := missing(n, lines)
		if err == nil && absent > 0 {
			err = fmt.Errorf("%d of %d are missing in S3 (%d lines in %d objects)", absent, n, len(lines), len(objects))
		}
		return err
	})
	var lines [][]byte
	for _, r := range s.records(t, topic) {
		lines = append(lines, r.Value)
	}
	absent, err := missing(n, lines)
	if err != nil || absent > 0 {
		t.Errorf("%d of %d are missing in the log, %v", absent, n, err)
	}
	inS3 := 0
	for _, object := range objects {
		inS3 += len(object)
	}
	t.Logf("%d sent, %d records in the log, %d lines in %d objects", n, len(lines), inS3, len(objects))
}

// TestKillNine publishes 50,000 messages at 10,000/s while the server is killed
// with SIGKILL five times (I7).
func TestKillNine(t *testing.T) {
	const n, kills = 50_000, 5
	bucket := makeBucket(t, "kill-nine")
	broker := startMosquitto(t)
	s := startSluice(t, s3Env("http://"+s3Address))
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
	// Well below the 45 s after which the group would give up a dead sink task.
	allArrived(t, s, bucket, "iot-sensors", n, 30*time.Second)
	t.Logf("arrived after %.1f s", time.Since(begin).Seconds())
	s.stop(t)
}

// TestOutages takes the MQTT broker away, then S3 for 20 s: no task fails, and
// nothing is lost.
func TestOutages(t *testing.T) {
	bucket := makeBucket(t, "outages")
	broker := startMosquitto(t)
	proxy := newFaultyS3(t)
	s := startSluice(t, s3Env(proxy.URL))
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
	allArrived(t, s, bucket, "iot-sensors", 6000, 60*time.Second)
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
