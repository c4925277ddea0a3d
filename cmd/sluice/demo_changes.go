package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/convert"
)

// changeWatcher shows the first change events of each kind, read from the topics as any
// Kafka client would, with the schemas of the registry.
type changeWatcher struct {
	*demonstration
	addresses Addresses

	avro, json convert.Converter
	batch      *connect.Batch
	seen       map[string]int // by kind: how many were shown
}

const (
	cdcTopics = `^shop\.public\..*`
	shownText = 200 // bytes of an event that are shown
	// shownKinds are r, c, u, d, a tombstone and one with the new column.
	shownKinds = 6
	// newColumn is what the shop adds to a table while everything runs.
	newColumn = "loyalty"
)

func (w *changeWatcher) run(ctx context.Context) error {
	var err error
	if w.avro, err = convert.New(convert.AvroClass, false, map[string]string{"value.converter.schema.registry.url": "http://" + w.addresses.Registry}); err != nil {
		return err
	}
	if w.json, err = convert.New(convert.JSONClass, false, map[string]string{"value.converter.schemas.enable": "false", "value.converter.decimal.format": "NUMERIC"}); err != nil {
		return err
	}
	convert.Bind(ctx, w.avro)
	w.batch, w.seen = connect.NewBatch(1, 1<<20), map[string]int{}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.addresses.Kafka), kgo.ConsumeTopics(cdcTopics), kgo.ConsumeRegex(), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond), kgo.MetadataMinAge(50*time.Millisecond), kgo.MetadataMaxAge(100*time.Millisecond))
	if err != nil {
		return fmt.Errorf("make Kafka client: %w", err)
	}
	defer client.Close()
	for ctx.Err() == nil && len(w.seen) < shownKinds {
		for _, r := range client.PollFetches(ctx).Records() {
			if err := w.show(r); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	<-ctx.Done()
	return nil
}

// show shows a record if it is of a kind that was not seen.
func (w *changeWatcher) show(r *kgo.Record) error {
	if r.Value == nil {
		w.first(1, "tombstone", r, "tombstone")
		return nil
	}
	w.batch.Reset()
	schema, event, err := w.avro.ToConnect(w.batch, r.Topic, r.Value)
	if err != nil {
		return fmt.Errorf("read %s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	kind, shown, err := w.text(r.Topic, schema, event)
	if err != nil {
		return fmt.Errorf("show %s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if strings.Contains(shown, `"`+newColumn+`"`) && w.first(1, newColumn, r, shown) {
		w.say("schema %s-value has a new version with the field %s: curl http://%s/subjects/%s-value/versions", r.Topic, newColumn, w.addresses.Registry, r.Topic)
	}
	n := 1
	if kind == "r" { // of the snapshot
		n = shownRecords
	}
	w.first(n, kind, r, shown)
	return nil
}

// text shows a change event as its op and the row after the change, or before a delete.
func (w *changeWatcher) text(topic string, schema *connect.Schema, event connect.Value) (op, text string, err error) {
	at, row, before := schema.Index("op"), schema.Index("after"), schema.Index("before")
	if at < 0 || row < 0 || before < 0 {
		return "", "", errors.New("it is no change event")
	}
	cells := event.Cells()
	if cells[row].IsNull() {
		row = before
	}
	op = cells[at].Text()
	line, _, err := w.json.FromConnect([]byte(op+" "), topic, schema.Fields()[row].Schema, cells[row])
	return op, string(line), err
}

// first shows a record of a kind if it is one of the first n.
func (w *changeWatcher) first(n int, kind string, r *kgo.Record, text string) bool {
	if w.seen[kind] >= n {
		return false
	}
	w.seen[kind]++
	if len(text) > shownText {
		text = strings.ToValidUTF8(text[:shownText], "") + "…"
	}
	w.say("record %s[%d]@%d  %s", r.Topic, r.Partition, r.Offset, text)
	return true
}

// maxMetrics is how much of an answer with metrics is read.
const maxMetrics = 16 << 20

// scrape reads metrics, and adds up those of one name.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for metrics: %w", err)
	}
	defer resp.Body.Close()
	sums := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, maxMetrics))
	for lines.Scan() {
		sample, value, ok := strings.Cut(lines.Text(), "} ")
		name, _, labels := strings.Cut(sample, "{")
		if v, err := strconv.ParseFloat(value, 64); ok && labels && err == nil {
			sums[name] += v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return sums, nil
}
