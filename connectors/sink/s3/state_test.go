package s3

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// Groups of wideFiles files have a state that is too large for a record.
const wideFiles = 20

var wideConfig = map[string]string{"flush.size": fmt.Sprint(wideFiles), "partitioner.class": "FieldPartitioner", "partition.field.name": "o"}

func openWide(t *testing.T, srv *server, l ledger) *harness {
	t.Helper()
	h := mustOpen(t, srv, l, wideConfig)
	h.sink.stateBytes = 1 << 10
	return h
}

// stateObjects are the sink's own objects on the server.
func (s *server) stateObjects(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(s.keys(t), func(key string) bool { return !strings.Contains(key, "_sluice") })
}

// wantWide lets the next owner come, commit twice and go, and wants every record once and nothing of the sink's own.
func wantWide(t *testing.T, srv *server, l ledger, records int64) {
	t.Helper()
	h := openWide(t, srv, l)
	from := max(l[tp(0)].Offset, 0)
	if from < records {
		h.write(rawBatch(0, from, records, 20))
		h.poll("all records", func() bool {
			l.commit(h.prepare())
			if err := h.sink.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			return l[tp(0)].Offset == records
		})
	}
	for range 2 {
		l.commit(h.prepare())
		if err := h.sink.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.close()
	got := make(map[string]int)
	for key, body := range srv.objects(t) {
		if strings.Contains(key, "_sluice") {
			t.Errorf("%s is left", key)
			continue
		}
		for line := range strings.Lines(string(body)) {
			got[strings.TrimSpace(line)]++
		}
	}
	want := make(map[string]int)
	for o := range records {
		want[payload(o, 20)] = 1
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d records are visible, want %d, each once", len(got), records)
	}
	if uploads := srv.uploads(t); len(uploads) > 0 {
		t.Errorf("uploads are left: %v", uploads)
	}
}

// TestStateObjectCrashes stops the owner of a partition at each step of a state that is in an object (I3, I7).
func TestStateObjectCrashes(t *testing.T) {
	steps := []struct {
		name string
		act  func(t *testing.T, srv *server, h *harness, l ledger)
	}{
		{"the state is written and not committed", func(t *testing.T, srv *server, h *harness, _ ledger) {
			h.prepareUntil(wideFiles)
			if n := len(srv.stateObjects(t)); n != 1 {
				t.Errorf("%d objects with states, want 1", n)
			}
		}},
		{"committed and nothing visible", func(t *testing.T, srv *server, h *harness, l ledger) {
			l.commit(h.prepareUntil(wideFiles))
		}},
		{"the half of it is visible", func(t *testing.T, srv *server, h *harness, l ledger) {
			l.commit(h.prepareUntil(wideFiles))
			srv.inject("complete", wideFiles/2, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) { s3.ServeHTTP(w, r) })
			srv.inject("complete", -1, respond(http.StatusServiceUnavailable, "SlowDown"))
			h.sink.limits.stall = 0
			if err := h.sink.Apply(t.Context()); !connect.IsRetriable(err) {
				t.Errorf("Apply: %v", err)
			}
			h.poll("the half", func() bool { h.sink.collect(); return srv.count("complete") > wideFiles })
		}},
		{"all visible and the next state not committed", func(t *testing.T, _ *server, h *harness, l ledger) {
			h.commitAndApply(l, wideFiles)
		}},
		{"the next state committed and the object not deleted", func(t *testing.T, _ *server, h *harness, l ledger) {
			h.commitAndApply(l, wideFiles)
			l.commit(h.prepare())
		}},
		{"a commit that seemed to fail, and another Prepare", func(t *testing.T, srv *server, h *harness, l ledger) {
			l.commit(h.prepareUntil(wideFiles)) // it has happened, and the sink is not told
			h.write(rawBatch(0, wideFiles, 2*wideFiles, 20))
			h.prepareUntil(wideFiles)
			if n := len(srv.stateObjects(t)); n != 1 {
				t.Errorf("%d objects with states, want the one that is committed", n)
			}
		}},
		{"the answer to the state's PUT is lost", func(t *testing.T, srv *server, h *harness, l ledger) {
			srv.inject("put", 1, dropReply)
			h.poll("a state", func() bool {
				states, err := h.sink.Prepare(t.Context())
				if err != nil && !connect.IsRetriable(err) {
					t.Fatal(err)
				}
				l.commit(states)
				return len(states) == 1 && states[0].Offset == wideFiles
			})
		}},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			srv, l := newServer(t), ledger{}
			h := openWide(t, srv, l)
			h.sink.config.topicsDir = "topics"
			h.write(rawBatch(0, 0, wideFiles, 20))
			step.act(t, srv, h, l)
			srv.heal()
			crash(h)
			wantWide(t, srv, l, 2*wideFiles)
		})
	}
}

// crash ends a sink without a word to the server.
func crash(h *harness) {
	h.closed = true
	h.sink.cancel()
	h.sink.uploader.close()
}

