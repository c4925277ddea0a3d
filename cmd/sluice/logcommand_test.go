package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/batch"
)

// logged makes a data directory with a log that has one record.
func logged(t *testing.T) (dir string, l *log.Log) {
	t.Helper()
	dir = t.TempDir()
	l, err := log.Open(log.Config{Dir: filepath.Join(dir, logDir)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	topic, err := l.CreateTopic("t", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := topic.Partition(0)
	b := batch.Builder{}
	b.Append(1_700_000_000_000, []byte("k"), []byte("v"))
	raw, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Append(raw, log.AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitDurable(t.Context(), r.LastOffset); err != nil {
		t.Fatal(err)
	}
	return dir, l
}

// sluice runs a command.
func sluice(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs}
	code = p.run(args)
	return code, out.String(), errs.String()
}

// TestLogCheck checks a directory that is in use, one that is sound, and one with a flipped bit.
func TestLogCheck(t *testing.T) {
	dir, l := logged(t)
	segment := filepath.Join(dir, logDir, "t-0", "00000000000000000000.log")
	want := func(code int, stdout, stderr string, args ...string) {
		t.Helper()
		gotCode, gotOut, gotErr := sluice(append([]string{"log", "check"}, args...)...)
		if gotCode != code || !strings.Contains(gotOut, stdout) || !strings.Contains(gotErr, stderr) {
			t.Errorf("log check %q: code %d, stdout %q, stderr %q; want %d, %q, %q", args, gotCode, gotOut, gotErr, code, stdout, stderr)
		}
	}
	want(exitError, "", "is in use by a running sluice", dir)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want(exitOK, "1 topics, 1 partitions, 1 segments, 1 batches, 1 records, 70 bytes: 0 problems, 0 notes\n", "", dir)
	want(exitOK, "0 problems", "", filepath.Join(dir, logDir))
	want(exitError, "", "is no data directory", filepath.Join(dir, logDir, "t-0"))
	want(exitError, "", "find log: ", filepath.Join(dir, "none"))
	want(exitUsage, "", "takes one directory, got 2", dir, dir)
	want(exitUsage, "", "-nope", dir, "--nope")
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	b[65] ^= 1
	if err := os.WriteFile(segment, b, 0o600); err != nil {
		t.Fatal(err)
	}
	want(exitError, segment+": position 0, offset 0: corrupt batch: CRC is ", "", dir)
	want(exitError, "1 segments, 0 batches", "", dir)
}

// TestLogDump runs the command line; what is printed of the kinds of files is for the tests of package log.
func TestLogDump(t *testing.T) {
	dir, l := logged(t)
	segment := filepath.Join(dir, logDir, "t-0", "00000000000000000000.log")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{segment}, exitOK, "batch position: 0 size: 70 baseOffset: 0 lastOffset: 0 count: 1 codec: none", ""},
		{[]string{"-records", segment}, exitOK, `record offset: 0 timestamp: 1700000000000 key: "k" value: "v"`, ""},
		{[]string{segment, "--records", "--format", "json"}, exitOK, `{"type":"record","offset":0,"timestamp":1700000000000,"key":"k","value":"v"}`, ""},
		{[]string{segment, "--decode", "offsets"}, exitOK, `key: "k" value: "v" notDecoded: "it has no version"`, ""},
		{[]string{segment, "--format", "xml"}, exitUsage, "", "--format xml: use text or json"},
		{[]string{segment, "--decode", "acls"}, exitUsage, "", "--decode acls: use offsets or transactions"},
		{nil, exitUsage, "", "takes one file, got 0"},
		{[]string{dir}, exitError, "", "want a name of 20 digits"},
		{[]string{segment + "x"}, exitError, "", "want a name of 20 digits"},
		{[]string{"-h"}, exitOK, "", "-records"},
	}
	for _, tt := range tests {
		code, stdout, stderr := sluice(append([]string{"log", "dump"}, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("log dump %q: code %d, stdout %q, stderr %q; want %d, %q, %q", tt.args, code, stdout, stderr, tt.code, tt.stdout, tt.stderr)
		}
	}
	if err := os.Truncate(segment, 50); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := sluice("log", "dump", segment)
	if code != exitError || !strings.Contains(stdout, "damage position: 0") || !strings.Contains(stderr, "damaged in 1 places") {
		t.Errorf("damaged file: code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// coordinatorRecords are records of both coordinators, with what the dump makes of them.
func coordinatorRecords() []struct {
	decode     func(key, value []byte) (k, v []log.DumpField, err error)
	key, value []byte
	want       string
} {
	offsetKey := kmsg.OffsetCommitKey{Version: 1, Group: "g", Topic: "t", Partition: 3}
	offset := kmsg.OffsetCommitValue{Version: 3, Offset: 42, LeaderEpoch: 1, Metadata: "m", CommitTimestamp: 99}
	flexOffset := offset
	flexOffset.Version = 4
	groupKey := kmsg.GroupMetadataKey{Version: 2, Group: "g"}
	group := kmsg.GroupMetadataValue{
		Version: 3, ProtocolType: "consumer", Generation: 7, Protocol: kmsg.StringPtr("range"), Leader: kmsg.StringPtr("m1"),
		CurrentStateTimestamp: 5, Members: []kmsg.GroupMetadataValueMember{{MemberID: "m1", ClientID: "c", ClientHost: "/h",
			SessionTimeoutMillis: 10, RebalanceTimeoutMillis: 20, Subscription: []byte("s"), Assignment: []byte("a")}},
	}
	flexGroup := group
	flexGroup.Version = 4
	txnKey := kmsg.TxnMetadataKey{TransactionalID: "tx"}
	txn := kmsg.TxnMetadataValue{
		ProducerID: 4, ProducerEpoch: 2, TimeoutMillis: 60, State: kmsg.TransactionStateOngoing, LastUpdateTimestamp: 8, StartTimestamp: 7,
		Topics: []kmsg.TxnMetadataValueTopic{{Topic: "t", Partitions: []int32{0, 1}}},
	}
	flexTxn := txn
	flexTxn.Version, flexTxn.PreviousProducerID, flexTxn.NextProducerID, flexTxn.ClientTransactionVersion = 1, 3, -1, 2
	const offsetText = `{"group":"g","topic":"t","partition":3} {"offset":42,"leaderEpoch":1,"metadata":"m","commitTimestamp":99}`
	const groupText = `{"group":"g"} {"protocolType":"consumer","generation":7,"protocol":"range","leader":"m1","stateTimestamp":5,"members":[` +
		`{"member":"m1","instance":null,"client":"c","host":"/h","sessionTimeout":10,"rebalanceTimeout":20,"subscription":"s","assignment":"a"}]}`
	const txnText = `{"transactionalId":"tx"} {"producerId":4,"producerEpoch":2,"state":"Ongoing","timeout":60,"startTimestamp":7,"updateTimestamp":8,`
	return []struct {
		decode     func(key, value []byte) (k, v []log.DumpField, err error)
		key, value []byte
		want       string
	}{
		{decodeOffsets, offsetKey.AppendTo(nil), offset.AppendTo(nil), offsetText},
		{decodeOffsets, offsetKey.AppendTo(nil), flexOffset.AppendTo(nil), offsetText},
		{decodeOffsets, offsetKey.AppendTo(nil), nil, `{"group":"g","topic":"t","partition":3} null`},
		{decodeOffsets, groupKey.AppendTo(nil), group.AppendTo(nil), groupText},
		{decodeOffsets, groupKey.AppendTo(nil), flexGroup.AppendTo(nil), groupText},
		{decodeOffsets, []byte{0, 9, 1}, []byte{}, "key version 9"},
		{decodeTransactions, txnKey.AppendTo(nil), txn.AppendTo(nil), txnText},
		{decodeTransactions, txnKey.AppendTo(nil), flexTxn.AppendTo(nil), txnText +
			`"previousProducerId":3,"nextProducerId":-1,"transactionVersion":2,"partitions":[{"topic":"t","partition":0},{"topic":"t","partition":1}]}`},
		{decodeTransactions, txnKey.AppendTo(nil), nil, `{"transactionalId":"tx"} null`},
		{decodeTransactions, txnKey.AppendTo(nil), append(flexTxn.AppendTo(nil)[:30:30], 0xff, 0xff, 0xff, 0xff, 0x0f), "value does not have its shape"},
	}
}

func TestDecodeCoordinatorRecords(t *testing.T) {
	for _, tt := range coordinatorRecords() {
		k, v, err := tt.decode(tt.key, tt.value)
		got := fieldsJSON(t, k) + " " + fieldsJSON(t, v)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%x %x\ngot  %s\nwant %s", tt.key, tt.value, got, tt.want)
		}
	}
}

// fieldsJSON writes fields as the dump does.
func fieldsJSON(t *testing.T, fields []log.DumpField) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "00000000000000000000.log")
	b := batch.Builder{}
	b.Append(0, []byte{}, []byte{})
	raw, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := log.DumpOptions{JSON: true, Records: true, Decode: func(_, _ []byte) (k, v []log.DumpField, err error) { return fields, nil, nil }}
	if _, err := log.Dump(&out, name, o); err != nil {
		t.Fatal(err)
	}
	var record struct{ Key json.RawMessage }
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &record); err != nil {
		t.Fatal(err)
	}
	return string(record.Key)
}

// FuzzDecodeCoordinatorRecords decodes arbitrary bytes: it ends, whatever counts they claim (I5).
func FuzzDecodeCoordinatorRecords(f *testing.F) {
	for _, tt := range coordinatorRecords() {
		f.Add(tt.key, tt.value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		for _, decode := range []func(key, value []byte) (k, v []log.DumpField, err error){decodeOffsets, decodeTransactions} {
			if k, _, err := decode(key, value); err == nil && k == nil {
				t.Error("no key and no error")
			}
		}
	})
}
