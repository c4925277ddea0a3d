package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What a soak loads the server with.
const (
	soakTopics     = 100
	soakPartitions = 10 // of each topic
	soakGroups     = 10 // each consumes a tenth of the topics
	soakProducers  = 4
	soakRate       = 2000 // records a second and producer
	soakTransactor = 2
	soakMemberLife = 20 * time.Second // then a group's second member leaves and a new one joins
)

// sample is what the server takes at one moment.
type sample struct {
	at                    time.Duration
	residentKB            int64
	descriptors, routines int64
	produced, consumed    int64
}

// soaker is the load and what it has counted.
type soaker struct {
	s                                    *server
	produced, consumed, commits, problem atomic.Int64
	lastError                            atomic.Value // string
}

// soak loads 1,000 partitions with plain and transactional producers and groups whose
// members come and go, samples the server every few seconds, and fails when what it
// takes in the last quarter is more than in the second.
func soak(ctx context.Context, b *bench, d time.Duration) error {
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	// Small segments that retention deletes: the disk stays flat too.
	small, bytes := "1048576", "2097152"
	s.configs = map[string]*string{"segment.bytes": &small, "retention.bytes": &bytes}
	for i := range soakTopics {
		if err := s.createTopic(ctx, soakTopic(i), soakPartitions); err != nil {
			return fmt.Errorf("create topics: %w", err)
		}
	}
	load := &soaker{s: s}
	running, stop := context.WithTimeout(ctx, d)
	defer stop()
	var wg sync.WaitGroup
	for i := range soakProducers {
		wg.Go(func() { load.keep(running, func(ctx context.Context) error { return load.produce(ctx, i) }) })
	}
	for i := range soakTransactor {
		wg.Go(func() { load.keep(running, func(ctx context.Context) error { return load.transact(ctx, i) }) })
	}
	for i := range soakGroups {
		wg.Go(func() { load.keep(running, func(ctx context.Context) error { return load.consume(ctx, i, 0) }) })
		wg.Go(func() {
			load.keep(running, func(ctx context.Context) error { return load.consume(ctx, i, soakMemberLife) })
		})
	}
	samples := load.watch(running, d)
	wg.Wait()
	return load.verdict(samples)
}

func soakTopic(i int) string { return fmt.Sprintf("soak-%03d", i) }

// keep runs a part of the load again and again until the soak ends.
func (l *soaker) keep(ctx context.Context, part func(context.Context) error) {
	for ctx.Err() == nil {
		if err := part(ctx); err != nil && ctx.Err() == nil {
			l.problem.Add(1)
			l.lastError.Store(err.Error())
		}
	}
}

// produce sends records to all topics at a steady rate.
func (l *soaker) produce(ctx context.Context, id int) error {
	cl, err := l.s.client(kgo.ProducerLinger(20 * time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	value := payloads(200)
	for i := id; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for range soakRate / 100 {
			i++
			cl.Produce(ctx, &kgo.Record{Topic: soakTopic(i % soakTopics), Key: []byte(strconv.Itoa(i)), Value: value[i%len(value)]}, l.count)
		}
	}
}

func (l *soaker) count(_ *kgo.Record, err error) {
	switch {
	case err == nil:
		l.produced.Add(1)
	case !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, kgo.ErrClientClosed):
		l.problem.Add(1)
		l.lastError.Store(err.Error())
	}
}

