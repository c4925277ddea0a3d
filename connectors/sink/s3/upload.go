package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// errStepMissing is why a step was not taken: one before it failed, and that
// one's error says why.
var errStepMissing = errors.New("an earlier step of the upload did not succeed")

// upload is what the steps of one file's upload share.
type upload struct {
	key string
	// attempt is kept as metadata of a multipart upload. It tells our object from
	// another's when the answer to complete was lost.
	attempt  string
	restored bool            // another task has sent it, and may have completed it
	tags     string          // for the object, as a query; set when the file ends
	ctx      context.Context // ends when the file is dropped or complete
	cancel   context.CancelFunc

	// twins: the answer to a request that made the upload may have been lost, so there may be others of its name that nobody knows. Written before
	// created is closed.
	twins bool

	// created is closed when the first part's op has made the upload or given up.
	created chan struct{}
	id      string // written before created is closed; "" when it was not made
	// parts are appended by the sink's goroutine until finish. The op of a part
	// writes its etag before it closes done.
	parts []*sentPart
}

// sentPart is one part of a multipart upload.
type sentPart struct {
	number int32
	etag   string // "" when the part was not uploaded
	done   chan struct{}
}

func newUpload(ctx context.Context, key string) *upload {
	u := &upload{key: key, attempt: rand.Text(), created: make(chan struct{})}
	u.ctx, u.cancel = context.WithCancel(ctx)
	return u
}

// sendPart hands the file's buffer to the uploader as the next part.
func (s *Sink) sendPart(f *file) {
	u, body := f.up, f.buf
	p := &sentPart{number: int32(len(u.parts) + 1), done: make(chan struct{})}
	u.parts = append(u.parts, p)
	f.buf = buffer{}
	s.submit(&op{file: f, body: body, run: func() error {
		defer close(p.done)
		if err := s.ensureCreated(u, p.number == 1); err != nil {
			return err
		}
		return s.retrier.try(u.ctx, requestTimeout(body.n), u.key, func(ctx context.Context) error {
			etag, err := s.store.uploadPart(ctx, u, p.number, body.chunks)
			p.etag = etag
			return err
		})
	}})
}

// ensureCreated creates the upload for its first part; other parts wait for
// that. They cannot wait for ever: the first part is ahead of them in the queue.
func (s *Sink) ensureCreated(u *upload, first bool) error {
	if !first {
		<-u.created
		if u.id == "" {
			return errStepMissing
		}
		return nil
	}
	defer close(u.created)
	attempts := 0
	return s.retrier.try(u.ctx, requestTimeout(0), u.key, func(ctx context.Context) error {
		u.twins = attempts > 0
		attempts++
		// Dropping the file ends u.ctx. It must not hide the id from abort, so it
		// does not interrupt this request; the time limit and Close do.
		deadline, _ := ctx.Deadline()
		ctx, cancel := context.WithDeadline(s.ctx, deadline)
		defer cancel()
		id, err := s.store.createUpload(ctx, u)
		u.id = id
		return err
	})
}

// finish brings the rest of the file on its way. A file that fits in one part has
// nothing to bring when it is to be visible at once: its body stays here for
// complete. Otherwise it is an upload of one part, which can be held back.
func (s *Sink) finish(f *file) {
	f.up.tags = s.config.tagsOf(f.first, f.last, f.records)
	if f.writer.BlockBytes() > 0 {
		s.seal(f, true)
	}
	if len(f.up.parts) > 0 && f.buf.n > 0 || len(f.up.parts) == 0 && s.exactlyOnce {
		s.sendPart(f)
	}
}

// complete makes the finished file visible.
func (s *Sink) complete(f *file) {
	f.showing = true
	o := &op{file: f, shows: true}
	if u := f.up; len(u.parts) > 0 {
		o.run = func() error { return s.tagged(u, s.completeParts(u)) }
	} else {
		o.body, f.buf = f.buf, buffer{}
		o.run = func() error { return s.tagged(u, s.putWhole(u, o.body)) }
	}
	s.submit(o)
}

