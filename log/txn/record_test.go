package txn

import (
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The bytes are Kafka's: version 1 of the value, with the tags of KIP-890 only
// where they differ from their defaults.
func TestRecordFormat(t *testing.T) {
	m := in(PrepareCommit, 4, 2, 0)
	m.previousID, m.version, m.nextID = 7, protocolV2, 9
	m.partitions[TopicPartition{"a", 5}] = struct{}{}
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"key", encodeKey("tx"), "0000" + "0002" + "7478"},
		{"value", encodeValue(m), "0001" + // version
			"0000000000000007" + "0004" + "0000ea60" + "02" + // producer, timeout, state
			"03" + "0261" + "02" + "00000005" + "00" + "0274" + "03" + "00000000" + "00000002" + "00" + // partitions
			"00000000000000c8" + "0000000000000064" + // updated, started
			"03" + "0008" + "0000000000000007" + "0108" + "0000000000000009" + "0202" + "0002"},
		{"empty", encodeValue(in(Empty, 0)), "0001" + "0000000000000007" + "0000" + "0000ea60" + "00" +
			"00" + // null
			"00000000000000c8" + "0000000000000064" + "00"},
	} {
		if got := hex.EncodeToString(tt.got); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.name, got, tt.want)
		}
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	for s := Empty; s <= CompleteAbort; s++ {
		m := in(s, 3)
		m.previousID, m.version = 6, protocolV2
		if s == Ongoing || s.preparing() {
			m = in(s, 3, 0, 1, 70_000)
			m.nextID = 12
		}
		got, err := decodeValue(encodeValue(m))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: got %+v, %v, want %+v", s, got, err, m)
		}
	}
	id, ok, err := decodeKey(encodeKey("an id"))
	if id != "an id" || !ok || err != nil {
		t.Errorf("key: %q, %v, %v", id, ok, err)
	}
	if _, ok, err := decodeKey([]byte{0, 1, 2, 3}); ok || err != nil {
		t.Errorf("key of a later version: %v, %v, want it skipped", ok, err)
	}
}

// Version 0 is what brokers before transaction.version 1 have written.
func TestReadVersion0(t *testing.T) {
	v := kmsg.NewTxnMetadataValue()
	v.ProducerID, v.ProducerEpoch, v.TimeoutMillis, v.State = 7, 3, 60_000, kmsg.TransactionState(Ongoing)
	v.LastUpdateTimestamp, v.StartTimestamp = 200, 100
	v.Topics = []kmsg.TxnMetadataValueTopic{{Topic: "t", Partitions: []int32{0, 1}}}
	got, err := decodeValue(v.AppendTo(nil))
	if want := in(Ongoing, 3, 0, 1); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestBadRecords(t *testing.T) {
	good := encodeValue(in(Ongoing, 3, 0, 1))
	dead := in(Dead, 3)
	for name, b := range map[string][]byte{
		"empty":            {},
		"later version":    {0, 2, 1, 2, 3},
		"cut off":          good[:len(good)-1],
		"too long":         append(good[:len(good):len(good)], 0),
		"state":            encodeValue(dead),
		"producer id":      encodeValue(newMetadata(-1)),
		"epoch":            encodeValue(newMetadata(1)),
		"many partitions":  append(append([]byte{}, good[:17]...), 0xff, 0xff, 0xff, 0xff, 0x0f),
		"many tags":        append(append([]byte{}, good[:len(good)-1]...), 0xff, 0xff, 0xff, 0xff, 0x0f),
		"version negative": {0xff, 0xff},
	} {
		if m, err := decodeValue(b); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(encodeKey("x"), encodeValue(in(Ongoing, 3, 0, 1)))
	f.Add(encodeKey(""), encodeValue(in(PrepareCommit, 3, 0)))
	f.Add([]byte{0, 1}, []byte{0, 0})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if id, ok, err := decodeKey(key); ok && err == nil && string(encodeKey(id)) != string(key) {
			t.Errorf("key %x is read as %q", key, id)
		}
		m, err := decodeValue(value)
		if err != nil {
			return
		}
		if len(m.partitions) > len(value) {
			t.Errorf("%d partitions in %d bytes", len(m.partitions), len(value))
		}
		if m.state == Empty {
			m.partitions = map[TopicPartition]struct{}{} // not written
		}
		again, err := decodeValue(encodeValue(m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v is read as %+v, %v", m, again, err)
		}
		var k kmsg.TxnMetadataValue // an independent reader of what is written
		if err := k.ReadFrom(encodeValue(m)); err != nil || k.ProducerID != m.producerID || State(k.State) != m.state || k.NextProducerID != m.nextID {
			t.Errorf("kmsg reads %+v as %+v, %v", m, k, err)
		}
	})
}
