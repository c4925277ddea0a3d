package txn

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions of the records: values since version 1 are flexible (KIP-890).
const (
	keyVersion   = 0
	valueVersion = 1
)

func encodeKey(id string) []byte {
	key := kmsg.NewTxnMetadataKey()
	key.Version, key.TransactionalID = keyVersion, id
	return key.AppendTo(nil)
}

// encodeValue writes what is stored of an id. Its partitions are null while it is
// Empty, as Kafka has it.
func encodeValue(m metadata) []byte {
	v := kmsg.NewTxnMetadataValue()
	v.Version = valueVersion
	v.ProducerID, v.ProducerEpoch, v.TimeoutMillis = m.producerID, m.epoch, m.timeoutMs
	v.State = kmsg.TransactionState(m.state)
	v.LastUpdateTimestamp, v.StartTimestamp = m.updatedMs, m.startMs
	v.PreviousProducerID, v.NextProducerID, v.ClientTransactionVersion = m.previousID, m.nextID, m.version
	if m.state != Empty {
		v.Topics = []kmsg.TxnMetadataValueTopic{}
	}
	for _, tp := range sorted(m.partitions) {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != tp.Topic {
			t := kmsg.NewTxnMetadataValueTopic()
			t.Topic = tp.Topic
			v.Topics = append(v.Topics, t)
		}
		t := &v.Topics[len(v.Topics)-1]
		t.Partitions = append(t.Partitions, tp.Partition)
	}
	return v.AppendTo(nil)
}

// sorted lists partitions by topic and number.
func sorted(partitions map[TopicPartition]struct{}) []TopicPartition {
	list := make([]TopicPartition, 0, len(partitions))
	for tp := range partitions {
		list = append(list, tp)
	}
	slices.SortFunc(list, func(a, b TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return list
}

var errRecord = errors.New("not a record of a transactional id")

// decodeKey returns the transactional id of a key. ok is false for a key of a
// version that came later, which is skipped.
func decodeKey(b []byte) (id string, ok bool, err error) {
	d := decoder{b: b}
	if version := d.int16(); d.bad || version != keyVersion {
		return "", false, d.err()
	}
	n := d.int16()
	id = string(d.take(int(n)))
	return id, true, d.end()
}

// decodeValue reads a value of version 0 or 1. It takes memory in proportion to
// len(b), whatever the counts in it say.
func decodeValue(b []byte) (metadata, error) {
	d := decoder{b: b}
	version := d.int16()
	if version < 0 || version > valueVersion {
		return metadata{}, fmt.Errorf("%w: value version %d", errRecord, version)
	}
	d.flexible = version >= 1
	m := newMetadata(d.int64())
	m.epoch = d.int16()
	m.timeoutMs = d.int32()
	m.state = State(d.int8())
	m.partitions = d.partitions()
	m.updatedMs, m.startMs = d.int64(), d.int64()
	d.tags(func(tag uint64, v *decoder) {
		switch tag {
		case 0:
			m.previousID = v.int64()
		case 1:
			m.nextID = v.int64()
		case 2:
			m.version = v.int16()
		}
	})
	if err := d.end(); err != nil {
		return metadata{}, err
	}
	return m, m.checkStored()
}

// checkStored refuses what no coordinator writes.
func (m metadata) checkStored() error {
	switch {
	case m.state < Empty || m.state > CompleteAbort:
		return fmt.Errorf("%w: state %d", errRecord, m.state)
	case m.producerID < 0 || m.epoch < 0 || m.nextID < noID:
		return fmt.Errorf("%w: producer id %d, epoch %d, next producer id %d", errRecord, m.producerID, m.epoch, m.nextID)
	}
	return nil
}

// decoder cuts fields off the front of b. bad is set by the first that does not
// fit; then everything reads as zero.
type decoder struct {
	b        []byte
	flexible bool // strings, arrays and tags of KIP-482
	bad      bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

// fixed takes n bytes, zeros when there are not so many.
func (d *decoder) fixed(n int) []byte {
	if b := d.take(n); b != nil {
		return b
	}
	return make([]byte, n)
}

func (d *decoder) int8() int8   { return int8(d.fixed(1)[0]) }
func (d *decoder) int16() int16 { return int16(binary.BigEndian.Uint16(d.fixed(2))) }
func (d *decoder) int32() int32 { return int32(binary.BigEndian.Uint32(d.fixed(4))) }
func (d *decoder) int64() int64 { return int64(binary.BigEndian.Uint64(d.fixed(8))) }

func (d *decoder) uvarint() uint64 {
	u, n := binary.Uvarint(d.b)
	if n <= 0 || u > 1<<32-1 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return u
}

// count reads the length of an array, 0 for null. No element is smaller than a
// byte.
func (d *decoder) count() int {
	n := 0
	if d.flexible {
		n = int(d.uvarint()) - 1
	} else {
		n = int(d.int32())
	}
	if n > len(d.b) {
		d.bad, d.b = true, nil
	}
	if d.bad {
		return 0
	}
	return max(n, 0)
}

func (d *decoder) string() string {
	n := 0
	if d.flexible {
		n = int(d.uvarint()) - 1
	} else {
		n = int(d.int16())
	}
	return string(d.take(n))
}

func (d *decoder) partitions() map[TopicPartition]struct{} {
	set := map[TopicPartition]struct{}{}
	for range d.count() {
		topic := d.string()
		for range d.count() {
			if p := d.int32(); !d.bad {
				set[TopicPartition{topic, p}] = struct{}{}
			}
		}
		d.tags(func(uint64, *decoder) {})
		if d.bad {
			return nil
		}
	}
	return set
}

// tags hands each tag of a section to read.
func (d *decoder) tags(read func(tag uint64, v *decoder)) {
	if !d.flexible {
		return
	}
	for range d.uvarint() {
		tag := d.uvarint()
		v := decoder{b: d.take(int(d.uvarint()))}
		if d.bad {
			return
		}
		read(tag, &v)
		d.bad = d.bad || v.bad
	}
}

func (d *decoder) err() error {
	if d.bad {
		return fmt.Errorf("%w: it ends early", errRecord)
	}
	return nil
}

// end is err after the last field.
func (d *decoder) end() error {
	if !d.bad && len(d.b) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errRecord, len(d.b))
	}
	return d.err()
}
