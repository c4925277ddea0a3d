package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/loopback"
)

// apacheKafka starts single KRaft nodes.
type apacheKafka struct {
	classpath string
	configs   map[string]*string // of the topics that are measured
}

// startIn formats a data directory, if it is new, starts a node on it and waits
// until it answers.
func (k *apacheKafka) startIn(ctx context.Context, dataDir string) (*server, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s := &server{dataDir: dataDir, configs: k.configs, Kafka: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	properties := filepath.Join(dataDir, "server.properties")
	text := fmt.Sprintf(kafkaProperties, ports[0], ports[1], ports[0], ports[1], filepath.Join(dataDir, "data"))
	if err := os.WriteFile(properties, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dataDir, "data")); err != nil {
		format := exec.CommandContext(ctx, "java", "-cp", k.classpath, "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", properties)
		if out, err := format.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("format Kafka's data directory: %w: %s", err, out)
		}
	}
	// The heap of Kafka's own start script.
	s.cmd = exec.CommandContext(ctx, "java", "-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-cp", k.classpath, "kafka.Kafka", properties)
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	if err := poll(ctx, 3*time.Minute, s.answers); err != nil {
		s.stop()
		return nil, fmt.Errorf("wait until Kafka is ready: %w", err)
	}
	s.ready = time.Since(begin)
	return s, nil
}

const kafkaProperties = `process.roles=broker,controller
node.id=0
listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d
advertised.listeners=PLAINTEXT://127.0.0.1:%d
controller.listener.names=CONTROLLER
controller.quorum.voters=0@127.0.0.1:%d
log.dirs=%s
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
`

// freePorts returns n ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for len(ports) < n {
		port, err := loopback.FreePort()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports, nil
}

// answers reports whether every partition that the node has has a leader.
func (s *server) answers(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cl, err := s.client(kgo.RequestRetries(0))
	if err != nil {
		return false, err
	}
	defer cl.Close()
	q := kmsg.NewPtrMetadataRequest()
	resp, err := q.RequestWith(ctx, cl)
	if err != nil || len(resp.Brokers) == 0 {
		return false, nil
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 || p.Leader < 0 {
				return false, nil
			}
		}
	}
	return true, nil
}

// readClasspath reads the file that -kafka names.
func readClasspath(name string) (string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read -kafka: %w; test/conformance/classpath.sh makes it", err)
	}
	return strings.TrimSpace(string(text)), nil
}
