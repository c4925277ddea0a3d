package broker

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/internal/metrics/metricstest"
	"github.com/sluice-data/sluice/internal/vfs"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md")

func measuredServer(t testing.TB) (*server, *metrics.Registry) {
	r := &metrics.Registry{}
	return startServer(t, t.TempDir(), vfs.OS, func(c *Config) { c.Metrics = r }), r
}

// The page counts what clients do, under the names of Kafka's exporters.
func TestMetrics(t *testing.T) {
	s, r := measuredServer(t)
	s.createTopic("t", 2, nil)
	s.createTopic("gone", 1, nil)
	c := s.raw()
	batch := oneBatch(t, 3, 100)
	size := len(batch)
	ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, slices.Clone(batch)))
	ask[*kmsg.ProduceResponse](c, produceRequest("t", 1, slices.Clone(batch)))
	ask[*kmsg.ProduceResponse](c, produceRequest("t", 2, batch))       // refused
	ask[*kmsg.ProduceResponse](c, produceRequest("unknown", 1, batch)) // refused
	ask[*kmsg.ProduceResponse](c, produceRequest("gone", 1, batch))
	ask[*kmsg.FetchResponse](c, fetchRequest("t", 0, time.Second, 1, 1<<20))
	ask[*kmsg.FetchResponse](c, fetchRequest("t", 99, time.Second, 1, 1<<20)) // out of range
	ask[*kmsg.OffsetCommitResponse](c, commitRequest("t", 2))
	if err := s.log.DeleteTopic("gone"); err != nil {
		t.Fatal(err)
	}
	lines := metricstest.Scrape(t, r)
	for _, want := range []string{
		`kafka_server_brokertopicmetrics_messagesin_total 9`,
		`kafka_server_brokertopicmetrics_messagesin_total{topic="t"} 6`,
		fmt.Sprintf(`kafka_server_brokertopicmetrics_bytesin_total{topic="t"} %d`, 2*size),
		fmt.Sprintf(`kafka_server_brokertopicmetrics_bytesout_total{topic="t"} %d`, 2*size),
		`kafka_server_brokertopicmetrics_failedproducerequests_total 2`,
		`kafka_server_brokertopicmetrics_failedfetchrequests_total{topic="t"} 1`,
		`kafka_network_requestmetrics_requests_total{request="Produce",version="9"} 5`,
		`kafka_network_requestmetrics_requests_total{request="FetchConsumer",version="11"} 2`,
		`kafka_network_requestmetrics_errors_total{request="Produce",error="NONE"} 3`,
		`kafka_network_requestmetrics_errors_total{request="Produce",error="INVALID_REQUIRED_ACKS"} 1`,
		`kafka_network_requestmetrics_errors_total{request="Fetch",error="OFFSET_OUT_OF_RANGE"} 1`,
		`kafka_network_requestmetrics_totaltimems_count{request="Produce"} 5`,
		fmt.Sprintf(`kafka_log_log_size{topic="t",partition="0"} %d`, 2*size),
		`kafka_log_log_logendoffset{topic="t",partition="0"} 6`,
		`kafka_log_log_logendoffset{topic="t",partition="1"} 0`,
		`kafka_topic_partition_current_offset{topic="t",partition="0"} 6`,
		`kafka_topic_partitions{topic="t"} 2`,
		`kafka_consumergroup_lag{consumergroup="g",topic="t",partition="0"} 4`,
		`kafka_consumergroup_current_offset{consumergroup="g",topic="t",partition="0"} 2`,
		`kafka_consumergroup_lag_sum{consumergroup="g",topic="t"} 4`,
		`kafka_consumergroup_members{consumergroup="g"} 0`,
		`kafka_server_replicamanager_partitioncount 7`, // with those of __consumer_offsets
		`kafka_controller_kafkacontroller_activecontrollercount 1`,
		`kafka_controller_kafkacontroller_offlinepartitionscount 0`,
		`sluice_groups{state="Empty"} 1`,
	} {
		if !slices.Contains(lines, want) {
			name, _, _ := strings.Cut(want, " ")
			i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" ") })
			t.Errorf("no line %s, but %q", want, lines[max(i, 0)])
		}
	}
	for _, line := range lines {
		if strings.Contains(line, `"gone"`) {
			t.Errorf("a deleted topic is still shown: %s", line)
		}
	}
}

// Every family is on the page, once, and in docs/metrics.md.
func TestMetricsAreDocumented(t *testing.T) {
	_, r := measuredServer(t)
	metricstest.Documented(t, r, "../../docs/metrics.md", "broker", *update)
}

// Counting a request and its records allocates nothing.
func TestCountingAllocatesNothing(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 1, nil)
	topic, _ := s.log.Topic("t")
	p, _ := topic.Partition(0)
	m := s.handlers[kmsg.Produce].metrics
	resp := kmsg.NewPtrProduceResponse()
	resp.Topics = []kmsg.ProduceResponseTopic{{Partitions: make([]kmsg.ProduceResponseTopicPartition, 3)}}
	r := &request{version: 9, response: resp, received: time.Now()}
	for name, f := range map[string]func(){
		"request": func() { m.observe(r) },
		"produce": func() { s.traffic.produced(p, 1, 1) },
		"refused": func() { s.traffic.refused(p, 1) },
		"fetch":   func() { s.traffic.fetched(topic, 1, false) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if got := m.errors[1].Load(); got < 300 {
		t.Errorf("%d partitions without error were counted, want 3 for each request", got)
	}
}

func TestErrorsAreCountedInBounds(t *testing.T) {
	for code, want := range map[int64]string{0: "NONE", 1: "OFFSET_OUT_OF_RANGE", -1: "UNKNOWN_SERVER_ERROR", 9999: "UNKNOWN_SERVER_ERROR", -5: "UNKNOWN_SERVER_ERROR"} {
		if got := errorName(errorIndex(code)); got != want {
			t.Errorf("code %d is %s, want %s", code, got, want)
		}
	}
	for _, h := range handlers() {
		if len(newAPIMetrics(&h).paths) == 0 && h.key != kmsg.Produce {
			t.Errorf("no error codes are found in responses of %s", h.key.Name())
		}
	}
}

// BenchmarkScrape is the page of a broker with 5,000 partitions and a group that has committed to all of them.
func BenchmarkScrape(b *testing.B) {
	s, r := measuredServer(b)
	for i := range 50 {
		if _, err := s.log.CreateTopic(fmt.Sprintf("topic-%d", i), 100, nil); err != nil {
			b.Fatal(err)
		}
	}
	c := s.raw()
	for i := range 50 {
		q := commitRequest(fmt.Sprintf("topic-%d", i), 1)
		one := q.Topics[0].Partitions[0]
		q.Topics[0].Partitions = nil
		for one.Partition = range int32(100) {
			q.Topics[0].Partitions = append(q.Topics[0].Partitions, one)
		}
		ask[*kmsg.OffsetCommitResponse](c, q)
	}
	b.ReportMetric(float64(len(metricstest.Scrape(b, r))), "lines")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