// TestForeignUploadsStay keeps uploads of another connector that writes the same topic into the same directory (41).
func TestForeignUploadsStay(t *testing.T) {
	srv := newServer(t)
	st, err := newStore(t.Context(), newConfig(t, srv, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer st.idle()
	foreign := []string{
		"topics/iot/partition=0/iot+0+0000000000.avro",               // another format
		"topics/iot/country=de/iot+0+0000000000.json",                // another partitioner
		"topics/iot/partition=1/iot+1+0000000000.json",               // another task's
		"topics/iot/partition=0/iot+0+x.json",                        // no name of ours
		"topics/iot/extra/partition=0/iot+0+0000000000.json",         // another directory
		"topics/iot/partition=0/iot+0+0000000000.json.gz",            // compressed
		"topics/iot/partition=0/sub/iot+0+0000000000.json",           // deeper
		"topics/iot/partition=0/iot+0+0000000000.keys.json",          // keys
		"topics/iot-2/partition=0/iot-2+0+0000000000.json",           // another topic
		"other/iot/partition=0/iot+0+0000000000.json",                // another topics.dir
		"topics/iot/year=2026/month=01/iot+0+0000000000.json",        // by time
		"topics/iot/partition=00/iot+0+0000000000.json",              // nearly
		"topics/iot/schema_name=A/partition=0/iot+0+0000000000.json", // with an affix
	}
	own := []string{"topics/iot/partition=0/iot+0+0000000007.json", "topics/iot/tombstone/iot+0+0000000007.json"}
	for _, key := range slices.Concat(foreign, own) {
		if _, err := st.createUpload(t.Context(), newUpload(t.Context(), key)); err != nil {
			t.Fatal(err)
		}
	}
	h := mustOpen(t, srv, ledger{}, nil)
	h.prepare()
	h.apply()
	h.poll("own uploads", func() bool { h.sink.collect(); return len(srv.uploads(t)) <= len(foreign) })
	slices.Sort(foreign)
	got := srv.uploads(t)
	slices.Sort(got)
	if !slices.Equal(got, foreign) {
		t.Errorf("uploads left: %q\nwant %q", got, foreign)
	}
}

// TestCommittedUploadsAreSpared aborts nothing that was committed, completed by now or not.
func TestCommittedUploadsAreSpared(t *testing.T) {
	srv, w := wired(t)
	l := ledger{}
	first := mustOpen(t, srv, l, exactlyOnceConfig)
	first.write(rawBatch(0, 0, 4, 20))
	l.commit(first.prepareUntil(4))
	crash(first)
	next := mustOpen(t, srv, l, exactlyOnceConfig)
	next.prepare()
	next.apply()
	next.close()
	next.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.requests {
		if r.Method == http.MethodDelete && r.URL.Query().Has("uploadId") && !strings.Contains(r.URL.Path, "_sluice") {
			t.Errorf("%s was to be aborted", r.URL)
		}
	}
}

// TestOwnNames wants every name that the sink makes to be known as its own.
func TestOwnNames(t *testing.T) {
	cases := []map[string]string{
		{},
		{"topics.dir": "", "directory.delim": "_", "file.delim": "-", "filename.offset.zero.pad.width": "0", "s3.compression.type": "gzip"},
		{"partitioner.class": "FieldPartitioner", "partition.field.name": "a,b", "store.kafka.keys": "true", "store.kafka.headers": "true"},
		{"partitioner.class": "HourlyPartitioner", "locale": "en", "timezone": "UTC", "timestamp.extractor": "Record", "s3.schema.partition.affix.type": "PREFIX"},
		{"partitioner.class": "TimeBasedPartitioner", "path.format": "'it''s' EEEE, d. MMM YY G/hh:mm.SSS a/ZZZ", "partition.duration.ms": "1", "locale": "en", "timezone": "Europe/Berlin",
			"timestamp.extractor": "Record", "s3.schema.partition.affix.type": "SUFFIX"},
		{"partitioner.class": "sluice.TimeAndFieldPartitioner", "partition.field.name": "a", "path.format": "xxxx-'W'ww-e", "partition.duration.ms": "86400000", "locale": "en",
			"timezone": "+05:30", "timestamp.extractor": "Record"},
	}
	for _, changes := range cases {
		h := mustOpen(t, newServer(t), ledger{}, changes)
		names := h.sink.namesOf(tp(0))
		for _, text := range []string{`{"a":"x/y","b":"line\nbreak"}`, `{"a":null,"b":7}`} {
			for _, ms := range []int64{0, 1_700_000_000_123, -2, -62_200_000_000_000} {
				b := connect.NewBatch(1, 1<<10)
				b.From = tp(0)
				addRaw(b, 12, text)
				r := &b.Records()[0]
				r.Timestamp = ms
				if err := h.sink.locate(h.sink.partition(b), r); err != nil {
					t.Fatal(err)
				}
				for i := range h.sink.parts {
					if key := h.sink.objectKey(tp(0), string(h.sink.place.encoded), &h.sink.parts[i], r.Offset); names == nil || !names.MatchString(key) {
						t.Errorf("%v does not know its own %q by %v", changes, key, names)
					}
				}
			}
		}
	}
}

// TestProbeThatWasKilled takes what is left of it away.
func TestProbeThatWasKilled(t *testing.T) {
	srv := newServer(t)
	c := newConfig(t, srv, nil)
	st, err := newStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer st.idle()
	if _, err := st.createUpload(t.Context(), newUpload(t.Context(), c.probeKey(connect.SinkContext{Connector: "c"}))); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, srv, ledger{}, nil)
	if left := srv.uploads(t); len(left) > 0 {
		t.Errorf("uploads left: %v", left)
	}
}

// TestOffersWaitForTheBatch offers nothing of a batch that Write is not done with: when its partition goes meanwhile, the engine
// knows of none of it, and records that failed are not reported yet.
func TestOffersWaitForTheBatch(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, map[string]string{"flush.size": "4", "buffer.memory.max": "20971520", "s3.part.size": "5242880"})
	srv.inject("part", -1, respond(http.StatusServiceUnavailable, "SlowDown"))
	b := rawBatch(0, 0, 8, 4<<20)
	h.sink.limits.stall = 0
	if err := h.sink.Write(t.Context(), b); !connect.IsRetriable(err) {
		t.Fatalf("Write with no memory left: %v", err)
	}
	srv.heal()
	h.poll("parts", func() bool { h.sink.collect(); return h.sink.steps == 0 })
	for _, st := range h.prepare() {
		if st.Offset > 0 || strings.Contains(string(st.State), "complete") {
			t.Errorf("offered in the middle of a batch: offset %d, %.100s", st.Offset, st.State)
		}
	}
	h.sink.limits.stall = patience
	h.write(b)
	h.commitAndApply(l, 8)
}

