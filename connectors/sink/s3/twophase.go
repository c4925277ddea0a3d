package s3

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// maxStateBytes is about how large the state of a partition may become in a record. Groups of files
// beyond it wait for the next Prepare; a single group that needs more has its state in an object.
const maxStateBytes = 256 << 10

// state is what is committed for a partition together with its offset. Its next
// owner completes what was to become visible and aborts what was under way.
type state struct {
	Complete []savedUpload `json:"complete,omitempty"`
	Open     []savedUpload `json:"open,omitempty"` // without attempt and parts
	List     string        `json:"list,omitempty"` // the object that has the state
	Bucket   string        `json:"bucket,omitempty"`
}

// savedUpload is enough of an upload to complete or abort it, for anybody.
type savedUpload struct {
	Key     string   `json:"key"`
	ID      string   `json:"id"`
	Attempt string   `json:"attempt,omitempty"`
	Parts   []string `json:"parts,omitempty"` // ETags, from part 1
	Tags    string   `json:"tags,omitempty"`  // for the object, as a query
}

// offer is what Prepare returned for a partition.
type offer struct {
	offset int64
	state  string
	list   string // the object that has the state, if it needs one
	groups int    // of partition.rotated
	// committed is set when that is known: then it becomes visible.
	committed bool
}

// Prepare rotates files that are old enough and returns what is on the server and
// can become visible.
func (s *Sink) Prepare(ctx context.Context) ([]connect.PartitionState, error) {
	s.collect()
	now := s.now()
	var states []connect.PartitionState
	s.alarmAt = time.Time{}
	for _, p := range s.partitions {
		if p.open != nil && (s.leaving[p.TopicPartition] || s.rotation.old(p.open, now)) {
			s.rotate(p)
		}
		if p.open != nil {
			s.askAt(s.rotation.ends(p.open))
		}
	}
	s.awaitLeaving(ctx)
	for _, p := range s.partitions {
		if !s.exactlyOnce {
			p.advance()
			p.offer = &offer{offset: p.durable}
		} else if err := s.prepare(ctx, p); err != nil {
			return nil, err
		}
		if o := p.offer; o.offset >= 0 && (o.offset > p.reported || o.state != p.saved || p.left.any()) {
			states = append(states, connect.PartitionState{State: rawState(o.state),
				PartitionOffset: connect.PartitionOffset{TopicPartition: p.TopicPartition, Offset: o.offset}})
		} else {
			p.offer = nil
		}
	}
	if now := s.now(); now.Sub(s.trimmed) >= trimInterval {
		s.pool.trim()
		s.trimmed = now
	}
	if s.err != nil && len(states) == 0 {
		return nil, s.err
	}
	slices.SortFunc(states, func(a, b connect.PartitionState) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return states, nil
}

// askAt lets the sink ask for Prepare when the time of a group is up. The earliest of all is enough: that Prepare finds the others.
func (s *Sink) askAt(at time.Time) {
	if at.IsZero() || !s.alarmAt.IsZero() && !at.Before(s.alarmAt) {
		return
	}
	s.alarmAt = at
	if in := at.Sub(s.now()); s.alarm == nil {
		s.alarm = time.AfterFunc(in, s.due)
	} else {
		s.alarm.Reset(in)
	}
}

// awaitLeaving waits, not for ever, until the files of partitions that are given up are on the server.
func (s *Sink) awaitLeaving(ctx context.Context) {
	if len(s.leaving) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.leave)
	defer cancel()
	s.settle(ctx, func() bool {
		for tp, ends := range s.leaving {
			if p := s.partitions[tp]; ends && p != nil && slices.ContainsFunc(p.rotated, func(g *group) bool { return !g.ready(s.exactlyOnce) }) {
				return s.err != nil
			}
		}
		return true
	})
}

// rawState is nil without a state.
func rawState(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// prepare makes the offer: the groups at the head of rotated whose parts are on the
// server, never one behind another that is not there yet (I3).
func (s *Sink) prepare(ctx context.Context, p *partition) error {
	o := &offer{offset: p.durable}
	var st state
	size, done := 0, 0
	for _, g := range p.rotated {
		if !g.sent() || size > s.stateBytes || g.end > p.written {
			break
		}
		for _, f := range g.files {
			u := f.save()
			size += len(u.Key) + len(u.ID) + len(u.Tags) + 64 + 48*len(u.Parts)
			st.Complete = append(st.Complete, u)
			f.offered = true
		}
		done += len(g.files)
		o.groups, o.offset = o.groups+1, g.end
	}
	open := p.left.uploads
	for _, f := range p.files()[done:] {
		if id, ok := f.up.known(); ok {
			open = append(open[:len(open):len(open)], savedUpload{Key: f.up.key, ID: id})
		}
	}
	for _, u := range open {
		if size <= s.stateBytes {
			size += len(u.Key) + len(u.ID) + 32
			st.Open = append(st.Open, u)
		}
	}
	if p.idle() {
		o.offset = p.next // records left out leave nothing to wait for
	}
	p.offer = o
	if len(st.Complete)+len(st.Open) == 0 {
		return nil
	}
	st.Bucket = s.store.bucket
	text, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encode the state of topic %s, partition %d: %w", p.Topic, p.Partition, err)
	}
	o.state = string(text)
	if len(text) > s.stateBytes+s.stateBytes/4 { // by the bytes: names may have characters that JSON makes six of
		return s.offerList(ctx, p, o)
	}
	return nil
}

