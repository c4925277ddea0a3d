package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// ledger is what is committed for partitions: the engine's transactions.
type ledger map[connect.TopicPartition]connect.PartitionState

// openOnce opens a sink whose states are committed to l, and hands over what is
// there already.
func openOnce(t testing.TB, srv *server, l ledger, changes map[string]string) (*harness, error) {
	t.Helper()
	h := &harness{t: t, srv: srv, clock: time.Unix(1_700_000_000, 0), offsets: make(map[connect.TopicPartition]int64), asked: make(chan struct{}, 1)}
	h.sink = newSink(newConfig(t, srv, changes))
	h.sink.now = func() time.Time { return h.clock }
	h.sink.limits = patient
	t.Cleanup(h.close)
	ask := func() {
		select {
		case h.asked <- struct{}{}:
		default:
		}
	}
	if err := h.sink.Open(t.Context(), connect.SinkContext{Connector: "c", Logger: slog.New(slog.DiscardHandler), ExactlyOnce: true, Due: ask}); err != nil {
		return h, err
	}
	h.assign(0, max(l[tp(0)].Offset, 0))
	if st := l[tp(0)]; st.State != nil {
		return h, h.sink.Restore(t.Context(), []connect.PartitionState{st})
	}
	return h, nil
}

func (h *harness) prepare() []connect.PartitionState {
	h.t.Helper()
	states, err := h.sink.Prepare(h.t.Context())
	if err != nil {
		h.t.Fatalf("Prepare: %v", err)
	}
	return states
}

// prepareUntil prepares until the offset of partition 0 would be want.
func (h *harness) prepareUntil(want int64) []connect.PartitionState {
	h.t.Helper()
	var states []connect.PartitionState
	h.poll(fmt.Sprint("offset ", want), func() bool {
		states = h.prepare()
		return len(states) == 1 && states[0].Offset == want
	})
	return states
}

func (l ledger) commit(states []connect.PartitionState) {
	for _, st := range states {
		l[st.TopicPartition] = st
	}
}

var exactlyOnceConfig = map[string]string{"flush.size": "4", "s3.part.size": smallParts}

// commitAndApply takes partition 0 through a whole commit up to want.
func (h *harness) commitAndApply(l ledger, want int64) {
	h.t.Helper()
	l.commit(h.prepareUntil(want))
	h.apply()
}

// apply applies as the engine does: until it is not to be tried again.
func (h *harness) apply() {
	h.t.Helper()
	for {
		err := h.sink.Apply(h.t.Context())
		if err == nil {
			return
		}
		if !connect.IsRetriable(err) {
			h.t.Fatalf("Apply: %v", err)
		}
	}
}

func mustOpen(t testing.TB, srv *server, l ledger, changes map[string]string) *harness {
	t.Helper()
	h, err := openOnce(t, srv, l, changes)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestNothingShowsBeforeApply holds the objects back until they are committed, the
// large one and the small one (I3), and forgets them after that.
func TestNothingShowsBeforeApply(t *testing.T) {
	for _, size := range []int{20, 2 * unit} {
		srv, l := newServer(t), ledger{}
		h := mustOpen(t, srv, l, exactlyOnceConfig)
		h.write(rawBatch(0, 0, 9, size))
		states := h.prepareUntil(8)
		if keys := srv.keys(t); len(keys) > 0 {
			t.Fatalf("objects before Apply: %v", keys)
		}
		l.commit(states)
		if err := h.sink.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.wantObjects(map[int64][]byte{0: lines(0, 4, size), 4: lines(4, 8, size)})
		if states := h.prepare(); len(states) != 1 || states[0].Offset != 8 || strings.Contains(string(states[0].State), "complete") {
			t.Errorf("the next states are %s, want offset 8 and nothing to complete", text(states))
		} else {
			l.commit(states)
		}
		if err := h.sink.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if states := h.prepare(); len(states) != 0 {
			t.Errorf("with nothing new the states are %s", text(states))
		}
	}
}

func text(states []connect.PartitionState) string {
	b, _ := json.Marshal(states)
	return string(b)
}

// TestCrashBeforeApply leaves what was committed to the next owner, whether the
// first one is closed or hangs and wakes up later.
func TestCrashBeforeApply(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		testCrashBeforeApply(t, newServer(t), hangs)
		careless := newServer(t) // without If-None-Match the states in the log are enough
		careless.careless = true
		testCrashBeforeApply(t, careless, hangs)
	}
}

