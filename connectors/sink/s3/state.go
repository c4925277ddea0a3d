package s3

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// offerList puts a state that is too large for a record into an object, and offers the object's name. The same state keeps its
// object from one Prepare to the next.
func (s *Sink) offerList(ctx context.Context, p *partition, o *offer) error {
	if p.listText != o.state {
		key := s.listPrefix(p.TopicPartition) + rand.Text()
		body := []byte(o.state)
		if err := s.retrier.once(ctx, requestTimeout(len(body)), func(ctx context.Context) error {
			return s.store.putObject(ctx, key, s.store.ownACL(), body)
		}); err != nil {
			if transient(err) {
				return connect.Retriable(s.store.remedy(err))
			}
			return s.store.fatal(key, err)
		}
		p.listText, p.lists = o.state, append(p.lists, key)
	}
	o.list = p.lists[len(p.lists)-1]
	text, err := json.Marshal(state{List: o.list, Bucket: s.store.bucket})
	if err != nil {
		return fmt.Errorf("encode the state of topic %s, partition %d: %w", p.Topic, p.Partition, err)
	}
	o.state = string(text)
	return nil
}

// keepList deletes the objects of states before, once another state is committed. Not sooner: whether a commit that failed has
// happened is not always known (I3).
func (s *Sink) keepList(p *partition, list string) {
	kept := p.lists[:0]
	for _, key := range p.lists {
		if key == list {
			kept = append(kept, key)
		} else {
			s.deleteLater(key)
		}
	}
	if p.lists = kept; len(kept) == 0 {
		p.listText = ""
	}
}

// listPrefix is what the names of objects with states of a partition begin with.
func (s *Sink) listPrefix(tp connect.TopicPartition) string {
	return s.config.hiddenKey("state") + "/" + url.PathEscape(s.connector) + "/" + tp.Topic + "/" + strconv.Itoa(int(tp.Partition)) + "/"
}

// findLists notes the objects with states that are left of former owners of partitions.
func (s *Sink) findLists(ctx context.Context, added []connect.PartitionOffset) {
	listed := make(map[string]bool)
	for _, a := range added {
		prefix := strings.TrimSuffix(s.listPrefix(connect.TopicPartition{Topic: a.Topic}), "0/")
		if listed[prefix] {
			continue
		}
		listed[prefix] = true
		err := s.retrier.within(ctx, s.limits.list, prefix, func(ctx context.Context) error {
			return s.store.eachObject(ctx, prefix, func(key string) {
				number, _, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
				n, err := strconv.ParseInt(number, 10, 32)
				if p := s.partitions[connect.TopicPartition{Topic: a.Topic, Partition: int32(n)}]; err == nil && p != nil {
					p.left.strays = append(p.left.strays, key)
				}
			})
		})
		if err != nil {
			s.logger.Warn("objects with states of former owners could not be listed, so they stay", "prefix", prefix, "error", err)
			if transient(err) {
				return // the other topics would take as long
			}
		}
	}
}

// deleteLater deletes an object that nobody needs, best effort.
func (s *Sink) deleteLater(key string) {
	f := &file{up: newUpload(s.ctx, key)}
	s.submit(&op{file: f, run: func() error {
		defer f.up.cancel()
		if err := s.retrier.within(s.ctx, s.limits.abort, key, func(ctx context.Context) error { return s.store.deleteObject(ctx, key) }); err != nil {
			s.logger.Warn("an object that is not needed any more could not be deleted", "key", key, "error", err)
		}
		return nil
	}})
}

// readState reads what a former owner committed.
func (s *Sink) readState(ctx context.Context, st connect.PartitionState) (state, error) {
	saved, err := parseState(st, st.State)
	if err == nil && saved.Bucket != "" && saved.Bucket != s.store.bucket && (len(saved.Complete) > 0 || saved.List != "") {
		err = fmt.Errorf("restore topic %s, partition %d: what is committed is in bucket %s: set s3.bucket.name back to it until the task runs and then stop the connector before it is changed; "+
			"or set the connector's offsets (PATCH /connectors/<name>/offsets), which forgets what is there", st.Topic, st.Partition, saved.Bucket)
	}
	if err != nil || saved.List == "" {
		return saved, err
	}
	var body []byte
	err = s.retrier.once(ctx, requestTimeout(maxListBytes), func(ctx context.Context) (err error) {
		body, err = s.store.getObject(ctx, saved.List, maxListBytes)
		return err
	})
	switch {
	case err != nil && transient(err):
		return saved, connect.Retriable(s.store.remedy(err))
	case err != nil:
		return saved, fmt.Errorf("restore topic %s, partition %d: read the committed uploads in s3://%s/%s: %w; if the object is lost, reset the connector's offsets to do without",
			st.Topic, st.Partition, s.store.bucket, saved.List, s.store.remedy(err))
	}
	listed, err := parseState(st, body)
	listed.List = saved.List
	return listed, err
}

// maxListBytes bounds an object with a state (I5).
const maxListBytes = 256 << 20

func parseState(st connect.PartitionState, text []byte) (saved state, err error) {
	if err := json.Unmarshal(text, &saved); err != nil {
		return saved, fmt.Errorf("restore topic %s, partition %d: the state %.200s is not of this connector: %w; reset the connector's offsets to do without",
			st.Topic, st.Partition, text, err)
	}
	return saved, nil
}