// Withdraw takes the offer back, which was not committed: if the partition goes before the next Prepare, its uploads go too. The next owner
// cannot know of them when they were made after it came.
func (s *Sink) Withdraw() {
	for _, p := range s.partitions {
		o := p.offer
		if o == nil {
			continue
		}
		for _, g := range p.rotated[:o.groups] {
			for _, f := range g.files {
				f.offered = false
			}
		}
		if o.list != "" && o.state != p.saved {
			p.lists = slices.DeleteFunc(p.lists, func(key string) bool { return key == o.list })
			p.listText = ""
			s.deleteLater(o.list)
		}
		p.offer = nil
	}
}

// Apply completes the uploads that the last Prepare returned. When that takes
// long, Apply is to be called again.
func (s *Sink) Apply(ctx context.Context) error {
	for _, p := range s.partitions {
		if p.offer != nil {
			p.reported, p.saved, p.offer.committed = p.offer.offset, p.offer.state, true
			s.dropLeftovers(p)
			s.keepList(p, p.offer.list)
		}
		if !s.exactlyOnce {
			p.offer = nil // it is visible
		}
	}
	if !s.exactlyOnce {
		return nil
	}
	return s.applyOffers(ctx)
}

// applyOffers completes the offered uploads of all partitions whose offers are committed.
func (s *Sink) applyOffers(ctx context.Context) error {
	s.collect()
	var files []*file
	for _, p := range s.partitions {
		if p.offer == nil || !p.offer.committed {
			continue
		}
		for _, g := range p.rotated[:p.offer.groups] {
			for _, f := range g.files {
				if !f.showing && !f.complete {
					s.complete(f)
				}
				files = append(files, f)
			}
		}
	}
	waiting, cancel := context.WithTimeout(ctx, s.limits.stall)
	defer cancel()
	missing := func(f *file) bool { return !f.complete }
	s.settle(waiting, func() bool { return s.err != nil || !slices.ContainsFunc(files, missing) })
	switch {
	case s.err != nil:
		return s.err
	case ctx.Err() != nil:
		return ctx.Err()
	case slices.ContainsFunc(files, missing):
		return connect.Retriable(s.slow())
	}
	for _, p := range s.partitions {
		if p.offer != nil && p.offer.committed {
			p.durable = p.offer.offset
			p.rotated = slices.Delete(p.rotated, 0, p.offer.groups)
			p.offer = nil
		}
	}
	return nil
}

// slow says why uploads are not complete yet.
func (s *Sink) slow() error {
	if err := s.retrier.health.trouble(); err != nil {
		return fmt.Errorf("complete uploads to S3: %w", s.store.remedy(err))
	}
	return fmt.Errorf("complete uploads to S3: not all are after %s", s.limits.stall)
}

// Restore completes what the former owner of a partition committed. What it had under way is aborted after the next commit.
func (s *Sink) Restore(ctx context.Context, states []connect.PartitionState) error {
	for _, st := range states {
		p := s.partitions[st.TopicPartition]
		if p == nil || p.offer != nil {
			continue // restored by an earlier call, but for the end
		}
		saved, err := s.readState(ctx, st)
		if err != nil {
			return err
		}
		g := newGroup(s.now())
		g.end = p.durable
		for _, u := range saved.Complete {
			g.files = append(g.files, s.restoredFile(u))
		}
		p.left.restore(saved)
		if !s.exactlyOnce {
			s.dropLeftovers(p) // the state is forgotten, and no other follows
		}
		p.rotated = append(p.rotated, g)
		p.saved, p.offer = string(st.State), &offer{offset: p.durable, groups: 1, list: saved.List, committed: true}
		if saved.List != "" {
			p.lists = append(p.lists, saved.List)
		}
	}
	err := s.applyOffers(ctx)
	if code := errorCode(err); code == noSuchUpload || code == invalidPart {
		return fmt.Errorf("%w. It was committed before: its records are missing unless the object was moved away on purpose. To write them again, "+
			"or to go on without, set the connector's offsets (PATCH /connectors/<name>/offsets), which forgets the upload", err)
	}
	return err
}

