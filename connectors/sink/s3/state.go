package s3

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// offerList puts a state that is too large for a record into an object, and offers the object's name. The same state keeps its
// object from one Prepare to the next.
func (s *Sink) offerList(ctx context.Context, p *partition, o *offer) error {
	if p.listText != o.state || p.listKey == "" {
		key := s.config.hiddenKey(fmt.Sprintf("state-%s-%s-%d-%s", s.connector, p.Topic, p.Partition, newUpload(ctx, "").attempt))
		body := []byte(o.state)
		if err := s.retrier.once(ctx, requestTimeout(len(body)), func(ctx context.Context) error {
			return s.store.putObject(ctx, key, body)
		}); err != nil {
			if transient(err) {
				return connect.Retriable(s.store.remedy(err))
			}
			return s.store.fatal(key, err)
		}
		if p.listKey != "" && p.listKey != p.list {
			s.deleteLater(p.listKey)
		}
		p.listText, p.listKey = o.state, key
	}
	text, err := json.Marshal(state{List: p.listKey})
	if err != nil {
		return fmt.Errorf("encode the state of topic %s, partition %d: %w", p.Topic, p.Partition, err)
	}
	o.state, o.list = string(text), p.listKey
	return nil
}

// dropList deletes the object of the state before, once another state is committed.
func (s *Sink) dropList(p *partition, list string) {
	if p.list != "" && p.list != list {
		s.deleteLater(p.list)
	}
	p.list = list
}

// deleteLater deletes an object that nobody needs, best effort.
func (s *Sink) deleteLater(key string) {
	f := &file{up: newUpload(s.ctx, key)}
	s.submit(&op{file: f, run: func() error {
		defer f.up.cancel()
		ctx, cancel := context.WithTimeout(s.ctx, abortTimeout)
		defer cancel()
		if err := s.store.deleteObject(ctx, key); err != nil {
			s.logger.Warn("an object that is not needed any more could not be deleted", "key", key, "error", err)
		}
		return nil
	}})
}

// readState reads what a former owner committed.
func (s *Sink) readState(ctx context.Context, st connect.PartitionState) (state, error) {
	saved, err := parseState(st, st.State)
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