func testCrashBeforeApply(t *testing.T, srv *server, hangs bool) {
	t.Helper()
	l := ledger{}
	first := mustOpen(t, srv, l, exactlyOnceConfig)
	first.write(rawBatch(0, 0, 6, 20))
	l.commit(first.prepareUntil(4))
	if !hangs {
		first.close()
	}
	next := mustOpen(t, srv, l, exactlyOnceConfig)
	next.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
	next.write(rawBatch(0, 4, 8, 20))
	next.commitAndApply(l, 8)
	if hangs {
		if err := first.sink.Apply(t.Context()); err != nil { // it was told so just before
			t.Errorf("Apply of the former owner: %v", err)
		}
		first.close()
	}
	next.wantObjects(map[int64][]byte{0: lines(0, 4, 20), 4: lines(4, 8, 20)})
}

// TestCommitThatFailed makes up for transactions that did not happen.
func TestCommitThatFailed(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	h.write(rawBatch(0, 0, 4, 20))
	h.prepareUntil(4)
	h.write(rawBatch(0, 4, 8, 20))
	h.commitAndApply(l, 8)
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20), 4: lines(4, 8, 20)})
}

// TestWithdrawnUploadsGo keeps what may be committed when its partition goes, and nothing that is certain not to be.
func TestWithdrawnUploadsGo(t *testing.T) {
	for _, withdrawn := range []bool{false, true} {
		srv, l := newServer(t), ledger{}
		h := openWide(t, srv, l) // with a state that needs an object
		h.write(rawBatch(0, 0, wideFiles, 20))
		h.prepareUntil(wideFiles)
		want := wideFiles + 1
		if withdrawn {
			h.sink.Withdraw()
			want = 0
		}
		if err := h.sink.Revoke(t.Context(), []connect.TopicPartition{tp(0)}); err != nil {
			t.Fatal(err)
		}
		h.close()
		if left := len(srv.uploads(t)) + len(srv.stateObjects(t)); left != want {
			t.Errorf("withdrawn: %v; %d uploads and objects with states are left, want %d", withdrawn, left, want)
		}
	}
}

// TestWithdrawnIsOfferedAgain commits at last what was withdrawn.
func TestWithdrawnIsOfferedAgain(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := openWide(t, srv, l)
	h.write(rawBatch(0, 0, wideFiles, 20))
	h.prepareUntil(wideFiles)
	h.sink.Withdraw()
	h.commitAndApply(l, wideFiles)
	crash(h)
	wantWide(t, srv, l, wideFiles)
}

// TestNextOwnerAbortsOpenUploads takes the parts away that a crash left, by the ids
// in the state: uploads of others stay.
func TestNextOwnerAbortsOpenUploads(t *testing.T) {
	srv, l := newServer(t), ledger{}
	first := mustOpen(t, srv, l, map[string]string{"flush.size": "100", "s3.part.size": smallParts})
	first.write(rawBatch(0, 0, 8, unit))
	first.poll("the part", func() bool { return srv.count("part") == 2 }) // one is the probe's
	first.poll("the state", func() bool { l.commit(first.prepare()); return l[tp(0)].State != nil })
	if got := l[tp(0)].Offset; got != 0 {
		t.Errorf("offset %d is committed with nothing to see", got)
	}
	other := newUpload(t.Context(), "topics/iot/partition=1/iot+1+0000000003.json")
	id, err := first.sink.store.createUpload(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	other.id = id
	next := mustOpen(t, srv, l, exactlyOnceConfig) // the first has crashed
	l.commit(next.prepareUntil(0))
	if got := len(srv.uploads(t)); got != 2 {
		t.Errorf("%d uploads before it is committed that the partition has another owner, want both", got)
	}
	next.apply()
	next.poll("the abort", func() bool { return len(srv.uploads(t)) == 1 })
	l.commit(next.prepare())
	if st := l[tp(0)]; st.State != nil {
		t.Errorf("the state with nothing left is %s", st.State)
	}
	if got := srv.uploads(t); got[0] != other.key {
		t.Errorf("uploads that are left: %v, want the other's", got)
	}
}

// TestLostAnswers lets the answer to Complete get lost, in Apply and in Restore.
func TestLostAnswers(t *testing.T) {
	for name, act := range map[string]func(http.ResponseWriter, *http.Request, http.Handler){"reply dropped": dropReply, "503": respond(503, "SlowDown"), "409": respond(409, "ConditionalRequestConflict")} {
		for _, restore := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " in Restore ", restore), func(t *testing.T) {
				srv, l := newServer(t), ledger{}
				h := mustOpen(t, srv, l, exactlyOnceConfig)
				h.write(rawBatch(0, 0, 4, 20))
				states := h.prepareUntil(4)
				l.commit(states)
				srv.inject("complete", 2, act)
				if restore {
					h.close()
					h = mustOpen(t, srv, l, map[string]string{"flush.size": "4", existingOption: existingOverwrite})
				} else if err := h.sink.Apply(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
			})
		}
	}
}

