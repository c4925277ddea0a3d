package connect_test

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	filesink "github.com/sluice-data/sluice/connectors/sink/file"
	filesource "github.com/sluice-data/sluice/connectors/source/file"
	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/engine/convert"
	"github.com/sluice-data/sluice/engine/rest"
	script "github.com/sluice-data/sluice/test/conformance/connect"
)

var update = flag.Bool("update", false, "write the differences that came into testdata")

// TestAnswersAsKafkaConnectDoes plays the scripts against the worker and compares
// the answers with those that Kafka's gave. What differs has to be in
// differences.txt beside the script, where "-" is Kafka's and "+" ours.
func TestAnswersAsKafkaConnectDoes(t *testing.T) {
	t.Run("testdata", func(t *testing.T) { compare(t, "testdata", fileStream()...) })
	t.Run("topics", func(t *testing.T) { compare(t, "testdata/topics", append(fileStream(), reporting())...) })
}

func compare(t *testing.T, dir string, plugins ...connect.Spec) {
	requests := read(t, dir, "script.txt")
	recorded := blocks(read(t, dir, "kafka.txt"))
	answers, err := worker(t, plugins).Play(requests)
	if err != nil {
		t.Fatal(err)
	}
	ours := blocks(script.Text(answers))
	if len(ours) != len(recorded) {
		t.Fatalf("%d answers, %d recorded ones: record them again", len(ours), len(recorded))
	}
	var different []string
	for i := range ours {
		if d := difference(recorded[i], ours[i]); d != "" {
			different = append(different, d)
		}
	}
	got := strings.Join(different, "\n\n") + "\n"
	if *update {
		if err := os.WriteFile(filepath.Join(dir, "differences.txt"), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := blocks(read(t, dir, "differences.txt"))
	for _, d := range different {
		if !slices.Contains(want, d) {
			t.Errorf("an answer differs from Kafka's:\n%s", d)
		}
	}
	for _, d := range want {
		if !slices.Contains(different, d) {
			t.Errorf("a listed difference is gone; remove it:\n%s", d)
		}
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks parts a file at empty lines and leaves out comments.
func blocks(text string) []string {
	var kept []string
	for _, b := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if !strings.HasPrefix(b, "#") {
			kept = append(kept, b)
		}
	}
	return kept
}

// difference returns what of two answers to a request is not the same.
func difference(kafka, ours string) string {
	if script.IsValidation(kafka) && script.IsValidation(ours) {
		kafka, ours = script.Validation(kafka, ours)
	}
	if kafka == ours {
		return ""
	}
	request, kafka, _ := strings.Cut(kafka, "\n")
	_, ours, _ = strings.Cut(ours, "\n")
	was, is := strings.Split(kafka, "\n"), strings.Split(ours, "\n")
	var b strings.Builder
	b.WriteString(request)
	for _, l := range was {
		if !slices.Contains(is, l) {
			fmt.Fprintf(&b, "\n- %s", l)
		}
	}
	for _, l := range is {
		if !slices.Contains(was, l) {
			fmt.Fprintf(&b, "\n+ %s", l)
		}
	}
	return b.String()
}

// fileStream are the file connectors, listed under the names that Kafka has for them.
func fileStream() []connect.Spec {
	specs := []connect.Spec{filesource.Spec, filesink.Spec}
	for i := range specs {
		specs[i].Class, specs[i].Aliases = specs[i].Aliases[0], nil
	}
	return specs
}

// worker starts a worker with an in-memory cluster that has the seed's records.
func worker(t *testing.T, plugins []connect.Spec) *script.Player {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	if err := script.Seed(t.Context(), opts...); err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "in.txt"), []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := engine.ConverterConfig{Class: convert.StringClass}
	w, err := engine.New(engine.Config{ClientOpts: opts, GroupID: "connect-cluster", WorkerID: "worker:8083", Plugins: plugins, KeyConverter: text, ValueConverter: text,
		OffsetFlushInterval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-w.Ready()
	srv := httptest.NewServer(rest.New(w))
	t.Cleanup(srv.Close)
	return &script.Player{Client: srv.Client(), URL: srv.URL, Files: files, Kafka: opts}
}
