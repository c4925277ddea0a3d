package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// lakeRows is how many rows a topic of the rows below has.
const lakeRows = 1_000_000

// fillRows lets the generator make rows of a kind, as Avro.
func fillRows(ctx context.Context, s *server, topic, quickstart string, partitions, rows, payload int) error {
	return s.fillFrom(ctx, topic, rows, map[string]string{
		"connector.class": "io.confluent.kafka.connect.datagen.DatagenConnector", "kafka.topic": topic, "quickstart": quickstart,
		"iterations": strconv.Itoa(rows), "max.interval": "0", "payload.bytes": strconv.Itoa(payload), "tasks.max": "1",
		"topic.creation.default.partitions": strconv.Itoa(partitions), "topic.creation.default.replication.factor": "1",
		"value.converter": "io.confluent.connect.avro.AvroConverter", "value.converter.schema.registry.url": "http://" + s.Schemas})
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

// lakeFormats are the formats of objects, each with its settings.
var lakeFormats = []struct {
	name     string
	settings map[string]string
}{
	{"JSON", map[string]string{"format.class": "JsonFormat"}},
	{"JSON gzip", map[string]string{"format.class": "JsonFormat", "s3.compression.type": "gzip"}},
	{"Avro snappy", map[string]string{"format.class": "AvroFormat", "avro.codec": "snappy"}},
	{"Parquet snappy", map[string]string{"format.class": "ParquetFormat"}},
}

// rowsToS3 writes a topic of Avro rows as objects of each format. The record data is what the rows are as JSON text, for all formats.
func rowsToS3(ctx context.Context, b *bench) (result, error) {
	s, err := b.start(ctx)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	if err := fillRows(ctx, s, "rows", "orders", benchPartitions, lakeRows, 60); err != nil {
		return result{}, err
	}
	var figures []string
	var asJSON float64
	for _, f := range lakeFormats {
		m, err := s.sinkRows(ctx, "lake-"+strings.ReplaceAll(f.name, " ", "-"), f.settings)
		if err != nil {
			return result{}, fmt.Errorf("%s: %w", f.name, err)
		}
		if f.name == "JSON" {
			asJSON = float64(m.bytes)
		}
		figures = append(figures, fmt.Sprintf("%s: %s per core (%s), %s in all, %.1f requests an object", f.name, megabytes(asJSON/m.cpu.Seconds()),
			perSecond(lakeRows/m.cpu.Seconds()), megabytes(asJSON/m.took.Seconds()), m.requests))
	}
	return result{figure: strings.Join(figures, "; ")}, nil
}

// sinkRun is what one sink took.
type sinkRun struct {
	bytes     int64
	cpu, took time.Duration
	requests  float64 // for an object
}

// sinkRows writes the topic rows with a sink of its own.
func (s *server) sinkRows(ctx context.Context, name string, settings map[string]string) (m sinkRun, err error) {
	st := newStore()
	defer st.close()
	config := rowsConfig(s, st, "rows", settings)
	cpu, begin := s.cpu(), time.Now()
	if err := s.create(name, config); err != nil {
		return m, err
	}
	if err := s.waitForGroup(ctx, "connect-"+name, lakeRows); err != nil {
		return m, err
	}
	m.took, m.cpu, m.bytes = time.Since(begin), s.cpu()-cpu, st.bytes.Load()
	m.requests = float64(st.requests.Load()) / float64(st.uploads.Load())
	return m, s.remove(name)
}

func rowsConfig(s *server, st *store, topic string, settings map[string]string) map[string]string {
	config := s3Config(st, topic)
	config["flush.size"], config["rotate.max.age.ms"], config["rotate.idle.ms"] = "100000", "-1", "1000"
	config["value.converter"], config["value.converter.schema.registry.url"] = "io.confluent.connect.avro.AvroConverter", "http://"+s.Schemas
	for k, v := range settings {
		config[k] = v
	}
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
		if err := s.create("lake", rowsConfig(s, st, "wide", map[string]string{"format.class": format, "flush.size": "10000000",
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