// yes says that an upload is complete, and does nothing.
func yes(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	_, _ = w.Write([]byte(`<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>"e"</ETag></CompleteMultipartUploadResult>`))
}

// TestYesToARepetition does not believe a server that says yes to the second request because it is still busy with the first, which comes to nothing.
// versitygw 1.8.0 does so, and answers yes for good when it was killed.
func TestYesToARepetition(t *testing.T) {
	for _, restore := range []bool{false, true} {
		srv, l := newServer(t), ledger{}
		h := mustOpen(t, srv, l, exactlyOnceConfig)
		h.write(rawBatch(0, 0, 4, 20))
		l.commit(h.prepareUntil(4))
		if restore {
			h.close()
			srv.inject("complete", 2, yes)
			h = mustOpen(t, srv, l, map[string]string{"flush.size": "4", existingOption: existingOverwrite})
		} else {
			srv.inject("complete", 1, cut)
			srv.inject("complete", 2, yes)
			if err := h.sink.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
	}
}

// TestYesAndAnothersObject fails: what was committed is not to be seen.
func TestYesAndAnothersObject(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	h.write(rawBatch(0, 0, 4, 20))
	l.commit(h.prepareUntil(4))
	srv.inject("complete", 1, cut)
	srv.inject("complete", 1, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		if err := h.sink.store.putObject(t.Context(), "topics/iot/partition=0/iot+0+0000000000.json", "", []byte("theirs")); err != nil {
			t.Error(err)
		}
		yes(w, r, s3)
	})
	if err := h.sink.Apply(t.Context()); err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), existingOption) {
		t.Errorf("Apply = %v, want a plain error that names %s", err, existingOption)
	}
}

// TestRestOfAnUpload is taken away: a server that dies after it has made the object may have the upload still.
func TestRestOfAnUpload(t *testing.T) {
	srv, w := wired(t)
	l := ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	h.write(rawBatch(0, 0, 4, 20))
	l.commit(h.prepareUntil(4))
	srv.inject("complete", 1, dropReply)
	srv.inject("abort", 1, respond(503, "SlowDown"))
	if err := h.sink.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
	w.each(t, "abort", func(r *http.Request) {
		if !r.URL.Query().Has("uploadId") {
			t.Errorf("%s is deleted", r.URL)
		}
	})
}

// TestYesWithoutAnObject does not believe the first answer either when it breaks off behind its status, as one may that was begun with white space
// to keep the connection.
func TestYesWithoutAnObject(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	h.write(rawBatch(0, 0, 4, 20))
	l.commit(h.prepareUntil(4))
	srv.inject("complete", 1, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		_, _ = w.Write([]byte("<?xml version=\"1.0\"?>\n   "))
	})
	if err := h.sink.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
}

// TestTwins takes uploads away whose making was not answered, and none that came later.
func TestTwins(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	srv.inject("create", 2, dropReply)
	h.write(rawBatch(0, 0, 4, 20))
	l.commit(h.prepareUntil(4))
	if n := len(srv.uploads(t)); n != 3 {
		t.Fatalf("%d uploads, want the one and two that were not answered", n)
	}
	h.poll("another second", func() bool { return time.Now().Nanosecond() < 50e6 }) // the server tells seconds
	h.poll("the next second", func() bool { return time.Now().Nanosecond() > 50e6 })
	if _, err := h.sink.store.createUpload(t.Context(), newUpload(t.Context(), "topics/iot/partition=0/iot+0+0000000000.json")); err != nil {
		t.Fatal(err)
	}
	srv.inject("abort", 1, respond(503, "SlowDown"))
	if err := h.sink.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
	if n := len(srv.uploads(t)); n != 1 {
		t.Errorf("%d uploads are left, want the one that came later", n)
	}
}

