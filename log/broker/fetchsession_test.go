package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

// sessionFetch is a fetch in a session about partitions of topic t from an offset.
func sessionFetch(id, epoch int32, offset int64, partitions ...int32) *kmsg.FetchRequest {
	q := fetchRequest("t", offset, 0, 0, 1<<20)
	q.SessionID, q.SessionEpoch = id, epoch
	one := q.Topics[0].Partitions[0]
	q.Topics[0].Partitions = nil
	for _, i := range partitions {
		one.Partition = i
		q.Topics[0].Partitions = append(q.Topics[0].Partitions, one)
	}
	if len(partitions) == 0 {
		q.Topics = nil
	}
	return q
}

// answered lists the partitions in an answer, with the size of their records and error.
func answered(resp *kmsg.FetchResponse) string {
	var all []string
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			records := ""
			if len(p.RecordBatches) > 0 {
				records = "+"
			}
			if p.ErrorCode != 0 {
				records = "!"
			}
			all = append(all, fmt.Sprint(p.Partition, records))
		}
	}
	return strings.Join(all, " ")
}

// A session's answers have only what has news; what had records is read last the next time.
func TestFetchSession(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 4, nil)
	c := s.raw()
	write := func(partition int32) {
		q := produceRequest("t", -1, oneBatch(t, 1, 10))
		q.Topics[0].Partitions[0].Partition = partition
		if code := ask[*kmsg.ProduceResponse](c, q).Topics[0].Partitions[0].ErrorCode; code != 0 {
			t.Fatalf("produce: error %d", code)
		}
	}
	first := ask[*kmsg.FetchResponse](c, sessionFetch(0, 0, 0, 0, 1, 2))
	id := first.SessionID
	if id <= 0 || answered(first) != "0 1 2" {
		t.Fatalf("full fetch: session %d, partitions %s", id, answered(first))
	}
	forget := sessionFetch(id, 7, 0)
	ft := kmsg.NewFetchRequestForgottenTopic()
	ft.Topic, ft.Partitions = "t", []int32{0, 1}
	forget.ForgottenTopics = append(forget.ForgottenTopics, ft)
	for i, step := range []struct {
		before func()
		q      *kmsg.FetchRequest
		want   string
	}{
		{nil, sessionFetch(id, 1, 0), ""},
		{func() { write(0); write(2) }, sessionFetch(id, 2, 0), "0+ 2+"},
		{nil, sessionFetch(id, 3, 1, 2), "0+"}, // 2 goes on after its record
		{nil, sessionFetch(id, 4, 1, 0), ""},   // and 0 after its own
		{nil, sessionFetch(id, 5, 9, 3), "3!"}, // out of range
		{nil, sessionFetch(id, 6, 0, 3), "3"},  // the end of an error is news
		{func() { write(2) }, forget, "2+"},    // 0 and 1 are not there any more
		{func() { write(0) }, sessionFetch(id, 8, 2, 2), ""},
	} {
		if step.before != nil {
			step.before()
		}
		got := ask[*kmsg.FetchResponse](c, step.q)
		if got.ErrorCode != 0 || got.SessionID != id || answered(got) != step.want {
			t.Errorf("step %d: error %d, session %d, partitions %q, want %q", i, got.ErrorCode, got.SessionID, answered(got), step.want)
		}
	}
	if got := ask[*kmsg.FetchResponse](c, sessionFetch(id, 8, 0)); got.ErrorCode != kerr.InvalidFetchSessionEpoch.Code {
		t.Errorf("an epoch again: error %d, want %d", got.ErrorCode, kerr.InvalidFetchSessionEpoch.Code)
	}
	byID := sessionFetch(id, 9, 0)
	byID.SetVersion(13)
	if got := ask[*kmsg.FetchResponse](c, byID); got.ErrorCode != kerr.FetchSessionTopicIDError.Code {
		t.Errorf("names, then ids: error %d, want %d", got.ErrorCode, kerr.FetchSessionTopicIDError.Code)
	}
	if got := ask[*kmsg.FetchResponse](c, sessionFetch(id, -1, 0, 2)); got.SessionID != 0 || answered(got) != "2+" {
		t.Errorf("the last fetch: session %d, partitions %q", got.SessionID, answered(got))
	}
	if got := ask[*kmsg.FetchResponse](c, sessionFetch(id, 9, 0)); got.ErrorCode != kerr.FetchSessionIDNotFound.Code {
		t.Errorf("after the last: error %d, want %d", got.ErrorCode, kerr.FetchSessionIDNotFound.Code)
	}
	if n, parts, _ := s.sessions.counts(); n != 0 || parts != 0 {
		t.Errorf("%d sessions with %d partitions are left, want none", n, parts)
	}
}

