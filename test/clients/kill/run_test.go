package kill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/test/clients/history"
	"github.com/sluice-data/sluice/test/process"
)

const (
	// patience is how long anything may take that a healthy server does at once.
	patience      = 60 * time.Second
	defaultRounds = 10
	// interval is how long a worker rests between two sends.
	interval = 5 * time.Millisecond
)

// The topics. Each has its own writers.
const (
	topicKgo     = "kgo"      // franz-go, idempotent
	topicRd      = "rd"       // librdkafka, idempotent
	topicKeys    = "keys"     // franz-go, idempotent, compacted
	topicTxn     = "txn"      // both, in transactions
	topicFromKgo = "from-kgo" // copy of topicKgo by franz-go, exactly once
	topicFromRd  = "from-rd"  // copy of topicRd by librdkafka, exactly once
)

var partitions = map[string]int32{topicKgo: 4, topicRd: 4, topicKeys: 2, topicTxn: 3, topicFromKgo: 4, topicFromRd: 4}

// compacted topics roll and are cleaned all the time.
var configs = map[string]map[string]string{
	topicKeys: {"cleanup.policy": "compact", "segment.bytes": "65536", "min.cleanable.dirty.ratio": "0.01"},
}

// run is one run of the test.
type run struct {
	t    *testing.T
	s    *process.Server
	h    *history.History
	addr string

	mu     sync.Mutex // guards faults
	faults []string   // what clients say that no kill explains
}

func (r *run) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func TestMain(m *testing.M) {
	code := m.Run()
	process.Clean()
	os.Exit(code)
}

func TestKill(t *testing.T) {
	rounds := number(t, "SLUICE_KILL_ROUNDS", defaultRounds)
	seed := number(t, "SLUICE_KILL_SEED", int(time.Now().UnixNano()))
	s := process.New(t, "log.cleaner.backoff.ms=200") // so that it cleans between two kills
	r := &run{t: t, s: s, h: history.New(), addr: s.Addr}
	r.createTopics()

	begin := time.Now()
	writing, stopWriting := context.WithCancel(t.Context())
	reading, stopReading := context.WithCancel(t.Context())
	defer stopWriting()
	defer stopReading()
	var writers, readers sync.WaitGroup
	r.write(writing, &writers)
	r.read(reading, &readers)
	slowest := r.killAgain(rounds, rand.New(rand.NewPCG(uint64(seed), 0)))
	stopWriting()
	wait(t, "writers", &writers)
	r.drain()
	stopReading()
	wait(t, "readers", &readers)
	r.finish()
	took := time.Since(begin)
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	r.checkDirectory()

	found := r.h.Check()
	for _, a := range found {
		t.Error(a)
	}
	for _, f := range r.faults {
		t.Error(f)
	}
	if t.Failed() {
		r.keepDirectory(seed)
	}
	c := r.h.Counts()
	fmt.Printf("kill: %d kills in %v (seed %d, slowest start %v): %d of %d sends acknowledged, transactions %d committed, %d aborted, %d unknown; %d records in %d partitions, %d polled in %d readings, %d delivered to groups, %d samples; %d anomalies, %d faults\n",
		rounds, took.Round(time.Second), seed, slowest.Round(time.Millisecond), c.Acknowledged, c.Sends, c.Committed, c.Aborted, c.LeftOpen,
		c.RecordsInLog, c.Partitions, c.RecordsRead, c.Readings, c.Deliveries, c.Samples, len(found), len(r.faults))
}

func number(t *testing.T, env string, otherwise int) int {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s: %v", env, text, err)
	}
	return n
}

func wait(t *testing.T, who string, wg *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	select {
	case <-done:
	case <-time.After(2 * patience):
		t.Fatalf("%s do not come to an end", who)
	}
}

func (r *run) createTopics() {
	r.t.Helper()
	adm := kadm.NewClient(r.client())
	for topic, n := range partitions {
		overrides := map[string]*string{}
		for k, v := range configs[topic] {
			overrides[k] = &v
		}
		if _, err := adm.CreateTopic(r.t.Context(), n, 1, overrides, topic); err != nil {
			r.t.Fatalf("create topic %s: %v", topic, err)
		}
	}
}

// client is a franz-go client that ends with the test and outlives kills.
func (r *run) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.addr), kgo.MetadataMinAge(50 * time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
	}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(cl.CloseAllowingRebalance)
	return cl
}

// killAgain kills and starts the server and returns how long the slowest start
// took. Every fourth kill comes while the server is still starting.
func (r *run) killAgain(rounds int, random *rand.Rand) (slowest time.Duration) {
	for i := range rounds {
		early := i%4 == 3
		if !early {
			<-time.After(time.Duration(200+random.IntN(1300)) * time.Millisecond)
		}
		r.s.Kill()
		r.s.Start(r.t)
		if early {
			<-time.After(time.Duration(random.IntN(150)) * time.Millisecond)
			r.s.Kill()
			r.s.Start(r.t)
		}
		slowest = max(slowest, r.s.WaitReady(r.t))
	}
	return slowest
}

// keepDirectory keeps the data directory for those who look for the cause.
func (r *run) keepDirectory(seed int) {
	kept := filepath.Join(os.TempDir(), fmt.Sprint("sluice-kill-", seed))
	if err := os.Rename(r.s.Dir, kept); err != nil {
		r.t.Error(err)
		return
	}
	r.t.Logf("the data directory is kept: %s", kept)
}

// checkDirectory wants log.Check to find nothing.
func (r *run) checkDirectory() {
	report, err := log.Check(r.s.Dir+"/log", nil)
	if err != nil {
		r.t.Errorf("check log: %v", err)
	}
	for _, p := range report.Problems {
		r.t.Errorf("check log: %v", p)
	}
}