// TestLostPart says what to do when a server has lost a part of what was committed.
func TestLostPart(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	h.write(rawBatch(0, 0, 4, 20))
	l.commit(h.prepareUntil(4))
	h.close()
	srv.inject("complete", 2, respond(400, "InvalidPart"))
	_, err := openOnce(t, srv, l, map[string]string{"flush.size": "4", existingOption: existingOverwrite})
	if err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), "PATCH /connectors/<name>/offsets") {
		t.Errorf("Restore = %v, want a plain error with what to do", err)
	}
}

// TestExistingObject is not replaced unless the config says so.
func TestExistingObject(t *testing.T) {
	srv, l := newServer(t), ledger{}
	old := mustOpen(t, srv, ledger{}, exactlyOnceConfig)
	old.write(rawBatch(0, 0, 4, 30))
	old.commitAndApply(ledger{}, 4)
	old.close()

	h := mustOpen(t, srv, l, exactlyOnceConfig)
	h.write(rawBatch(0, 0, 4, 20))
	l.commit(h.prepareUntil(4))
	err := h.sink.Apply(t.Context())
	if err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), existingOption) {
		t.Errorf("Apply = %v, want a plain error that names %s", err, existingOption)
	}
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 30)})
	h.close()
	h = mustOpen(t, srv, l, map[string]string{existingOption: existingOverwrite})
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20)})
}

// TestProbe tells servers that heed If-None-Match from those that do not, and
// leaves nothing behind.
func TestProbe(t *testing.T) {
	for _, careless := range []bool{false, true} {
		srv := newServer(t)
		srv.careless = careless
		h := mustOpen(t, srv, ledger{}, nil)
		if h.sink.conditional == careless {
			t.Errorf("server that is careless: %v, found conditional writes: %v", careless, h.sink.conditional)
		}
		if keys, uploads := srv.keys(t), srv.uploads(t); len(keys)+len(uploads) > 0 {
			t.Errorf("the probe has left %v and the uploads %v", keys, uploads)
		}
	}
	srv := newServer(t)
	srv.inject("create", 1, respond(501, "NotImplemented"))
	if h := mustOpen(t, srv, ledger{}, nil); h.sink.conditional {
		t.Error("a server without the request is taken to have conditional writes")
	}
}

// TestUploadThatIsGone says what to do when what was committed cannot be completed.
func TestUploadThatIsGone(t *testing.T) {
	srv := newServer(t)
	l := ledger{tp(0): {PartitionOffset: connect.PartitionOffset{TopicPartition: tp(0), Offset: 4},
		State: json.RawMessage(`{"complete":[{"key":"topics/iot/partition=0/iot+0+0000000000.json","id":"17","attempt":"A","parts":["\"e\""]}]}`)}}
	_, err := openOnce(t, srv, l, nil)
	if err == nil || connect.IsRetriable(err) || !strings.Contains(err.Error(), "PATCH /connectors/<name>/offsets") {
		t.Errorf("Restore = %v, want a plain error with what to do", err)
	}
	l[tp(0)] = connect.PartitionState{PartitionOffset: l[tp(0)].PartitionOffset, State: json.RawMessage(`[1]`)}
	if _, err := openOnce(t, srv, l, nil); err == nil || !strings.Contains(err.Error(), "reset the connector's offsets") {
		t.Errorf("Restore of a foreign state = %v", err)
	}
}

// TestApplyDuringOutage does not hold the task up, and goes on where it was.
func TestApplyDuringOutage(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	h.sink.limits.stall = 20 * time.Millisecond
	h.write(rawBatch(0, 0, 8, 20))
	l.commit(h.prepareUntil(8))
	srv.inject("complete", -1, respond(503, "SlowDown"))
	for range 3 {
		if err := h.sink.Apply(t.Context()); !connect.IsRetriable(err) {
			t.Fatalf("Apply = %v, want a retriable error", err)
		}
	}
	srv.heal()
	h.poll("Apply", func() bool { return h.sink.Apply(t.Context()) == nil })
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20), 4: lines(4, 8, 20)})
}

// TestStatesAreBounded commits a backlog of files a part at a time.
func TestStatesAreBounded(t *testing.T) {
	const files, limit = 150, 32 << 10
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, map[string]string{"flush.size": "1", "topics.dir": strings.Repeat("d", 200)})
	h.sink.stateBytes = limit
	h.write(rawBatch(0, 0, files, 20))
	h.poll("all parts", func() bool { return srv.count("part") == files+1 }) // one is the probe's
	h.poll("all files", func() bool {
		states := h.prepare()
		for _, st := range states {
			if len(st.State) > limit+limit/8 || strings.Contains(string(st.State), `"list"`) {
				t.Fatalf("a state has %d bytes", len(st.State))
			}
		}
		l.commit(states)
		if err := h.sink.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		return l[tp(0)].Offset == files
	})
	if got := len(srv.keys(t)); got != files {
		t.Errorf("%d objects, want %d", got, files)
	}
}

