package s3kill

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kgo"

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
	{"devices", "devices", map[string]string{"partitioner.class": "TimeBasedPartitioner", "path.format": "'minute'=mm/'second'=ss", "partition.duration.ms": "1000",
		"locale": "en", "timezone": "UTC", "rotate.max.age.ms": "1000", "flush.size": "100000", "s3.object.tagging": "true", "key.converter": "org.apache.kafka.connect.storage.StringConverter"}, ".json"},
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
	t      *testing.T
	random *rand.Rand
	bucket *s3server.Bucket
	faulty *s3server.Faulty
	worker *worker
	broker *broker
	sent   int // messages that Mosquitto has acknowledged, numbered from 0
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

// TestKill kills the server and restarts Mosquitto while an S3 server fails (I3, I7).
func TestKill(t *testing.T) {
	rounds, seed := number(t, "SLUICE_KILL_ROUNDS", 6), number(t, "SLUICE_KILL_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("%d kills, seed %d", rounds, seed)
	r := newRun(t, uint64(seed))
	ctx, stop := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	publishing.Go(func() { r.publish(ctx) })
	for i := range rounds {
		r.faulty.Share.Store(int32(r.random.IntN(200))) // of 1,000
		<-time.After(time.Duration(300+r.random.IntN(1800)) * time.Millisecond)
		if r.random.IntN(4) == 0 {
			r.broker.end(syscall.SIGTERM)
			r.broker.start(t)
		}
		if r.random.IntN(10) == 0 {
			r.worker.end(syscall.SIGTERM)
		} else {
			r.worker.end(syscall.SIGKILL)
		}
		r.worker.start(t)
		if (i+1)%20 == 0 {
			t.Logf("%d kills", i+1)
		}
	}
	stop()
	publishing.Wait()
	r.check()
}

func newRun(t *testing.T, seed uint64) *run {
	t.Helper()
	server, err := s3server.Start(s3server.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	r := &run{t: t, random: rand.New(rand.NewPCG(seed, 1))}
	if r.bucket, err = server.NewBucket(t.Context(), "kill"); err != nil {
		t.Fatal(err)
	}
	if r.faulty, err = s3server.NewFaulty(server.URL, seed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.faulty.Close)
	r.broker = newBroker(t)
	r.worker = newWorker(t, s3server.Env(r.faulty.URL))
	r.worker.mustAsk(t, http.MethodPost, "/connectors", post("generator", map[string]string{
		"connector.class": "io.confluent.kafka.connect.datagen.DatagenConnector", "kafka.topic": "ratings", "quickstart": "ratings", "rows.per.second": "1500",
		"topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "1"}))
	r.worker.mustAsk(t, http.MethodPost, "/connectors", post("devices-source", map[string]string{
		"connector.class": "io.confluent.connect.mqtt.MqttSourceConnector", "mqtt.server.uri": "tcp://" + r.broker.addr, "mqtt.topics": "d/+",
		"mqtt.qos": "1", "kafka.topic": "devices", "max.retry.time.ms": "500", "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter"}))
	eventually(t, 30*time.Second, func() error {
		if strings.Contains(r.broker.log.String(), "d/+") {
			return nil
		}
		return fmt.Errorf("nobody has subscribed")
	})
	for _, s := range sinks {
		r.worker.mustAsk(t, http.MethodPost, "/connectors", s.config(r.bucket.Name))
	}
	return r
}

// publish sends numbered messages with QoS 1 until ctx ends.
func (r *run) publish(ctx context.Context) {
	o := mqtt.NewClientOptions().AddBroker("tcp://" + r.broker.addr).SetClientID("device").SetCleanSession(false).
		SetAutoReconnect(true).SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond).SetMaxReconnectInterval(200 * time.Millisecond)
	client := mqtt.NewClient(o)
	defer client.Disconnect(100)
	if token := client.Connect(); !token.WaitTimeout(30*time.Second) || token.Error() != nil {
		r.t.Errorf("connect: %v", token.Error())
		return
	}
	for ctx.Err() == nil {
		if !publishAll(client, r.sent, 50) {
			r.t.Error("messages are not acknowledged for a minute")
			return
		}
		r.sent += 50
		<-time.After(50 * time.Millisecond)
	}
}

// publishAll sends messages from a number on until each is acknowledged. One whose connection ended while it was written is sent again:
// it may then come twice.
func publishAll(client mqtt.Client, from, n int) bool {
	left := make([]int, n)
	for i := range left {
		left[i] = from + i
	}
	for deadline := time.Now().Add(time.Minute); len(left) > 0; {
		tokens := make([]mqtt.Token, len(left))
		for i, number := range left {
			tokens[i] = client.Publish("d/"+strconv.Itoa(number%50), 1, false, fmt.Sprintf(`{"n":%d}`, number))
		}
		failed := left[:0]
		for i, token := range tokens {
			if !token.WaitTimeout(time.Until(deadline)) {
				return false
			}
			if token.Error() != nil {
				failed = append(failed, left[i])
			}
		}
		left = failed
	}
	return true
}

// check lets everything come to rest and compares.
func (r *run) check() {
	t := r.t
	for i := range r.faulty.Counts {
		t.Logf("fault %d came %d times", i, r.faulty.Counts[i].Load())
		if r.faulty.Counts[i].Load() == 0 && number(t, "SLUICE_KILL_ROUNDS", 0) > 20 {
			t.Errorf("fault %d never came: the test shows less than it should", i)
		}
	}
	r.faulty.Share.Store(0)
	r.worker.end(syscall.SIGKILL)
	r.worker.start(t)
	for _, name := range []string{"generator"} {
		r.worker.mustAsk(t, http.MethodPut, "/connectors/"+name+"/stop", "")
	}
	logs := map[string]map[string]int{}
	objects := make(map[string]map[string]int)
	eventually(t, 120*time.Second, func() error {
		for _, topic := range []string{"ratings", "devices"} {
			logs[topic] = r.records(topic)
		}
		if err := r.complete(logs); err != nil {
			return err
		}
		lines := make([]map[string]int, len(sinks))
		for i := range lines {
			lines[i] = make(map[string]int)
		}
		if err := r.count(objects, lines); err != nil {
			return err
		}
		for i, s := range sinks {
			if err := same(logs[s.topic], lines[i]); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		return nil
	})
	t.Logf("%d rows and %d messages, the same in %d objects", len(logs["ratings"]), len(logs["devices"]), len(objects))
	r.worker.end(syscall.SIGTERM)
	r.leftovers()
}

// records reads a topic to its end, committed records only, and counts values.
func (r *run) records(topic string) map[string]int {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.worker.Kafka), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	counts := make(map[string]int)
	for {
		ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
		fetches := client.PollFetches(ctx)
		ended := ctx.Err() != nil
		cancel()
		if ended {
			return counts
		}
		fetches.EachRecord(func(rec *kgo.Record) { counts[string(rec.Value)]++ })
	}
}

// complete tells whether the log has every row once and every message that was acknowledged.
func (r *run) complete(logs map[string]map[string]int) error {
	rows, messages := make(map[int64]int), make(map[int64]int)
	for text, n := range logs["ratings"] {
		var v struct {
			ID *int64 `json:"rating_id"`
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.ID == nil {
			r.t.Fatalf("not a row of the generator: %s", text)
		}
		rows[*v.ID] += n
	}
	for id := range int64(len(rows)) {
		if rows[id] != 1 {
			r.t.Fatalf("row %d of %d is %d times in the log", id, len(rows), rows[id])
		}
	}
	for text, n := range logs["devices"] {
		var v struct{ N int64 }
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			r.t.Fatalf("not a message of the devices: %s", text)
		}
		messages[v.N] += n
	}
	for n := range int64(r.sent) {
		if messages[n] == 0 {
			return fmt.Errorf("message %d of %d is not in the log", n, r.sent)
		}
	}
	return nil
}

// count adds up the lines of all objects, by sink. Objects that are known are not read again.
func (r *run) count(objects map[string]map[string]int, lines []map[string]int) error {
	keys, err := r.bucket.Keys(r.t.Context())
	if err != nil {
		return err
	}
	for _, key := range keys {
		for i, s := range sinks {
			if !strings.HasPrefix(key, s.name+"/"+s.topic+"/") || !strings.HasSuffix(key, s.counts) {
				continue
			}
			if strings.Contains(key, ".keys.") {
				continue
			}
			if objects[key] == nil {
				if objects[key], err = r.linesOf(key); err != nil {
					return err
				}
			}
			for line, n := range objects[key] {
				lines[i][line] += n
			}
		}
	}
	return nil
}

func (r *run) linesOf(key string) (map[string]int, error) {
	body, err := r.bucket.Read(r.t.Context(), key)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(key, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	counts := make(map[string]int)
	for line := range bytes.Lines(body) {
		counts[string(bytes.TrimSuffix(line, []byte("\n")))]++
	}
	return counts, nil
}

// same compares what the log has with the lines of objects.
func same(log, lines map[string]int) error {
	missing, doubled := 0, 0
	for text, n := range log {
		missing += max(n-lines[text], 0)
		doubled += max(lines[text]-n, 0)
	}
	invented := 0
	for text, n := range lines {
		if log[text] == 0 {
			invented += n
		}
	}
	if missing+doubled+invented > 0 {
		return fmt.Errorf("%d records are missing, %d once too often, %d not in the log", missing, doubled, invented)
	}
	return nil
}

// leftovers wants no upload that is neither complete nor aborted, no object of the sinks' own, and keys with every value's object.
func (r *run) leftovers() {
	t := r.t
	uploads, err := r.bucket.Uploads(t.Context())
	if err != nil || len(uploads) > 0 {
		t.Errorf("%d uploads are left: %v %v", len(uploads), err, uploads[:min(5, len(uploads))])
	}
	keys, err := r.bucket.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool)
	for _, key := range keys {
		all[key] = true
		if strings.Contains(key, "_sluice") {
			t.Errorf("an object of the sink's own is left: %s", key)
		}
	}
	for key := range all {
		if base, ok := strings.CutSuffix(key, ".json.gz"); ok && !strings.HasSuffix(base, ".keys") && !all[base+".keys.json.gz"] {
			t.Errorf("%s has no keys", key)
		}
	}
}
