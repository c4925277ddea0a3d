package broker

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log/security"
)

// quota gives anonymous clients a quota.
func (s *server) quota(key string, value float64) {
	s.t.Helper()
	entity := security.Entity{User: security.Exactly("ANONYMOUS")}
	if err := s.store.AlterQuotas([]security.QuotaChange{{Entity: entity, Set: map[string]float64{key: value}}}); err != nil {
		s.t.Fatal(err)
	}
}

// throttled runs a test in virtual time with a topic and a listener.
func throttled(t *testing.T, test func(t *testing.T, s *server, ln *memListener)) {
	synctest.Test(t, func(t *testing.T) {
		s := startServer(t, "/d", vfs.NewMem(), nil)
		s.createTopic("t", 1, nil)
		ln := s.listen(Listener{})
		test(t, s, ln)
		s.stop()
	})
}

// A producer that sends as fast as it is let gets within 10 % of its quota.
func TestProducerQuota(t *testing.T) {
	throttled(t, func(t *testing.T, s *server, ln *memListener) {
		s.quota(security.ProducerByteRate, 100_000)
		c, start, sent := ln.raw(), time.Now(), 0
		for time.Since(start) < 30*time.Second {
			records := oneBatch(t, 1, 50_000)
			sent += len(records)
			if got := ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, records)); got.Topics[0].Partitions[0].ErrorCode != 0 {
				t.Fatalf("error %d", got.Topics[0].Partitions[0].ErrorCode)
			}
		}
		if rate := float64(sent) / time.Since(start).Seconds(); math.Abs(rate-100_000) > 10_000 {
			t.Errorf("%.0f bytes/s, want 100000", rate)
		}
	})
}

// The answer comes at once and says how long the connection is muted (KIP-219),
// that connection and no other.
func TestThrottleAnswersFirst(t *testing.T) {
	throttled(t, func(t *testing.T, s *server, ln *memListener) {
		s.quota(security.ProducerByteRate, 100_000)
		c, start := ln.raw(), time.Now()
		got := ask[*kmsg.ProduceResponse](c, produceRequest("t", -1, oneBatch(t, 1, 300_000)))
		if took := time.Since(start); took != 0 {
			t.Errorf("answered after %v, want at once", took)
		}
		if got.ThrottleMillis < 1900 || got.ThrottleMillis > 2100 {
			t.Errorf("throttle time %d ms, want about 2000: 300,000 bytes at 100,000/s, with one second for free", got.ThrottleMillis)
		}
		ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())
		if took := time.Since(start).Milliseconds(); took != int64(got.ThrottleMillis) {
			t.Errorf("the next request was answered after %d ms, want %d", took, got.ThrottleMillis)
		}
		other := time.Now()
		ask[*kmsg.MetadataResponse](ln.raw(), kmsg.NewPtrMetadataRequest())
		ask[*kmsg.ProduceResponse](s.raw(), produceRequest("t", -1, oneBatch(t, 1, 900_000))) // the worker's
		ask[*kmsg.MetadataResponse](s.raw(), kmsg.NewPtrMetadataRequest())
		if took := time.Since(other); took != 0 {
			t.Errorf("others waited %v", took)
		}
	})
}

// acks=0 has no answer to say it in; the connection is muted all the same.
func TestProducerQuotaWithoutAcks(t *testing.T) {
	throttled(t, func(t *testing.T, s *server, ln *memListener) {
		s.quota(security.ProducerByteRate, 100_000)
		c, start := ln.raw(), time.Now()
		q := produceRequest("t", 0, oneBatch(t, 1, 300_000))
		c.send(requestFrame(q, q.AppendTo(nil)))
		ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())
		if took := time.Since(start); took < 1900*time.Millisecond || took > 2100*time.Millisecond {
			t.Errorf("the next request was answered after %v, want 2s", took)
		}
	})
}

func TestConsumerQuota(t *testing.T) {
	throttled(t, func(t *testing.T, s *server, ln *memListener) {
		for range 40 {
			ask[*kmsg.ProduceResponse](s.raw(), produceRequest("t", -1, oneBatch(t, 1, 50_000)))
		}
		s.quota(security.ConsumerByteRate, 100_000)
		c, start, got, throttledOnce := ln.raw(), time.Now(), 0, false
		for offset := int64(0); offset < 40; {
			resp := ask[*kmsg.FetchResponse](c, fetchRequest("t", offset, 0, 1, 1<<20))
			n := len(resp.Topics[0].Partitions[0].RecordBatches)
			if n == 0 || n > 110_000 {
				t.Fatalf("%d bytes in one answer", n)
			}
			got += n
			offset += int64(n / 50_000)
			throttledOnce = throttledOnce || resp.ThrottleMillis > 0
		}
		if rate := float64(got) / (time.Since(start).Seconds() + 1); math.Abs(rate-100_000) > 10_000 || !throttledOnce {
			t.Errorf("%.0f bytes/s, throttled %v, want 100000", rate, throttledOnce)
		}
	})
}

// Strict versions of the admin APIs are refused beyond the quota, older ones made
// to wait (KIP-599).
func TestMutationQuota(t *testing.T) {
	throttled(t, func(t *testing.T, s *server, ln *memListener) {
		s.quota(security.MutationRate, 1)
		create := func(c rawConn, version int16, topic string) (code int16, throttle int32) {
			q := kmsg.NewPtrCreateTopicsRequest()
			q.SetVersion(version)
			q.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: topic, NumPartitions: 20, ReplicationFactor: 1}}
			resp := ask[*kmsg.CreateTopicsResponse](c, q)
			return resp.Topics[0].ErrorCode, resp.ThrottleMillis
		}
		c := ln.raw()
		if code, throttle := create(c, 7, "a"); code != 0 || throttle != 9000 {
			t.Errorf("first: error %d, throttle %d ms, want 0 and 9000: 20 of a burst of 11", code, throttle)
		}
		if code, _ := create(ln.raw(), 7, "b"); code != kerr.ThrottlingQuotaExceeded.Code {
			t.Errorf("second: error %d, want %d", code, kerr.ThrottlingQuotaExceeded.Code)
		}
		if code, throttle := create(ln.raw(), 5, "c"); code != 0 || throttle != 29_000 {
			t.Errorf("of an older version: error %d, throttle %d ms, want 0 and 29000", code, throttle)
		}
		if _, ok := s.log.Topic("b"); ok {
			t.Error("the refused topic was created")
		}
	})
}

// The time of handlers counts; that of waiting for records does not.
func TestRequestQuota(t *testing.T) {
	throttled(t, func(t *testing.T, s *server, ln *memListener) {
		s.quota(security.RequestPercentage, 1)
		c := ln.raw()
		for range 3 { // virtual time passes only while the fetch waits
			if got := ask[*kmsg.FetchResponse](c, fetchRequest("t", 0, 10*time.Second, 1, 1<<20)); got.ThrottleMillis != 0 {
				t.Errorf("a long poll is throttled by %d ms", got.ThrottleMillis)
			}
		}
		busy := &request{conn: &conn{b: s.Broker, listener: &listener{}}, principal: security.Anonymous, handler: &handler{}, received: time.Now()}
		<-time.After(50 * time.Millisecond)
		s.chargeTime(busy)
		if busy.throttled < 3900*time.Millisecond || busy.throttled > 4100*time.Millisecond {
			t.Errorf("50 ms of 1 %% throttle by %v, want 4s: 5 s of the quota, with one for free", busy.throttled)
		}
	})
}