// restoredFile is a file whose parts another task has sent.
func (s *Sink) restoredFile(saved savedUpload) *file {
	u := newUpload(s.ctx, saved.Key)
	u.restored, u.attempt, u.id, u.tags = true, saved.Attempt, saved.ID, saved.Tags
	close(u.created)
	for i, etag := range saved.Parts {
		p := &sentPart{number: int32(i + 1), etag: etag, done: make(chan struct{})}
		close(p.done)
		u.parts = append(u.parts, p)
	}
	return &file{up: u, offered: true}
}

// save is called when all parts are on the server.
func (f *file) save() savedUpload {
	u := f.up
	saved := savedUpload{Key: u.key, ID: u.id, Attempt: u.attempt, Tags: u.tags}
	for _, p := range u.parts {
		saved.Parts = append(saved.Parts, p.etag)
	}
	return saved
}

// known returns the upload's id once the server has given one.
func (u *upload) known() (string, bool) {
	select {
	case <-u.created:
		return u.id, u.id != ""
	default:
		return "", false
	}
}

// canRefuse finds out whether the server refuses to complete an upload when there
// is an object of its name. AWS does. Others are asked, with an object that is
// taken away again: a server that does not know the condition replaces the object,
// or knows no such request.
func (s *Sink) canRefuse(ctx context.Context, sc connect.SinkContext) (bool, error) {
	switch {
	case !s.exactlyOnce || s.config.existingObjects == existingOverwrite:
		return false, nil
	case s.store.aws():
		return true, nil
	}
	s.dropProbe(ctx, sc)
	var refuses bool
	err := s.retrier.once(ctx, requestTimeout(0), func(ctx context.Context) (err error) {
		refuses, err = s.store.probe(ctx, s.config.probeKey(sc))
		return err
	})
	s.endProbe(ctx, s.config.probeKey(sc))
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil && transient(err):
		return false, connect.Retriable(s.store.remedy(err))
	case err != nil:
		s.logger.Warn("whether the S3 server keeps objects from being replaced could not be found out; it is taken not to", "endpoint", s.store.endpoint(), "error", err)
	case !refuses:
		s.logger.Info("the S3 server replaces objects although it is told not to (If-None-Match); "+
			existingOption+"=fail has no effect", "endpoint", s.store.endpoint())
	}
	return refuses, nil
}

// dropProbe takes away the upload of a probe that was killed.
func (s *Sink) dropProbe(ctx context.Context, sc connect.SinkContext) {
	key := s.config.probeKey(sc)
	_ = s.retrier.once(ctx, requestTimeout(0), func(ctx context.Context) error { // best effort, as the probe itself
		return s.store.eachUpload(ctx, key, func(u savedUpload, _ time.Time) {
			if u.Key == key {
				_ = s.store.abortUpload(ctx, &upload{key: u.Key, id: u.ID})
			}
		})
	})
}

// endProbe takes the object of a probe away, best effort and not for long: ctx may have ended, or the server does not answer. The next probe replaces it.
func (s *Sink) endProbe(ctx context.Context, key string) {
	err := s.retrier.within(context.WithoutCancel(ctx), s.limits.drop, key, func(ctx context.Context) error { return s.store.deleteObject(ctx, key) })
	if err != nil {
		s.logger.Warn("the object with which the S3 server was tried out could not be deleted; it is replaced at the next start", "key", key, "error", err)
	}
}

// probeKey names the object of the probe.
func (c *Config) probeKey(sc connect.SinkContext) string {
	return c.hiddenKey(fmt.Sprintf("probe-%s-%d", sc.Connector, sc.Task))
}

// hiddenKey names an object of our own. The readers of lakes pass over names that
// begin with an underscore.
func (c *Config) hiddenKey(name string) string {
	key := "_sluice-" + strings.ReplaceAll(name, "/", "_")
	if c.topicsDir != "" {
		key = c.topicsDir + c.directoryDelim + key
	}
	return key
}

// probe tries to replace an object that must not be, and leaves it there.
func (s *store) probe(ctx context.Context, key string) (refuses bool, err error) {
	if err := s.putObject(ctx, key, s.ownACL(), []byte("probe")); err != nil {
		return false, err
	}
	u := newUpload(ctx, key)
	defer u.cancel()
	if u.id, err = s.createUpload(ctx, u); err != nil {
		return false, err
	}
	etag, err := s.uploadPart(ctx, u, 1, [][]byte{[]byte("probe")})
	if err != nil {
		return false, err
	}
	u.parts = []*sentPart{{number: 1, etag: etag}}
	err = s.completeUpload(ctx, u, true, false)
	if err == nil {
		return false, nil
	}
	_ = s.abortUpload(ctx, u)
	if existing(err) {
		return true, nil
	}
	if transient(err) {
		return false, err
	}
	return false, nil // it does not know the condition
}
