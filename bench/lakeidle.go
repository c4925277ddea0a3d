package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const idlePartitions = 1000

// idlePartitionsOfSink measures what a sink costs that has written a file of each
// partition and has nothing more to do.
func idlePartitionsOfSink(ctx context.Context, b *bench) (result, error) {
	s, err := b.start(ctx)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	if err := s.fillPartitions(ctx); err != nil {
		return result{}, err
	}
	if err := rest(ctx, idleRest); err != nil {
		return result{}, err
	}
	before := s.resident()
	st := newStore()
	defer st.close()
	config := s3Config(st.http.URL, "bench")
	config["rotate.idle.ms"] = "1000"
	if err := s.create("lake", config); err != nil {
		return result{}, err
	}
	if err := poll(ctx, 2*time.Minute, func(context.Context) (bool, error) { return st.completed.Load() >= idlePartitions, nil }); err != nil {
		return result{}, fmt.Errorf("%d of %d objects are there: %w", st.completed.Load(), idlePartitions, err)
	}
	if err := rest(ctx, idleRest); err != nil {
		return result{}, err
	}
	cpu := s.cpu()
	if err := rest(ctx, idleFor); err != nil {
		return result{}, err
	}
	cpu = s.cpu() - cpu
	more := s.resident() - before
	return result{
		figure: fmt.Sprintf("%s more than before the sink (%s), peak %s; %.1f %% of a core", megabyteSize(more), megabyteSize(before), megabyteSize(s.peakMemory()), 100*cpu.Seconds()/idleFor.Seconds()),
		limit:  "50 MB, 1 %",
		ratio:  times(float64(more) / 50e6),
	}, nil
}

// fillPartitions puts a record into each partition.
func (s *server) fillPartitions(ctx context.Context) error {
	if err := s.createTopic(ctx, "bench", idlePartitions); err != nil {
		return err
	}
	cl, err := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	var records []*kgo.Record
	for p := range idlePartitions {
		records = append(records, &kgo.Record{Topic: "bench", Partition: int32(p), Value: []byte(`{"f":1}`)})
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

// tasks compares sixteen tasks with one.
func tasks(ctx context.Context, b *bench) (result, error) {
	s, err := b.start(ctx)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	if err := fillRows(ctx, s, "rows", "orders", 16, lakeRows, 60); err != nil {
		return result{}, err
	}
	var rates []float64
	for _, tasks := range []string{"1", "16"} {
		m, err := s.sinkRows(ctx, "tasks-"+tasks, map[string]string{"format.class": "JsonFormat", "tasks.max": tasks})
		if err != nil {
			return result{}, err
		}
		rates = append(rates, lakeRows/m.took.Seconds())
	}
	return result{figure: perSecond(rates[1]) + " with 16 tasks", limit: perSecond(rates[0]) + " with one", ratio: times(rates[1] / rates[0])}, nil
}

// gcLine is what the runtime tells of a collection under GODEBUG=gctrace=1: the heap
// when it began, when it ended, and what of it is live.
var gcLine = regexp.MustCompile(`(\d+)->(\d+)->(\d+) MB`)

// allocated returns the bytes that the server has allocated up to its last collection,
// to a megabyte for each. It needs gcTrace in bench.env.
func (s *server) allocated() (bytesInAll int64, err error) {
	text, err := os.ReadFile(s.dataDir + ".log")
	if err != nil {
		return 0, err
	}
	live := int64(0)
	for line := range bytes.Lines(text) {
		m := gcLine.FindSubmatch(line)
		if m == nil || !bytes.HasPrefix(line, []byte("gc ")) {
			continue
		}
		begin, _ := strconv.ParseInt(string(m[1]), 10, 64)
		bytesInAll += (begin - live) << 20
		live, _ = strconv.ParseInt(string(m[3]), 10, 64)
	}
	return bytesInAll, nil
}

const gcTrace = "GODEBUG=gctrace=1"
