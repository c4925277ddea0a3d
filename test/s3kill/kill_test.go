package s3kill

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-data/sluice/test/s3server"
)

// sink is one of the connectors that write.
type sink struct {
	name, topic string
	settings    map[string]string
	counts      string // end of the names of the objects whose lines are compared with the log
}

var sinks = []sink{
	{"by-field", "ratings", map[string]string{"partitioner.class": "FieldPartitioner", "partition.field.name": "channel,stars",
		"rotate.schedule.interval.ms": "1000", "timezone": "UTC", "rotate.max.age.ms": "700", "flush.size": "100000", "tasks.max": "2"}, ".json"},
	{"parts", "ratings", map[string]string{"store.kafka.keys": "true", "keys.format.class": "JsonFormat", "s3.compression.type": "gzip",
		"rotate.max.age.ms": "400", "flush.size": "700", "flush.on.close": "true"}, ".json.gz"},
	{"devices", "qos1", map[string]string{"partitioner.class": "TimeBasedPartitioner", "path.format": "'minute'=mm/'second'=ss", "partition.duration.ms": "1000",
		"locale": "en", "timezone": "UTC", "rotate.max.age.ms": "1000", "flush.size": "100000", "s3.object.tagging": "true", "key.converter": "org.apache.kafka.connect.storage.StringConverter"}, ".json"},
	{"exact-devices", "qos2", map[string]string{"rotate.schedule.interval.ms": "1000", "timezone": "UTC", "flush.size": "100000",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter"}, ".json"},
}

// config is the body of a POST for the sink.
func (s *sink) config(bucket string) string {
	c := map[string]string{"connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": s.topic, "s3.bucket.name": bucket,
		"topics.dir": s.name, "format.class": "JsonFormat", "s3.retry.backoff.ms": "20", "retry.backoff.ms": "200", "consumer.override.session.timeout.ms": "6000"}
	for k, v := range s.settings {
		c[k] = v
	}
	return post(s.name, c)
}

func post(name string, config map[string]string) string {
	text, _ := json.Marshal(map[string]any{"name": name, "config": config})
	return string(text)
}

// run is what a test has.
type run struct {
	judge
	random *rand.Rand
	server *s3server.Server
	faulty *s3server.Faulty
	worker *worker
	broker *broker
	qos    [3]*device // by the QoS with which it publishes; none for 0

	kills, unknown, stops, s3Kills, s3Stops, brokerStops int
}

func number(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestKill kills the worker, kills the S3 server and restarts Mosquitto, while requests to S3 fail (I3, I7).
func TestKill(t *testing.T) {
	t.Parallel()
	rounds, seed := number(t, "SLUICE_KILL_ROUNDS", 6), number(t, "SLUICE_KILL_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("%d rounds, seed %d", rounds, seed)
	began := time.Now()
	r := newRun(t, uint64(seed))
	ctx, stop := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	for _, d := range r.qos[1:] {
		publishing.Go(func() {
			if err := d.run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range rounds {
		r.round()
		if (i+1)%20 == 0 {
			t.Logf("%d rounds after %.0f s", i+1, time.Since(began).Seconds())
		}
	}
	stop()
	publishing.Wait()
	t.Logf("%d rounds in %.0f s: the worker was killed %d times, %d of them when an upload was complete that it did not know of, and stopped %d times, the S3 server killed %d times and stopped %d times, Mosquitto restarted %d times",
		rounds, time.Since(began).Seconds(), r.kills, r.unknown, r.stops, r.s3Kills, r.s3Stops, r.brokerStops)
	r.checkFaults(rounds)
	r.check()
}

// round lets things go wrong in an order that nobody has planned, and the worker end in the midst of it.
func (r *run) round() {
	r.faulty.Share.Store(int32(r.random.IntN(200))) // of 1,000
	r.wait(300, 2100)
	s3Away := r.random.IntN(4) == 0
	if s3Away {
		r.endS3()
		r.wait(0, 700)
	}
	if r.random.IntN(4) == 0 {
		r.broker.End(syscall.SIGTERM) // with SIGKILL it would forget what it has acknowledged
		r.brokerStops++
		defer r.broker.start(r.t)
		r.wait(0, 300)
	}
	if r.random.IntN(10) == 0 {
		r.worker.End(syscall.SIGTERM)
		r.stops++
	} else {
		r.kill(!s3Away)
	}
	if s3Away && r.random.IntN(2) == 0 {
		r.startS3()
		s3Away = false
	}
	r.worker.start(r.t)
	if s3Away {
		r.wait(0, 700)
		r.startS3()
	}
}

// kill kills the worker, half of the times when it does not know yet that an upload of its own is complete: then that is committed, or its records come again.
func (r *run) kill(s3Here bool) {
	if s3Here && r.random.IntN(2) == 0 {
		select {
		case <-r.faulty.Completed:
			r.unknown++
		case <-time.After(2 * time.Second):
		}
	}
	r.worker.End(syscall.SIGKILL)
	r.kills++
}

func (r *run) wait(least, most int) {
	<-time.After(time.Duration(least+r.random.IntN(most-least)) * time.Millisecond)
}

// endS3 ends the S3 server, half of the times while it completes an upload.
func (r *run) endS3() {
	if r.random.IntN(2) == 0 {
		select {
		case <-r.faulty.Completing:
			<-time.After(time.Duration(r.random.IntN(4000)) * time.Microsecond)
		case <-time.After(2 * time.Second):
		}
	}
	if r.random.IntN(3) == 0 {
		r.server.End(syscall.SIGTERM)
		r.s3Stops++
		return
	}
	r.server.End(syscall.SIGKILL)
	r.s3Kills++
}

func (r *run) startS3() {
	if err := r.server.Again(); err != nil {
		r.t.Fatal(err)
	}
}

func newRun(t *testing.T, seed uint64) *run {
	t.Helper()
	r := &run{judge: judge{t: t}, random: rand.New(rand.NewPCG(seed, 1))}
	var err error
	if r.server, err = s3server.Start(s3server.Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.server.Stop() })
	if r.bucket, err = r.server.NewBucket(t.Context(), "kill"); err != nil {
		t.Fatal(err)
	}
	if r.faulty, err = s3server.NewFaulty(r.server.URL, seed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.faulty.Close)
	r.broker = newBroker(t)
	r.worker = newWorker(t, s3server.Env(r.faulty.URL), "", "--kafka", "127.0.0.1:0")
	r.log = r.worker
	r.worker.mustAsk(t, http.MethodPost, "/connectors", generator(1500, 3))
	r.qos[1], r.qos[2] = r.addDevice("qos1", 1, "5"), r.addDevice("qos2", 2, "3")
	for _, s := range sinks {
		r.worker.mustAsk(t, http.MethodPost, "/connectors", s.config(r.bucket.Name))
	}
	return r
}

// generator makes numbered rows.
func generator(perSecond, partitions int) string {
	return post("generator", map[string]string{
		"connector.class": "io.confluent.kafka.connect.datagen.DatagenConnector", "kafka.topic": "ratings", "quickstart": "ratings", "rows.per.second": strconv.Itoa(perSecond),
		"topic.creation.default.partitions": strconv.Itoa(partitions), "topic.creation.default.replication.factor": "1"})
}

// addDevice makes a device and the source that reads what it publishes.
func (r *run) addDevice(name string, qos int, version string) *device {
	r.worker.mustAsk(r.t, http.MethodPost, "/connectors", post(name+"-source", map[string]string{
		"connector.class": "io.confluent.connect.mqtt.MqttSourceConnector", "mqtt.server.uri": "tcp://" + r.broker.addr, "mqtt.topics": name + "/+",
		"mqtt.qos": strconv.Itoa(qos), "mqtt.version": version, "kafka.topic": name, "max.retry.time.ms": "500",
		"value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter", "key.converter": "org.apache.kafka.connect.storage.StringConverter"}))
	eventually(r.t, 2*time.Minute, func() error {
		if len(r.broker.lines(regexp.MustCompile(`^\d+: \S+ \d `+name+`/\+$`))) > 0 {
			return nil
		}
		return fmt.Errorf("nobody has subscribed to %s/+", name)
	})
	return &device{addr: r.broker.addr, id: name, qos: byte(qos)}
}
