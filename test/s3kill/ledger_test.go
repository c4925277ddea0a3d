package s3kill

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/test/s3server"
)

// lake is a log with a number of rows, and a sink that writes them to directories.
type lake struct {
	judge
	sink sink
}

func newLake(t *testing.T) *lake {
	t.Helper()
	server, err := s3server.Start(s3server.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	l := &lake{judge: judge{t: t}, sink: sink{name: "lake", topic: "ratings", counts: ".json", settings: map[string]string{"rotate.max.age.ms": "200", "flush.size": "100000"}}}
	if l.bucket, err = server.NewBucket(t.Context(), "lake"); err != nil {
		t.Fatal(err)
	}
	l.log = newWorker(t, s3server.Env(server.URL), "", "--kafka", "127.0.0.1:0")
	l.log.mustAsk(t, http.MethodPost, "/connectors", generator(1000, 1))
	l.log.mustAsk(t, http.MethodPost, "/connectors", l.config("lake", "lake"))
	l.more()
	return l
}

// config is that of the sink under a name, writing to a directory.
func (l *lake) config(name, dir string) string {
	config := l.sink.config(l.bucket.Name)
	return strings.Replace(strings.Replace(config, `"name":"lake"`, `"name":"`+name+`"`, 1), `"topics.dir":"lake"`, `"topics.dir":"`+dir+`"`, 1)
}

// more lets the generator make rows for a second.
func (l *lake) more() {
	l.log.mustAsk(l.t, http.MethodPut, "/connectors/generator/resume", "")
	<-time.After(time.Second)
	l.log.stopGenerator(l.t)
}

// want waits until the objects of some directories together have the rows from an offset on, each once.
func (l *lake) want(from int, dirs ...string) {
	l.t.Helper()
	eventually(l.t, time.Minute, func() error {
		log, objects, lines := make(counts), make(map[string]counts), make(counts)
		l.read("ratings", func(r *kgo.Record) {
			if r.Offset >= int64(from) {
				log.add(r.Value)
			}
		})
		if err := l.readObjects(objects); err != nil {
			return err
		}
		for _, dir := range dirs {
			for text, n := range (&sink{name: dir, topic: "ratings", counts: ".json"}).lines(objects) {
				lines[text] += n
			}
		}
		return same(log, lines)
	})
}

// awaitFailed waits until a connector's task has failed and its trace says something.
func (l *lake) awaitFailed(name, why string) {
	l.t.Helper()
	eventually(l.t, 2*time.Minute, func() error {
		text, err := l.log.ask(l.t.Context(), http.MethodGet, "/connectors/"+name+"/status", "")
		if err == nil && !strings.Contains(text, why) {
			err = fmt.Errorf("%s is %s, want %q", name, text, why)
		}
		return err
	})
}

// TestConnectorComesAgain deletes a sink and makes it again, in the same directory and in another, and under another name.
func TestConnectorComesAgain(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	l.want(0, "lake")
	l.log.mustAsk(t, http.MethodDelete, "/connectors/lake", "")
	l.more()
	l.log.mustAsk(t, http.MethodPost, "/connectors", l.config("lake", "lake")) // goes on where it was
	l.want(0, "lake")
	l.log.mustAsk(t, http.MethodPatch, "/connectors/lake/config", `{"topics.dir":"other"}`)
	l.more()
	l.want(0, "lake", "other")
	l.log.mustAsk(t, http.MethodPost, "/connectors", l.config("second", "lake")) // begins anew, and finds its objects
	l.awaitFailed("second", "behavior.on.existing.objects")
	l.log.mustAsk(t, http.MethodPost, "/connectors", l.config("third", "third"))
	l.want(0, "third")
	l.want(0, "lake", "other")
}

// TestOffsetsOfALake moves the consumer offsets of a sink back to the beginning and into the middle.
func TestOffsetsOfALake(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	l.want(0, "lake")
	for _, step := range []struct {
		dir, method, body string
		from              int
	}{
		{"again", http.MethodDelete, "", 0},
		{"behind", http.MethodPatch, `{"offsets":[{"partition":{"kafka_topic":"ratings","kafka_partition":0},"offset":{"kafka_offset":100}}]}`, 100},
	} {
		l.log.mustAsk(t, http.MethodPut, "/connectors/lake/stop", "")
		l.log.mustAsk(t, step.method, "/connectors/lake/offsets", step.body)
		l.log.mustAsk(t, http.MethodPatch, "/connectors/lake/config", `{"topics.dir":"`+step.dir+`"}`)
		l.log.mustAsk(t, http.MethodPut, "/connectors/lake/resume", "")
		l.want(step.from, step.dir)
	}
	l.want(0, "lake")
}

// TestStateThatCannotBeRead stops a sink whose state in the log is damaged, and says what to do.
func TestStateThatCannotBeRead(t *testing.T) {
	t.Parallel()
	l := newLake(t)
	l.want(0, "lake")
	var key []byte
	l.read("connect-sink-state", func(r *kgo.Record) { key = r.Key })
	client, err := kgo.NewClient(kgo.SeedBrokers(l.log.Kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l.log.mustAsk(t, http.MethodPut, "/connectors/lake/stop", "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "connect-sink-state", Key: key, Value: []byte(`{"offset":`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	l.log.mustAsk(t, http.MethodPut, "/connectors/lake/resume", "")
	l.awaitFailed("lake", "repair the record, or reset the connector's offsets")
	l.log.mustAsk(t, http.MethodPut, "/connectors/lake/stop", "")
	l.log.mustAsk(t, http.MethodDelete, "/connectors/lake/offsets", "")
	l.log.mustAsk(t, http.MethodPatch, "/connectors/lake/config", `{"topics.dir":"anew"}`)
	l.log.mustAsk(t, http.MethodPut, "/connectors/lake/resume", "")
	l.want(0, "anew")
}
