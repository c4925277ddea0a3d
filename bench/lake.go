package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// lakeRows is how many rows a topic of the rows below has.
const lakeRows = 1_000_000

// fillRows lets the generator make rows of a kind, as Avro.
func fillRows(ctx context.Context, s *server, topic, quickstart string, partitions, rows, payload int) error {
	return s.fillFrom(ctx, topic, rows, generator(topic, quickstart, partitions, rows, payload, avroValues(s)))
}

// generator is the config of a generator of rows of a kind, with a converter.
func generator(topic, quickstart string, partitions, rows, payload int, converter map[string]string) map[string]string {
	config := map[string]string{
		"connector.class": "io.confluent.kafka.connect.datagen.DatagenConnector", "kafka.topic": topic, "quickstart": quickstart,
		"iterations": strconv.Itoa(rows), "max.interval": "0", "payload.bytes": strconv.Itoa(payload), "tasks.max": "1",
		"topic.creation.default.partitions": strconv.Itoa(partitions), "topic.creation.default.replication.factor": "1",
	}
	maps.Copy(config, converter)
	return config
}

// avroValues is a converter with the schemas of a server.
func avroValues(s *server) map[string]string {
	return map[string]string{"value.converter": "io.confluent.connect.avro.AvroConverter", "value.converter.schema.registry.url": "http://" + s.Schemas}
}

