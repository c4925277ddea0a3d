package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// introduce says what runs and where.
func (d *demonstration) introduce(a Addresses) {
	source, sink := d.changes()
	fmt.Fprintf(d.out, `Sluice demo: %d simulated devices -> MQTT -> log -> S3, all in this process.

  MQTT broker  tcp://%-21s topic sensor/temperature, a reading per device and second
  Kafka        %-27s topic %s; try: kcat -b %s -t %s -C
  REST API     http://%-20s try: curl 'http://%s/connectors?expand=status'
  S3           http://%-20s bucket %s, as files in %s

The connectors are examples/configs/mqtt-source.json and s3-sink.json with these changes:
`, demoDevices, d.mqtt, a.Kafka, demoTopic, a.Kafka, demoTopic, a.REST, a.REST, d.s3, demoBucket,
		filepath.Join(d.dir, "s3", "buckets", demoBucket))
	for _, change := range append(source, sink...) {
		value := change[1]
		if change[0] == "aws.secret.access.key" {
			value = "[hidden]" // I6, as an example
		}
		fmt.Fprintf(d.out, "  %s = %s\n", change[0], value)
	}
	fmt.Fprintf(d.out, "\nCtrl-C ends the demo. Times are since its start.\n\n")
}

// farewell says what is left.
func (d *demonstration) farewell() {
	if d.keep == "" {
		fmt.Fprintln(d.out, "\nStopping. Nothing is left behind.")
		return
	}
	fmt.Fprintf(d.out, `
Stopping. Kept in %s: mqtt-source.json, s3-sink.json, the log in data, the objects in s3.
The MQTT broker and the S3 server end with the demo: put the addresses of your own into the two files, then go on with

  sluice server --data-dir %s %s %s
`, d.dir, filepath.Join(d.dir, "data"), filepath.Join(d.dir, "mqtt-source.json"), filepath.Join(d.dir, "s3-sink.json"))
}

// say prints a line with the time since the start.
func (d *demonstration) say(format string, args ...any) {
	d.printing.Lock()
	defer d.printing.Unlock()
	fmt.Fprintf(d.out, "%6.2f s  %s\n", time.Since(d.start).Seconds(), fmt.Sprintf(format, args...))
}

// watcher shows what arrives.
type watcher struct {
	*demonstration
	seen map[string]bool // objects that were shown
}

// shownRecords is how many records are shown before only objects are.
const shownRecords = 3

// records shows the first records of the topic, read as any Kafka client would.
func (w *watcher) records(ctx context.Context, kafka string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.ConsumeTopics(demoTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.AllowAutoTopicCreation(), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		return fmt.Errorf("make Kafka client: %w", err)
	}
	defer client.Close()
	for shown := 0; shown < shownRecords; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, r := range fetches.Records() {
			if shown++; shown <= shownRecords {
				w.say("record %s[%d]@%d  %s", r.Topic, r.Partition, r.Offset, r.Value)
			}
		}
	}
	<-ctx.Done()
	return nil
}

// objects shows each object of the bucket once.
func (w *watcher) objects(ctx context.Context) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		objects, err := w.store.Objects(demoBucket)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if w.seen[o.Key] {
				continue
			}
			w.seen[o.Key] = true
			text, err := w.store.Head(demoBucket, o.Key, 1<<20)
			if err != nil {
				return err
			}
			w.say("object %s  %d records, %d bytes", o.Key, bytes.Count(text, []byte{'\n'}), o.Bytes)
		}
	}
}