func (s *Sink) putWhole(u *upload, body buffer) error {
	return s.retrier.try(u.ctx, requestTimeout(body.n), u.key, func(ctx context.Context) error {
		return s.store.putObject(ctx, u.key, s.config.cannedACL, body.chunks...)
	})
}

func (s *Sink) completeParts(u *upload) error {
	if !u.settled() {
		return errStepMissing
	}
	if u.twins && s.exactlyOnce {
		s.dropTwins(u)
	}
	again := u.restored
	return s.retrier.try(u.ctx, completeTimeout(len(u.parts)), u.key, func(ctx context.Context) error {
		err := s.store.completeUpload(ctx, u, s.conditional, again)
		again = true
		return err
	})
}

// dropTwins takes away what lost answers have left of a file that is committed, best effort. Uploads of its name that are younger are not among
// them: they would be of an owner that was told to write it all again.
func (s *Sink) dropTwins(u *upload) {
	err := s.retrier.within(s.ctx, s.limits.abort, u.key, func(ctx context.Context) error {
		var made time.Time
		others := make(map[string]time.Time)
		err := s.store.eachUpload(ctx, u.key, func(found savedUpload, initiated time.Time) {
			switch {
			case found.Key != u.key:
			case found.ID == u.id:
				made = initiated
			default:
				others[found.ID] = initiated
			}
		})
		for id, initiated := range others {
			if !initiated.After(made) {
				err = errors.Join(err, s.store.abortUpload(ctx, &upload{key: u.key, id: id}))
			}
		}
		return err
	})
	if err != nil {
		s.logger.Warn("an upload whose making was not answered may be left", "key", u.key, "error", err)
	}
}

// tagged puts the tags on an object that is there now.
func (s *Sink) tagged(u *upload, err error) error {
	if err != nil || u.tags == "" {
		return err
	}
	attempts := 0
	err = s.retrier.try(u.ctx, requestTimeout(0), u.key, func(ctx context.Context) error {
		attempts++
		err := s.store.tagObject(ctx, u.key, u.tags)
		if err != nil && s.config.onTaggingError == "ignore" && attempts > s.config.partRetries {
			return &taggingError{err}
		}
		return err
	})
	if err == nil || u.ctx.Err() != nil || s.config.onTaggingError == "fail" {
		return err
	}
	s.logger.Warn("an object could not be tagged, which s3.object.behavior.on.tagging.error=ignore passes over", "key", u.key, "error", err)
	return nil
}

// taggingError ends the tries: it is not transient.
type taggingError struct{ err error }

func (e *taggingError) Error() string { return e.err.Error() }

// tagsOf is what Confluent's sink tags objects with, and what is configured.
func (c *Config) tagsOf(start, end int64, records int) string {
	if !c.tagging {
		return ""
	}
	tags := url.Values{"startOffset": {strconv.FormatInt(start, 10)}, "endOffset": {strconv.FormatInt(end, 10)}, "recordCount": {strconv.Itoa(records)}}
	for _, tag := range c.tags {
		key, value, _ := strings.Cut(tag, ":")
		tags.Set(key, value)
	}
	return tags.Encode()
}

// abort takes the parts of a dropped file away from the server, best effort.
func (s *Sink) abort(f *file) {
	u := f.up
	if len(u.parts) == 0 || f.complete {
		return
	}
	s.abortUpload(f)
}

// abortUpload takes an upload away, best effort.
func (s *Sink) abortUpload(f *file) {
	u := f.up
	s.submit(&op{file: f, run: func() error {
		defer u.cancel()
		u.settled()
		if u.id == "" {
			return nil
		}
		if err := s.retrier.within(s.ctx, s.limits.abort, u.key, func(ctx context.Context) error { return s.store.abortUpload(ctx, u) }); err != nil {
			s.logger.Warn("an upload was left unfinished and could not be aborted", "key", u.key, "error", err)
		}
		return nil
	}})
}

// settled waits for the ops of all parts, which are ahead in the queue, and tells
// whether every part is uploaded.
func (u *upload) settled() bool {
	ok := true
	for _, p := range u.parts {
		<-p.done
		ok = ok && p.etag != ""
	}
	return ok
}
