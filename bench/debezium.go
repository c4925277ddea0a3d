package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// startDebezium runs a worker of Kafka Connect with Debezium on the log of s.
func (b *bench) startDebezium(ctx context.Context, s *server) (*server, error) {
	return b.startConnect(ctx, s, connectWorker{"debezium", b.debezium, []string{"-Xmx768m"}, debeziumProperties})
}

// connectWorker is a worker of Kafka Connect.
type connectWorker struct {
	name       string // of its group and topics
	classpath  string
	heap       []string
	properties string // beside the common ones
}

// startConnect runs a worker of Kafka Connect on the log of s. What it answers is used as
// a server: connectors are created there, its processor time and memory are measured, and
// records are read from the log of s.
func (b *bench) startConnect(ctx context.Context, s *server, w connectWorker) (*server, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, w.name+"-")
	if err != nil {
		return nil, err
	}
	properties := filepath.Join(dir, "worker.properties")
	text := strings.ReplaceAll(fmt.Sprintf(connectProperties, s.Kafka, ports[0]), "NAME", w.name) + w.properties
	if err := os.WriteFile(properties, []byte(text), 0o644); err != nil {
		return nil, err
	}
	d := &server{dataDir: dir, Kafka: s.Kafka, Rest: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	d.cmd = exec.CommandContext(ctx, "java", append(w.heap, "-server", "-cp", w.classpath, "org.apache.kafka.connect.cli.ConnectDistributed", properties)...)
	log, err := os.Create(dir + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Kafka Connect: %w", err)
	}
	if err := poll(ctx, 3*time.Minute, d.isReady); err != nil {
		d.stop()
		return nil, fmt.Errorf("wait until Kafka Connect is ready (log: %s): %w", log.Name(), err)
	}
	return d, nil
}

const connectProperties = `bootstrap.servers=%s
listeners=http://127.0.0.1:%d
group.id=NAME
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
config.storage.topic=NAME-configs
offset.storage.topic=NAME-offsets
status.storage.topic=NAME-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
`

// debeziumProperties are tuned as those who compare with Debezium tune it: large
// batches of the producer that wait a little; the connector's queues are larger too.
const debeziumProperties = `producer.linger.ms=50
producer.batch.size=1048576
producer.buffer.memory=134217728
producer.max.request.size=8388608
plugin.discovery=service_load
`
