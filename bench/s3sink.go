package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/test/s3server"
)

// sinkContest is what is compared of our sink and another: formats and the rows that
// are written in them.
type sinkContest struct {
	formats []lakeFormat
	values  func(own *server) map[string]string // the converter that the rows are made with
	other   sinkSystem
}

// camelContest is of a sink that test/conformance/s3sink.sh fetches. It writes the values of
// records as they come, so there is one format: text. It commits offsets before it sends an
// object, puts nothing between records, and has at most 10,000 in an object, which it sends
// as a part of that number.
var camelContest = sinkContest{
	formats: []lakeFormat{{"JSON text as it is", map[string]string{"format.class": "ByteArrayFormat", "format.bytearray.extension": ".json", "flush.size": "10000",
		"value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"}}},
	values: func(*server) map[string]string {
		return map[string]string{"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}
	},
	other: sinkSystem{"Kafka Connect and Camel's sink on Kafka", func(ctx context.Context, b *bench, l *sinkLab) (*server, error) {
		return b.startConnect(ctx, l.kafka, connectWorker{"camel", b.s3sink, []string{"-Xms256m", "-Xmx1g"}, fetchProperties})
	}, camelSink},
}

// aivenContest is of Aiven's sink, whose class path has to be made by hand.
var aivenContest = sinkContest{
	formats: lakeFormats,
	values:  avroValues,
	other: sinkSystem{"Kafka Connect and Aiven's sink on Kafka", func(ctx context.Context, b *bench, l *sinkLab) (*server, error) {
		// It holds what it has read in its heap until the worker commits.
		return b.startConnect(ctx, l.kafka, connectWorker{"aiven", b.s3sink, []string{"-Xms256m", "-Xmx1g"}, "offset.flush.interval.ms=2000\n" + fetchProperties})
	}, aivenSink},
}

// aivenFormats are the settings of Aiven's sink for lakeFormats.
var aivenFormats = map[string]map[string]string{
	"JSON":           {"format.output.type": "jsonl", "file.compression.type": "none"},
	"JSON gzip":      {"format.output.type": "jsonl", "file.compression.type": "gzip"},
	"Avro snappy":    {"format.output.type": "avro", "file.compression.type": "none", "avro.codec": "snappy"},
	"Parquet snappy": {"format.output.type": "parquet", "file.compression.type": "snappy"},
}

// fetchProperties let the worker take larger batches than by default.
const fetchProperties = `consumer.max.poll.records=5000
consumer.fetch.min.bytes=100000
consumer.max.partition.fetch.bytes=4194304
`

// sinkLab is what the sinks that are compared share: the rows in Sluice's own log and in
// a Kafka, one registry and one S3 server.
type sinkLab struct {
	own      *server // Sluice, with the registry
	kafka    *server
	s3       *s3server.Server
	requests string // file with a line for each request
	dir      string // a folder in it for each bucket
	buckets  int    // made so far
	asJSON   float64
}

// sinkSystem is a worker and the log that it reads.
type sinkSystem struct {
	name   string
	start  func(ctx context.Context, b *bench, l *sinkLab) (*server, error)
	config func(l *sinkLab, f lakeFormat, bucket string) map[string]string
}

// ownSystems are compared with another.
var ownSystems = []sinkSystem{
	{"Sluice, own log", func(_ context.Context, _ *bench, l *sinkLab) (*server, error) { return l.own, nil }, sluiceSink},
	{"Sluice on Kafka", func(ctx context.Context, b *bench, l *sinkLab) (*server, error) {
		s, err := b.startSluice(ctx, filepath.Join(b.dir, "worker"), "--bootstrap-servers", l.kafka.Kafka)
		if err == nil {
			s.Kafka = l.kafka.Kafka
		}
		return s, err
	}, sluiceSink},
}

// compareSinks prints a row for each format.
func compareSinks(ctx context.Context, b *bench, classpathFile string, match *regexp.Regexp) error {
	classpath, err := readClasspath(classpathFile)
	if err != nil {
		return err
	}
	contest := camelContest
	if strings.Contains(b.s3sink, "s3-connector-for-apache-kafka") || strings.Contains(b.s3sink, "aiven") {
		contest = aivenContest
	}
	l, stop, err := b.newSinkLab(ctx, &apacheKafka{classpath: classpath}, &contest)
	if err != nil {
		return err
	}
	defer stop()
	systems := append(ownSystems, contest.other)
	fmt.Print("| Objects |")
	for _, s := range systems {
		fmt.Printf(" %s |", s.name)
	}
	fmt.Println("\n|---|---|---|---|")
	failed := 0
	for _, f := range contest.formats {
		if match.MatchString(f.name) {
			failed += printRow(f.name, systems, func(s sinkSystem) (string, error) { return l.measure(ctx, b, &s, f) })
		}
	}
	return unmeasured(failed)
}

// newSinkLab fills the topic rows in both logs with the same records.
func (b *bench) newSinkLab(ctx context.Context, k *apacheKafka, c *sinkContest) (l *sinkLab, stop func(), err error) {
	l = &sinkLab{dir: filepath.Join(b.dir, "s3"), requests: filepath.Join(b.dir, "requests")}
	stop = func() {
		if l.s3 != nil {
			l.s3.Stop()
		}
		for _, s := range []*server{l.kafka, l.own} {
			if s != nil {
				s.stop()
			}
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	if err := os.Mkdir(l.dir, 0o700); err != nil {
		return nil, nil, err
	}
	if l.s3, err = s3server.Start(s3server.Options{Dir: l.dir, AccessLog: l.requests}); err != nil {
		return nil, nil, err
	}
	if l.own, err = b.start(ctx); err != nil {
		return nil, nil, err
	}
	dataDir, err := os.MkdirTemp(b.dir, "kafka-")
	if err != nil {
		return nil, nil, err
	}
	if l.kafka, err = k.startIn(ctx, dataDir); err != nil {
		return nil, nil, err
	}
	if err := l.own.fillFrom(ctx, "rows", lakeRows, generator("rows", "orders", benchPartitions, lakeRows, 60, c.values(l.own))); err != nil {
		return nil, nil, err
	}
	if err := copyTopic(ctx, l.own, l.kafka, "rows", lakeRows); err != nil {
		return nil, nil, err
	}
	m, err := l.own.sinkRows(ctx, "size", c.formats[0].settings)
	l.asJSON = float64(m.bytes)
	return l, stop, err
}

// copyTopic copies n records, each into the partition that it was in.
func copyTopic(ctx context.Context, from, to *server, topic string, n int) error {
	if err := to.createTopic(ctx, topic, benchPartitions); err != nil {
		return err
	}
	in, err := from.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer out.Close()
	var lost error // written by the client's goroutine, read after Flush
	for n > 0 {
		fetches := in.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n--
			out.Produce(ctx, &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value}, func(_ *kgo.Record, err error) {
				if err != nil {
					lost = err
				}
			})
		})
	}
	if err := out.Flush(ctx); err != nil {
		return err
	}
	return lost
}

