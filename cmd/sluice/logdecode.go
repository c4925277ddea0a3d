package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// decodeOffsets says what a record of __consumer_offsets means. Keys of versions from 3 on belong to the group protocols that came
// later and stay as they are.
func decodeOffsets(key, value []byte) (k, v []log.DumpField, err error) {
	version, err := recordVersion(key)
	switch {
	case err != nil:
		return nil, nil, err
	case version <= 1:
		return decodeOffset(key, value)
	case version == 2:
		return decodeGroup(key, value)
	}
	return nil, nil, fmt.Errorf("key version %d", version)
}

// recordVersion is the version that a key or value starts with.
func recordVersion(b []byte) (int16, error) {
	if len(b) < 2 {
		return 0, errors.New("it has no version")
	}
	v := int16(binary.BigEndian.Uint16(b))
	if v < 0 {
		return 0, fmt.Errorf("version %d", v)
	}
	return v, nil
}

// checkFlexible returns an error when a value is flexible, which it is from a version on, and does not have the shape: the decoder
// would loop as often as a tag section claims (I5).
func checkFlexible(value []byte, from, last int16, shape string) error {
	version, err := recordVersion(value)
	if err != nil {
		return err
	}
	if version > last {
		return fmt.Errorf("value version %d", version)
	}
	if w := (flexWalker{b: value[2:]}); version >= from && !w.walk(shape) {
		return errors.New("value does not have its shape")
	}
	return nil
}

func decodeOffset(key, value []byte) (k, v []log.DumpField, err error) {
	var ok kmsg.OffsetCommitKey
	if err := ok.ReadFrom(key); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	k = []log.DumpField{{Name: "group", Value: ok.Group}, {Name: "topic", Value: ok.Topic}, {Name: "partition", Value: ok.Partition}}
	if value == nil {
		return k, nil, nil
	}
	if err := checkFlexible(value, 4, 4, "84s8t"); err != nil {
		return nil, nil, err
	}
	var ov kmsg.OffsetCommitValue
	if err := ov.ReadFrom(value); err != nil {
		return nil, nil, fmt.Errorf("value: %w", err)
	}
	return k, []log.DumpField{
		{Name: "offset", Value: ov.Offset}, {Name: "leaderEpoch", Value: ov.LeaderEpoch}, {Name: "metadata", Value: ov.Metadata},
		{Name: "commitTimestamp", Value: ov.CommitTimestamp},
	}, nil
}

func decodeGroup(key, value []byte) (k, v []log.DumpField, err error) {
	var gk kmsg.GroupMetadataKey
	if err := gk.ReadFrom(key); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	k = []log.DumpField{{Name: "group", Value: gk.Group}}
	if value == nil {
		return k, nil, nil
	}
	if err := checkFlexible(value, 4, 4, "s4ss8[ssss44sst]t"); err != nil {
		return nil, nil, err
	}
	var gv kmsg.GroupMetadataValue
	if err := gv.ReadFrom(value); err != nil {
		return nil, nil, fmt.Errorf("value: %w", err)
	}
	members := [][]log.DumpField{}
	for i := range gv.Members {
		m := &gv.Members[i]
		members = append(members, []log.DumpField{
			{Name: "member", Value: m.MemberID}, {Name: "instance", Value: text(m.InstanceID)}, {Name: "client", Value: m.ClientID},
			{Name: "host", Value: m.ClientHost}, {Name: "sessionTimeout", Value: m.SessionTimeoutMillis},
			{Name: "rebalanceTimeout", Value: m.RebalanceTimeoutMillis}, {Name: "subscription", Value: m.Subscription},
			{Name: "assignment", Value: m.Assignment},
		})
	}
	return k, []log.DumpField{
		{Name: "protocolType", Value: gv.ProtocolType}, {Name: "generation", Value: gv.Generation}, {Name: "protocol", Value: text(gv.Protocol)},
		{Name: "leader", Value: text(gv.Leader)}, {Name: "stateTimestamp", Value: gv.CurrentStateTimestamp}, {Name: "members", Value: members},
	}, nil
}

// text is a nullable string as a value of a field.
func text(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// decodeTransactions says what a record of __transaction_state means.
func decodeTransactions(key, value []byte) (k, v []log.DumpField, err error) {
	if version, err := recordVersion(key); err != nil || version > 0 {
		return nil, nil, errors.Join(err, fmt.Errorf("key version %d", version))
	}
	var tk kmsg.TxnMetadataKey
	if err := tk.ReadFrom(key); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	k = []log.DumpField{{Name: "transactionalId", Value: tk.TransactionalID}}
	if value == nil {
		return k, nil, nil
	}
	if err := checkFlexible(value, 1, 1, "8241[s[4]t]88t"); err != nil {
		return nil, nil, err
	}
	var tv kmsg.TxnMetadataValue
	if err := tv.ReadFrom(value); err != nil {
		return nil, nil, fmt.Errorf("value: %w", err)
	}
	partitions := [][]log.DumpField{}
	for _, t := range tv.Topics {
		for _, i := range t.Partitions {
			partitions = append(partitions, []log.DumpField{{Name: "topic", Value: t.Topic}, {Name: "partition", Value: i}})
		}
	}
	return k, []log.DumpField{
		{Name: "producerId", Value: tv.ProducerID}, {Name: "producerEpoch", Value: tv.ProducerEpoch}, {Name: "state", Value: tv.State.String()},
		{Name: "timeout", Value: tv.TimeoutMillis}, {Name: "startTimestamp", Value: tv.StartTimestamp},
		{Name: "updateTimestamp", Value: tv.LastUpdateTimestamp}, {Name: "previousProducerId", Value: tv.PreviousProducerID},
		{Name: "nextProducerId", Value: tv.NextProducerID}, {Name: "transactionVersion", Value: tv.ClientTransactionVersion},
		{Name: "partitions", Value: partitions},
	}, nil
}

// flexWalker goes over the bytes of a flexible value (KIP-482) without decoding them. A shape has a digit for a field of that many
// bytes, s for a string or bytes, [ and ] around the fields of an array's element, and t for tags.
type flexWalker struct {
	b   []byte
	bad bool
}

// walk reports whether the bytes start with the shape.
func (w *flexWalker) walk(shape string) bool {
	for i := 0; i < len(shape) && !w.bad; i++ {
		switch c := shape[i]; c {
		case 's':
			w.skip(max(w.uvarint(), 1) - 1)
		case 't':
			for n := w.uvarint(); n > 0 && !w.bad; n-- {
				w.uvarint()
				w.skip(w.uvarint())
			}
		case '[':
			end := closing(shape, i)
			for n := max(w.uvarint(), 1) - 1; n > 0 && w.walk(shape[i+1:end]); n-- {
			}
			i = end
		default:
			w.skip(uint64(c - '0'))
		}
	}
	return !w.bad
}

// closing is the index of the bracket that closes the one at i.
func closing(shape string, i int) int {
	for depth := 0; ; i++ {
		switch shape[i] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
}

func (w *flexWalker) skip(n uint64) {
	if w.bad || n > uint64(len(w.b)) {
		w.bad, w.b = true, nil
		return
	}
	w.b = w.b[n:]
}

func (w *flexWalker) uvarint() uint64 {
	v, n := binary.Uvarint(w.b)
	if n <= 0 {
		w.bad, w.b = true, nil
		return 0
	}
	w.b = w.b[n:]
	return v
}