// transact makes small transactions, every third of which it aborts.
func (l *soaker) transact(ctx context.Context, id int) error {
	cl, err := l.s.client(kgo.TransactionalID("soak-"+strconv.Itoa(id)), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	for i := id; ctx.Err() == nil; i++ {
		if err := cl.BeginTransaction(); err != nil {
			return fmt.Errorf("begin transaction: %w", err)
		}
		for j := range 10 {
			cl.Produce(ctx, &kgo.Record{Topic: soakTopic((i + j*7) % soakTopics), Value: []byte("transaction")}, l.count)
		}
		if err := cl.Flush(ctx); err != nil {
			return err
		}
		if err := cl.EndTransaction(ctx, i%3 != 0); err != nil {
			return fmt.Errorf("end transaction: %w", err)
		}
	}
	return nil
}

// consume is a member of a group. It leaves after life, if that is not 0.
func (l *soaker) consume(ctx context.Context, id int, life time.Duration) error {
	if life > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, life)
		defer cancel()
	}
	var topics []string
	for i := id; i < soakTopics; i += soakGroups {
		topics = append(topics, soakTopic(i))
	}
	cl, err := l.s.client(kgo.ConsumerGroup("soak-"+strconv.Itoa(id)), kgo.ConsumeTopics(topics...), kgo.AutoCommitInterval(time.Second),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		l.consumed.Add(int64(fetches.NumRecords()))
	}
}

// watch samples the server until the soak ends, and prints a row each time.
func (l *soaker) watch(ctx context.Context, d time.Duration) []sample {
	fmt.Println("| After | Resident | Descriptors | Goroutines | Produced | Consumed |\n|---|---|---|---|---|---|")
	begin := time.Now()
	tick := time.NewTicker(max(d/120, 2*time.Second))
	defer tick.Stop()
	var samples []sample
	for {
		select {
		case <-ctx.Done():
			return samples
		case <-tick.C:
		}
		x := l.sample(ctx)
		x.at = time.Since(begin).Round(time.Second)
		samples = append(samples, x)
		fmt.Printf("| %v | %d MB | %d | %d | %d | %d |\n", x.at, x.residentKB>>10, x.descriptors, x.routines, x.produced, x.consumed)
	}
}

func (l *soaker) sample(ctx context.Context) sample {
	x := sample{produced: l.produced.Load(), consumed: l.consumed.Load(), routines: l.s.metric(ctx, "go_goroutines")}
	pid := l.s.cmd.Process.Pid
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
		_, rest, _ := strings.Cut(string(text), "VmRSS:")
		x.residentKB, _ = strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	}
	if fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		x.descriptors = int64(len(fds))
	}
	return x
}

// metric reads one value of GET /metrics; 0 when it is not there.
func (s *server) metric(ctx context.Context, name string) int64 {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Rest+"/metrics", nil)
	if err != nil {
		return 0
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int64(f)
		}
	}
	return 0
}

// verdict compares the last quarter of the samples with the second.
func (l *soaker) verdict(samples []sample) error {
	if len(samples) < 8 {
		return fmt.Errorf("%d samples are too few for a verdict: soak for longer", len(samples))
	}
	quarter := len(samples) / 4
	early, late := samples[quarter:2*quarter], samples[len(samples)-quarter:]
	fmt.Printf("\n%d records produced, %d consumed, %d errors", l.produced.Load(), l.consumed.Load(), l.problem.Load())
	if last, ok := l.lastError.Load().(string); ok {
		fmt.Printf(" (the last: %s)", last)
	}
	fmt.Println()
	var grown []string
	for _, c := range []struct {
		name  string
		slack int64 // above a tenth
		of    func(sample) int64
	}{
		{"resident KB", 8 << 10, func(x sample) int64 { return x.residentKB }},
		{"descriptors", 20, func(x sample) int64 { return x.descriptors }},
		{"goroutines", 20, func(x sample) int64 { return x.routines }},
	} {
		before, after := median(early, c.of), median(late, c.of)
		fmt.Printf("%s: %d in the second quarter, %d in the last\n", c.name, before, after)
		if after > before+before/10+c.slack {
			grown = append(grown, c.name)
		}
	}
	if len(grown) > 0 {
		return fmt.Errorf("not flat: %s", strings.Join(grown, ", "))
	}
	fmt.Println("flat")
	return nil
}

func median(samples []sample, of func(sample) int64) int64 {
	var values []int64
	for _, x := range samples {
		values = append(values, of(x))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