// measure drains the rows twice and measures the second time, when what is compiled at
// run time has been.
func (l *sinkLab) measure(ctx context.Context, b *bench, system *sinkSystem, f lakeFormat) (string, error) {
	s, err := system.start(ctx, b, l)
	if err != nil {
		return "", err
	}
	if s != l.own {
		defer s.stop()
	}
	var m sinkRun
	for pass := range 2 {
		l.buckets++
		name := fmt.Sprint("bucket-", l.buckets)
		if m, err = l.drain(ctx, s, name, system.config(l, f, name)); err != nil {
			return "", fmt.Errorf("pass %d: %w", pass+1, err)
		}
	}
	return fmt.Sprintf("%s, %s, %.1f µs of CPU a record, %s, %.1f requests an object", perSecond(lakeRows/m.took.Seconds()), megabytes(l.asJSON/m.took.Seconds()),
		float64(m.cpu.Microseconds())/lakeRows, megabyteSize(m.peak), m.requests), nil
}

// drain writes the rows to a bucket with a connector of the same name.
func (l *sinkLab) drain(ctx context.Context, s *server, name string, config map[string]string) (m sinkRun, err error) {
	if _, err := l.s3.NewBucket(ctx, name); err != nil {
		return m, err
	}
	if m, err = s.timeSink(ctx, name, config); err != nil {
		return m, err
	}
	if err := s.remove(name); err != nil {
		return m, err
	}
	requests, objects, err := l.count(name)
	m.requests = float64(requests) / float64(objects)
	return m, err
}