// TestStatesOfLongTexts keeps to the limit whatever JSON makes of the characters of names.
func TestStatesOfLongTexts(t *testing.T) {
	const files, limit = 20, 16 << 10
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, map[string]string{"flush.size": fmt.Sprint(files), "topics.dir": strings.Repeat("&", 500), "partitioner.class": "FieldPartitioner", "partition.field.name": "o"})
	h.sink.stateBytes = limit
	h.write(rawBatch(0, 0, files, 20))
	if states := h.prepareUntil(files); len(states[0].State) > limit+limit/4 {
		t.Errorf("the state has %d bytes", len(states[0].State))
	}
}

// TestOffersWaitForParts offers no file whose parts are not all on the server, and
// none behind it.
func TestOffersWaitForParts(t *testing.T) {
	srv, l := newServer(t), ledger{}
	h := mustOpen(t, srv, l, exactlyOnceConfig)
	release := make(chan struct{})
	srv.inject("part", 1, holdUntil(release))
	h.write(rawBatch(0, 0, 4, 20))
	h.poll("the first part", func() bool { return srv.count("part") == 2 })
	h.write(rawBatch(0, 4, 8, 20))
	h.poll("the second file", func() bool { h.sink.collect(); return h.sink.steps == 1 })
	if states := h.prepare(); len(states) != 1 || states[0].Offset != 0 || strings.Contains(string(states[0].State), "complete") {
		t.Errorf("with a part on its way the states are %s, want offset 0 and nothing to complete", text(states))
	}
	close(release)
	h.commitAndApply(l, 8)
	h.wantObjects(map[int64][]byte{0: lines(0, 4, 20), 4: lines(4, 8, 20)})
}

// TestBrokenUploadIsNotOffered commits no file of which a part is not on the server, and what is before it (I3).
func TestBrokenUploadIsNotOffered(t *testing.T) {
	for _, kind := range []string{"create", "part"} {
		for _, code := range []string{"AccessDenied", "NoSuchUpload", "InvalidRequest"} {
			srv, l := newServer(t), ledger{}
			h := mustOpen(t, srv, l, exactlyOnceConfig)
			h.write(rawBatch(0, 0, 4, 20))
			h.prepareUntil(4)
			srv.inject(kind, -1, respond(map[string]int{"AccessDenied": 403, "NoSuchUpload": 404, "InvalidRequest": 400}[code], code))
			h.write(rawBatch(0, 4, 8, 2*unit))
			var err error
			h.poll("the error", func() bool {
				var states []connect.PartitionState
				if states, err = h.sink.Prepare(t.Context()); err == nil && len(states) > 0 && states[0].Offset > 4 {
					t.Fatalf("%s at %s: offered is %s", code, kind, text(states))
				}
				if err == nil {
					l.commit(states)
					err = h.sink.Apply(t.Context())
				}
				return err != nil
			})
			if connect.IsRetriable(err) || l[tp(0)].Offset > 4 {
				t.Errorf("%s at %s: %v at offset %d, want a plain error at 4 or before", code, kind, err, l[tp(0)].Offset)
			}
		}
	}
}

// FuzzRestore feeds states that the sink did not write (I5).
func FuzzRestore(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `[]`, `{"complete":[{}]}`, `{"open":[{"key":"k","id":"i"}]}`,
		`{"complete":[{"key":"topics/x","id":"1","attempt":"a","parts":[]}],"open":null}`} {
		f.Add([]byte(seed))
	}
	srv := newServer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newSink(newConfig(t, srv, nil))
		s.limits.stall = 20 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.Open(ctx, connect.SinkContext{Logger: slog.New(slog.DiscardHandler), ExactlyOnce: true}); err != nil {
			t.Fatal(err)
		}
		st := connect.PartitionState{PartitionOffset: connect.PartitionOffset{TopicPartition: tp(0), Offset: 4}, State: data}
		if err := s.Assign(ctx, []connect.PartitionOffset{st.PartitionOffset}); err != nil {
			t.Fatal(err)
		}
		_ = s.Restore(ctx, []connect.PartitionState{st})
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