// A busy partition does not keep the others from being read: what had records is read last the next time.
func TestFetchSessionIsFair(t *testing.T) {
	s := newServer(t)
	s.createTopic("t", 3, nil)
	c := s.raw()
	for partition := range int32(3) {
		q := produceRequest("t", -1, oneBatch(t, 1, 1000))
		q.Topics[0].Partitions[0].Partition = partition
		ask[*kmsg.ProduceResponse](c, q)
	}
	q := sessionFetch(0, 0, 0, 0, 1, 2)
	q.MaxBytes = 100 // one batch for each answer
	got := ask[*kmsg.FetchResponse](c, q)
	var order []string
	for epoch := int32(1); epoch <= 3; epoch++ {
		q := sessionFetch(got.SessionID, epoch, 0)
		q.MaxBytes = 100
		order = append(order, answered(ask[*kmsg.FetchResponse](c, q)))
	}
	if want := []string{"0+", "1+", "2+"}; !slices.Equal(order, want) {
		t.Errorf("answers %q, want %q", order, want)
	}
}

// The cache holds a bounded number of sessions, and makes room by Kafka's rules (I5).
func TestFetchSessionCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startServer(t, "/data", vfs.NewMem(), nil)
		s.createTopic("t", 3, nil)
		c := s.raw()
		start := func(partitions ...int32) int32 {
			t.Helper()
			return ask[*kmsg.FetchResponse](c, sessionFetch(0, 0, 0, partitions...)).SessionID
		}
		alive := func(id, epoch int32) bool {
			return ask[*kmsg.FetchResponse](c, sessionFetch(id, epoch, 0)).ErrorCode == 0
		}
		large := start(0, 1)
		var small []int32
		for range maxFetchSessions - 1 {
			small = append(small, start(0))
		}
		if id := start(0, 1, 2); id != 0 {
			t.Errorf("session %d in a full cache of young sessions, want none", id)
		}
		<-time.After(sessionEvictionAge - time.Second)
		used := append([]int32{large}, small[1:]...)
		for _, id := range used {
			if !alive(id, 1) {
				t.Fatalf("session %d is gone", id)
			}
		}
		<-time.After(2 * time.Second)
		if start(0) == 0 || alive(small[0], 1) {
			t.Error("the session that was idle made no room")
		}
		if start(0) != 0 {
			t.Error("a small session took the place of one in use that is as small")
		}
		if start(0, 1) == 0 {
			t.Error("a larger session got no place")
		}
		gone := 0
		for _, id := range small[1:] {
			if !alive(id, 2) {
				gone++
			}
		}
		if gone != 1 || !alive(large, 2) {
			t.Errorf("%d small sessions are gone, want 1; and the large one to be there", gone)
		}
		if n, _, evicted := s.sessions.counts(); n != maxFetchSessions || evicted != 2 {
			t.Errorf("%d sessions, %d evicted; want %d and 2", n, evicted, maxFetchSessions)
		}
	})
}

func TestSessionEpochWraps(t *testing.T) {
	if got := nextEpoch(1<<31 - 1); got != 1 {
		t.Errorf("after the largest epoch comes %d, want 1", got)
	}
}
