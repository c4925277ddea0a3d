package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// offsetStore keeps how far sources got: the latest state of an offset topic.
// Source tasks write to the topic themselves, in the order that I2 asks.
type offsetStore struct {
	topic    string
	follower *follower // reads the topic

	mu     sync.Mutex        // guards values
	values map[string][]byte // by the bytes of the key, which are its identity
}

func (s *offsetStore) apply(r *kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Value == nil {
		delete(s.values, string(r.Key))
		return
	}
	s.values[string(r.Key)] = bytes.Clone(r.Value) // the rest of its batch may go
}

// offset returns the stored offset of a source partition, nil when there is
// none, after everything that the topic holds has been read.
func (s *offsetStore) offset(ctx context.Context, connector string, partition json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	// To the very end: another connector's open transaction hides what follows it,
	// and with that perhaps a later offset of this partition.
	if err := s.follower.syncEnd(ctx, s.topic); err != nil {
		return nil, connect.Retriable(err) // the log may come back
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.values[string(appendOffsetKey(nil, connector, partition))]), nil
}

// appendOffsetKey appends the key of a source partition: ["<connector>",{…}].
func appendOffsetKey(dst []byte, connector string, partition json.RawMessage) []byte {
	dst = append(dst, '[')
	dst = append(dst, jsonString(connector)...)
	dst = append(dst, ',')
	dst = append(dst, partition...)
	return append(dst, ']')
}

// jsonString quotes text as Kafka's converter does, which leaves <, > and & as
// they are.
func jsonString(text string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic("engine: encode a string: " + err.Error())
	}
	return bytes.TrimRight(buf.Bytes(), "\n")
}