// waitForSink waits until a sink has committed n records in all, or its task has failed.
func (s *server) waitForSink(ctx context.Context, name string, n int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		cancel(poll(ctx, time.Hour, func(ctx context.Context) (bool, error) {
			text, err := s.status(ctx, name)
			if err == nil && strings.Contains(text, `"FAILED"`) {
				err = fmt.Errorf("the connector has failed: %.600s", text)
			}
			return false, err
		}))
	}()
	if err := s.waitForGroup(ctx, "connect-"+name, n); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// status is what the worker tells of a connector; nothing while there is none.
func (s *server) status(ctx context.Context, name string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Rest+"/connectors/"+name+"/status", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// largest watches the resident size of the server and returns the most that it saw.
func (s *server) largest(ctx context.Context) (most int64) {
	_ = poll(ctx, time.Hour, func(context.Context) (bool, error) {
		most = max(most, s.resident())
		return false, nil
	})
	return most
}

// count returns the requests that named a bucket and the objects in it.
func (l *sinkLab) count(bucket string) (requests, objects int, err error) {
	text, err := os.ReadFile(l.requests)
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(" /"+bucket+"/")) && bytes.Contains(line, []byte("rows/")) {
			requests++ // not what a start asks about the bucket
		}
	}
	err = filepath.WalkDir(filepath.Join(l.dir, bucket), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && strings.HasPrefix(e.Name(), ".") {
			return fs.SkipDir // the server's own
		}
		if err == nil && e.Type().IsRegular() {
			objects++
		}
		return err
	})
	return requests, objects, err
}

func sluiceSink(l *sinkLab, f lakeFormat, bucket string) map[string]string {
	config := rowsConfig(l.own, l.s3.URL, "rows", f.settings)
	config["s3.bucket.name"], config["aws.access.key.id"], config["aws.secret.access.key"] = bucket, s3server.AccessKey, s3server.SecretKey
	return config
}

func camelSink(l *sinkLab, _ lakeFormat, bucket string) map[string]string {
	options := url.Values{"accessKey": {s3server.AccessKey}, "secretKey": {s3server.SecretKey}, "region": {s3server.Region}, "overrideEndpoint": {"true"}, "uriEndpointOverride": {l.s3.URL},
		"streamingUploadMode": {"true"}, "batchMessageNumber": {"10000"}, "batchSize": {"1000000000"}, "keyName": {"rows/part.json"}}
	return map[string]string{
		"connector.class": "org.apache.camel.kafkaconnector.CamelSinkConnector", "topics": "rows", "tasks.max": "1",
		"key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter", "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
		"camel.sink.url": "aws2-s3://" + bucket + "?" + options.Encode(), "consumer.override.auto.offset.reset": "earliest",
	}
}

func aivenSink(l *sinkLab, f lakeFormat, bucket string) map[string]string {
	config := map[string]string{
		"connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector", "topics": "rows", "tasks.max": "1",
		"key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter", "value.converter": "io.confluent.connect.avro.AvroConverter",
		"value.converter.schema.registry.url": "http://" + l.own.Schemas, "aws.s3.endpoint": l.s3.URL, "aws.s3.region": s3server.Region,
		"aws.s3.bucket.name": bucket, "aws.access.key.id": s3server.AccessKey, "aws.secret.access.key": s3server.SecretKey,
		"format.output.fields": "value", "format.output.envelope": "false", "file.max.records": "100000", "file.name.template": "{{topic}}/{{partition}}-{{start_offset}}",
		"consumer.override.auto.offset.reset": "earliest",
	}
	maps.Copy(config, aivenFormats[f.name])
	return config
}