// TestStateObjectThatIsGone says so, and nothing of the bucket, which is there.
func TestStateObjectThatIsGone(t *testing.T) {
	srv := newServer(t)
	l := ledger{tp(0): {PartitionOffset: connect.PartitionOffset{TopicPartition: tp(0), Offset: 4},
		State: json.RawMessage(`{"list":"topics/_sluice-state/c/iot/0/GONE"}`)}}
	_, err := openOnce(t, srv, l, nil)
	if err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), "_sluice-state/c/iot/0/GONE") || !strings.Contains(err.Error(), "reset the connector's offsets") ||
		strings.Contains(err.Error(), "s3.bucket.name") {
		t.Errorf("Restore = %v, want a plain error with the object and what to do, and no other", err)
	}
}

// TestStateOfAnotherBucket says where what was committed is when the bucket was changed before it became visible, and makes it visible there.
func TestStateOfAnotherBucket(t *testing.T) {
	for name, open := range map[string]func(srv *server, l ledger, changes map[string]string) (*harness, error){
		"uploads": func(srv *server, l ledger, changes map[string]string) (*harness, error) {
			return openOnce(t, srv, l, changes)
		},
		"an object with the state": func(srv *server, l ledger, changes map[string]string) (*harness, error) {
			h, err := openOnce(t, srv, l, changes)
			h.sink.stateBytes = 10
			return h, err
		},
	} {
		srv, l := newServer(t), ledger{}
		if err := srv.backend.CreateBucket("other"); err != nil {
			t.Fatal(err)
		}
		h, err := open(srv, l, map[string]string{"flush.size": "4"})
		if err != nil {
			t.Fatal(err)
		}
		h.write(rawBatch(0, 0, 4, 20))
		l.commit(h.prepareUntil(4))
		crash(h)
		if _, err = open(srv, l, map[string]string{"flush.size": "4", "s3.bucket.name": "other"}); err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), testBucket) ||
			!strings.Contains(err.Error(), "s3.bucket.name") {
			t.Errorf("%s: Restore with another bucket = %v, want a plain error with both", name, err)
		}
		if h, err = open(srv, l, map[string]string{"flush.size": "4"}); err != nil {
			t.Fatal(err)
		}
		l.commit(h.prepare())
		h.apply()
		h.close()
		h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
	}
}

// TestCheckKey has names that S3, or the XML of its answers, does not take.
func TestCheckKey(t *testing.T) {
	for key, want := range map[string]string{
		"topics/iot/a=b c+ü/x":                 "",
		"topics/iot/a=b\nc\td/x":               "",
		"topics/iot/a=./x":                     "",
		"topics/iot/a=.../..b/x":               "",
		strings.Repeat("x", 1025):              "1025 bytes",
		"topics/iot/a=\xff/x":                  "not be UTF-8",
		"topics/iot/a=\x00/x":                  "U+0000",
		"topics/iot/a=\x1b/x":                  "U+001B",
		"topics/iot/a=\ufffe/x":                "U+FFFE",
		"topics/iot/a=b/../../other/x":         `"..": topics`,
		"topics/iot/a=b/./x":                   `".": topics`,
		"../x":                                 `"..": ../x`,
		"topics/iot/a=b\u0085\ufffd\U0010ffff": "",
	} {
		switch err := checkKey(key); {
		case want == "" && err != nil:
			t.Errorf("%q: %v", key, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want an error with %s", key, err, want)
		}
	}
}
