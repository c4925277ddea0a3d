package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	visibleRounds = 20
	visibleAge    = time.Second
	parallelFiles = 100
	parallelDelay = 50 * time.Millisecond // what S3 takes for a request
)

// visible measures how long after its age a file of one record is an object.
func visible(ctx context.Context, b *bench) (result, error) {
	s, st, cl, err := b.smallLake(ctx, map[string]string{"rotate.max.age.ms": fmt.Sprint(visibleAge.Milliseconds())})
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	defer st.close()
	defer cl.Close()
	var late []time.Duration
	for n := range visibleRounds {
		begin := time.Now()
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "bench", Value: []byte(`{"f":1}`)}).FirstErr(); err != nil {
			return result{}, err
		}
		if err := poll(ctx, time.Minute, func(context.Context) (bool, error) { return st.completed.Load() > int64(n), nil }); err != nil {
			return result{}, fmt.Errorf("wait for object %d: %w", n+1, err)
		}
		late = append(late, time.Since(begin)-visibleAge)
	}
	late = late[1:] // the first is with the start of the connector
	slices.Sort(late)
	return result{figure: fmt.Sprintf("%.0f ms after the age of %s, p50; at most %.0f ms", ms(percentile(late, 0.5)), visibleAge, ms(late[len(late)-1])),
		ratio: times(ms(late[len(late)-1]) / 500)}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// parallel measures how long a rotation of many files takes at a server that is slow to
// answer.
func parallel(ctx context.Context, b *bench) (result, error) {
	s, st, cl, err := b.smallLake(ctx, map[string]string{"flush.size": fmt.Sprint(parallelFiles), "rotate.max.age.ms": "-1",
		"partitioner.class": "FieldPartitioner", "partition.field.name": "f"})
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	defer st.close()
	defer cl.Close()
	var took []time.Duration
	for round := range 5 {
		var records []*kgo.Record
		for f := range parallelFiles {
			records = append(records, &kgo.Record{Topic: "bench", Value: fmt.Appendf(nil, `{"f":%d}`, f)})
		}
		st.delay.Store(int64(parallelDelay))
		begin := time.Now()
		if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return result{}, err
		}
		err := poll(ctx, time.Minute, func(context.Context) (bool, error) { return st.completed.Load() >= int64((round+1)*parallelFiles), nil })
		if err != nil {
			return result{}, fmt.Errorf("wait for %d objects, of which there are %d: %w", (round+1)*parallelFiles, st.completed.Load(), err)
		}
		took = append(took, time.Since(begin))
	}
	took = took[1:] // the first is with the start of the connector
	return result{figure: fmt.Sprintf("%.2f s of %d requests, %.2f s the slowest", slices.Min(took).Seconds(), 3*parallelFiles, slices.Max(took).Seconds()),
		limit: fmt.Sprintf("%.0f s one after the other", (3 * parallelFiles * parallelDelay).Seconds()), ratio: times(slices.Max(took).Seconds() / 2)}, nil
}

// smallLake starts a sink on a topic of one partition.
func (b *bench) smallLake(ctx context.Context, settings map[string]string) (s *server, st *store, cl *kgo.Client, err error) {
	if s, err = b.start(ctx); err != nil {
		return nil, nil, nil, err
	}
	st = newStore()
	err = s.createTopic(ctx, "bench", 1)
	if err == nil {
		config := s3Config(st.http.URL, "bench")
		for k, v := range settings {
			config[k] = v
		}
		err = s.create("lake", config)
	}
	if err == nil {
		cl, err = s.client(kgo.ProducerLinger(0))
	}
	if err != nil {
		st.close()
		s.stop()
	}
	return s, st, cl, err
}
