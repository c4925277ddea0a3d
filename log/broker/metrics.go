package broker

import (
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/metrics"
	"github.com/sluice-data/sluice/log"
)

// apiMetrics counts the requests of one API key.
type apiMetrics struct {
	versions  []atomic.Int64 // requests answered, by version
	errors    [errorCodes]atomic.Int64
	totalTime metrics.Histogram // from the last byte of a request to the last of its answer
	paths     []errorPath       // of the response
}

// errorCodes is how many error codes are counted each on its own: from -1 on.
const errorCodes = 160

func newAPIMetrics(h *handler) *apiMetrics {
	return &apiMetrics{
		versions: make([]atomic.Int64, h.max+1),
		paths:    errorPaths(reflect.TypeOf(kmsg.ResponseForKey(int16(h.key))).Elem()),
	}
}

// observe counts a request whose answer is sent. It allocates nothing.
func (m *apiMetrics) observe(r *request) {
	if v := int(r.version); v >= 0 && v < len(m.versions) {
		m.versions[v].Add(1)
	}
	m.totalTime.Observe(time.Since(r.received))
	if r.response != nil {
		m.countErrors(m.paths, reflect.ValueOf(r.response).Elem())
	}
}

// errorPath leads to the error codes of a response.
type errorPath struct {
	field int
	below []errorPath // in the elements of the field; nil: the field is an error code
}

func errorPaths(t reflect.Type) []errorPath {
	var paths []errorPath
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.Name == "ErrorCode" && f.Type.Kind() == reflect.Int16:
			paths = append(paths, errorPath{field: i})
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			if below := errorPaths(f.Type.Elem()); below != nil {
				paths = append(paths, errorPath{i, below})
			}
		}
	}
	return paths
}

// countErrors counts every error code of a response, 0 too.
func (m *apiMetrics) countErrors(paths []errorPath, v reflect.Value) {
	for i := range paths {
		f := v.Field(paths[i].field)
		if paths[i].below == nil {
			m.errors[errorIndex(f.Int())].Add(1)
			continue
		}
		for j := range f.Len() {
			m.countErrors(paths[i].below, f.Index(j))
		}
	}
}

// errorIndex is the place of a code in errors; that of UNKNOWN_SERVER_ERROR (-1) for what Kafka does not know.
func errorIndex(code int64) int {
	if code < -1 || code+1 >= errorCodes {
		return 0
	}
	return int(code + 1)
}

// errorName is Kafka's name of a place in errors.
func errorName(i int) string {
	if i == 1 {
		return "NONE"
	}
	if known, ok := kerr.ErrorForCode(int16(i - 1)).(*kerr.Error); ok {
		return known.Message
	}
	return kerr.UnknownServerError.Message
}

// topicMetrics counts the traffic of one topic, or of all together.
type topicMetrics struct {
	messagesIn, bytesIn, bytesOut, bytesRejected                  atomic.Int64
	produceRequests, fetchRequests, failedProduces, failedFetches atomic.Int64
}

// traffic is the topicMetrics of every topic that was used.
type traffic struct {
	all topicMetrics

	mu     sync.RWMutex // guards topics
	topics map[[16]byte]*topicMetrics
}

// of returns the counters of a topic. There are as many as there are topics (I5): scrapes drop those of deleted ones.
func (t *traffic) of(topic *log.Topic) *topicMetrics {
	id := topic.ID()
	t.mu.RLock()
	m := t.topics[id]
	t.mu.RUnlock()
	if m != nil {
		return m
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if m = t.topics[id]; m == nil {
		if t.topics == nil {
			t.topics = map[[16]byte]*topicMetrics{}
		}
		m = new(topicMetrics)
		t.topics[id] = m
	}
	return m
}

// produced counts a batch that was appended.
func (t *traffic) produced(p *log.Partition, records, size int64) {
	for _, m := range [...]*topicMetrics{&t.all, t.of(p.Topic())} {
		m.produceRequests.Add(1)
		m.messagesIn.Add(records)
		m.bytesIn.Add(size)
	}
}

// refused counts a batch that was not; p is nil when there is no such partition.
func (t *traffic) refused(p *log.Partition, size int64) {
	t.all.produceRequests.Add(1)
	t.all.failedProduces.Add(1)
	t.all.bytesRejected.Add(size)
	if p != nil {
		m := t.of(p.Topic())
		m.produceRequests.Add(1)
		m.failedProduces.Add(1)
		m.bytesRejected.Add(size)
	}
}

// fetched counts the answer to a fetch of one partition; topic is nil when it failed because there is none.
func (t *traffic) fetched(topic *log.Topic, size int64, failed bool) {
	ms := [...]*topicMetrics{&t.all, nil}
	if topic != nil {
		ms[1] = t.of(topic)
	}
	for _, m := range ms {
		if m == nil {
			continue
		}
		m.fetchRequests.Add(1)
		m.bytesOut.Add(size)
		if failed {
			m.failedFetches.Add(1)
		}
	}
}

// topic is what is reported about one topic.
type topicTraffic struct {
	name string
	*topicMetrics
}

// list returns the counters of the topics that exist, and forgets the others.
func (t *traffic) list(l *log.Log) []topicTraffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []topicTraffic
	for id, m := range t.topics {
		if topic, ok := l.TopicByID(id); ok {
			all = append(all, topicTraffic{topic.Name(), m})
		} else {
			delete(t.topics, id)
		}
	}
	return all
}
