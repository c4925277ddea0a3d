package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// startDebezium runs a worker of Kafka Connect with Debezium on the log of s. What it
// answers is used as a server: connectors are created there, its processor time and
// memory are measured, and records are read from the log of s.
func (b *bench) startDebezium(ctx context.Context, s *server) (*server, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "debezium-")
	if err != nil {
		return nil, err
	}
	properties := filepath.Join(dir, "worker.properties")
	if err := os.WriteFile(properties, fmt.Appendf(nil, debeziumProperties, s.Kafka, ports[0]), 0o644); err != nil {
		return nil, err
	}
	d := &server{dataDir: dir, Kafka: s.Kafka, Rest: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	d.cmd = exec.CommandContext(ctx, "java", "-Xmx768m", "-server", "-cp", b.debezium, "org.apache.kafka.connect.cli.ConnectDistributed", properties)
	log, err := os.Create(filepath.Join(dir, "connect.log"))
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

// debeziumProperties are tuned as those who compare with Debezium tune it: large
// batches of the producer that wait a little; the connector's queues are larger too.
const debeziumProperties = `bootstrap.servers=%s
listeners=http://127.0.0.1:%d
group.id=debezium
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
config.storage.topic=debezium-configs
offset.storage.topic=debezium-offsets
status.storage.topic=debezium-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
producer.linger.ms=50
producer.batch.size=1048576
producer.buffer.memory=134217728
producer.max.request.size=8388608
plugin.discovery=service_load
`