// fillFrom runs a source until its topic has so many records.
func (s *server) fillFrom(ctx context.Context, topic string, records int, config map[string]string) error {
	if err := s.create("fill-"+topic, config); err != nil {
		return err
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	return poll(ctx, 5*time.Minute, func(ctx context.Context) (bool, error) {
		offsets, err := admin.ListCommittedOffsets(ctx, topic)
		if err != nil || offsets.Error() != nil {
			return false, nil // the topic is not there yet
		}
		sum := int64(0)
		offsets.Each(func(o kadm.ListedOffset) { sum += o.Offset })
		return sum >= int64(records), nil // with a control record for each transaction
	})
}

// lakeFormat is a format of objects.
type lakeFormat struct {
	name     string
	settings map[string]string
}

// lakeFormats are what rows in Avro are written as.
var lakeFormats = []lakeFormat{
	{"JSON", map[string]string{"format.class": "JsonFormat"}},
	{"JSON gzip", map[string]string{"format.class": "JsonFormat", "s3.compression.type": "gzip"}},
	{"Avro snappy", map[string]string{"format.class": "AvroFormat", "avro.codec": "snappy"}},
	{"Parquet snappy", map[string]string{"format.class": "ParquetFormat"}},
}

// rowsToS3 writes a topic of Avro rows as objects of each format. The record data is what the rows are as JSON text, for all formats.
func rowsToS3(ctx context.Context, b *bench) (result, error) {
	s, err := b.tracing().start(ctx)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	if err := fillRows(ctx, s, "rows", "orders", benchPartitions, lakeRows, 60); err != nil {
		return result{}, err
	}
	limit, err := bareUpload(ctx, b.seconds/2)
	if err != nil {
		return result{}, err
	}
	res, err := s.eachFormat(ctx)
	res.limit = megabytes(limit) + " of a bare uploader"
	return res, err
}

// clusterRowsToS3 is rowsToS3 by a worker that has no log of its own, as Kafka Connect's have none. A server of ours is the cluster.
func clusterRowsToS3(ctx context.Context, b *bench) (result, error) {
	cluster, err := b.start(ctx)
	if err != nil {
		return result{}, err
	}
	defer cluster.stop()
	if err := fillRows(ctx, cluster, "rows", "orders", benchPartitions, lakeRows, 60); err != nil {
		return result{}, err
	}
	dataDir, err := os.MkdirTemp(b.dir, "worker-")
	if err != nil {
		return result{}, err
	}
	worker := b.tracing()
	// The cluster's own worker is not in its group.
	worker.env = append(worker.env, "CONNECT_GROUP_ID=bench", "CONNECT_CONFIG_STORAGE_TOPIC=bench-configs", "CONNECT_OFFSET_STORAGE_TOPIC=bench-offsets", "CONNECT_STATUS_STORAGE_TOPIC=bench-status")
	s, err := worker.startSluice(ctx, dataDir, "--bootstrap-servers", cluster.Kafka, "--registry-url", "http://"+cluster.Schemas)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	s.Kafka, s.Schemas = cluster.Kafka, cluster.Schemas
	return s.eachFormat(ctx)
}

// tracing is a bench whose servers tell what they allocate.
func (b *bench) tracing() *bench {
	traced := *b
	traced.env = []string{gcTrace}
	return &traced
}

// eachFormat writes the topic rows once in each format, and before that once without being measured: in the first seconds of a process the collector is told to look more often,
// and what is compiled at run time has been.
func (s *server) eachFormat(ctx context.Context) (result, error) {
	var figures []string
	var asJSON float64
	if _, err := s.sinkRows(ctx, "lake-first", lakeFormats[0].settings); err != nil {
		return result{}, err
	}
	for _, f := range lakeFormats {
		m, err := s.sinkRows(ctx, "lake-"+strings.ReplaceAll(f.name, " ", "-"), f.settings)
		if err != nil {
			return result{}, fmt.Errorf("%s: %w", f.name, err)
		}
		if f.name == "JSON" {
			asJSON = float64(m.bytes)
		}
		figures = append(figures, fmt.Sprintf("%s: %s per core (%s), %s in all, %.1f requests an object, %.0f B allocated a record, peak %s", f.name, megabytes(asJSON/m.cpu.Seconds()),
			perSecond(lakeRows/m.cpu.Seconds()), megabytes(asJSON/m.took.Seconds()), m.requests,
			float64(m.allocated)/lakeRows, megabyteSize(m.peak)))
	}
	return result{figure: strings.Join(figures, "; ")}, nil
}

// sinkRun is what one sink took.
type sinkRun struct {
	bytes     int64
	cpu, took time.Duration
	requests  float64 // for an object
	peak      int64   // resident bytes of the worker
	allocated int64   // bytes, where the server says it
}

// sinkRows writes the topic rows with a sink of its own.
func (s *server) sinkRows(ctx context.Context, name string, settings map[string]string) (m sinkRun, err error) {
	st := newStore()
	defer st.close()
	config := rowsConfig(s, st.http.URL, "rows", settings)
	before, err := s.allocated()
	if err != nil {
		return m, err
	}
	if m, err = s.timeSink(ctx, name, config); err != nil {
		return m, err
	}
	if m.allocated, err = s.allocated(); err != nil {
		return m, err
	}
	m.allocated -= before
	m.bytes = st.bytes.Load()
	m.requests = float64(st.requests.Load()) / float64(st.uploads.Load())
	return m, s.remove(name)
}

// timeSink runs a sink until all rows are committed.
func (s *server) timeSink(ctx context.Context, name string, config map[string]string) (m sinkRun, err error) {
	watch, stop := context.WithCancel(ctx)
	defer stop()
	peak := make(chan int64)
	go func() { peak <- s.largest(watch) }()
	cpu, begin := s.cpu(), time.Now()
	if err = s.create(name, config); err == nil {
		err = s.waitForSink(ctx, name, lakeRows)
	}
	m.took, m.cpu = time.Since(begin), s.cpu()-cpu
	stop()
	m.peak = <-peak
	return m, err
}

func rowsConfig(s *server, url, topic string, settings map[string]string) map[string]string {
	config := s3Config(url, topic)
	config["flush.size"], config["rotate.max.age.ms"], config["rotate.idle.ms"] = "100000", "-1", "1000"
	maps.Copy(config, avroValues(s))
	maps.Copy(config, settings)
	return config
}

// remove deletes a connector.
func (s *server) remove(name string) error {
	req, err := http.NewRequest(http.MethodDelete, "http://"+s.Rest+"/connectors/"+name, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("delete %s: %s", name, res.Status)
	}
	return nil
}

// openFiles measures the memory of a sink with a file open for each value of a field.
func openFiles(format, quickstart, field string, files int) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		s, err := b.start(ctx)
		if err != nil {
			return result{}, err
		}
		defer s.stop()
		if err := fillRows(ctx, s, "wide", quickstart, 1, 30*files, 100); err != nil {
			return result{}, err
		}
		st := newStore()
		defer st.close()
		before := s.resident()
		if err := s.create("lake", rowsConfig(s, st.http.URL, "wide", map[string]string{"format.class": format, "flush.size": "10000000",
			"partitioner.class": "FieldPartitioner", "partition.field.name": field, "rotate.idle.ms": "3000"})); err != nil {
			return result{}, err
		}
		peak := int64(0)
		err = poll(ctx, 5*time.Minute, func(context.Context) (bool, error) {
			peak = max(peak, s.resident())
			return st.completed.Load() >= int64(files), nil
		})
		return result{figure: fmt.Sprintf("%s, %s before, %d objects", megabyteSize(peak), megabyteSize(before), st.completed.Load()), ratio: times(float64(peak) / 400e6)}, err
	}
}
