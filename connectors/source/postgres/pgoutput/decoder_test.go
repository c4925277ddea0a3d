package pgoutput_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// build makes a message: a kind, then numbers by their Go type, names with a
// zero byte for strings, raw bytes.
func build(kind pgoutput.Kind, parts ...any) []byte {
	b := []byte{byte(kind)}
	for _, p := range parts {
		switch p := p.(type) {
		case byte:
			b = append(b, p)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, p)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, p)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, p)
		case string:
			b = append(append(b, p...), 0)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// tuple makes a row of columns such as "t:text", "b:bytes", "n" and "u".
func tuple(columns ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(columns)))
	for _, c := range columns {
		b = append(b, c[0])
		if _, data, ok := strings.Cut(c, ":"); ok {
			b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
			b = append(b, data...)
		}
	}
	return b
}

func show(t pgoutput.Tuple) string {
	var parts []string
	for _, c := range t {
		if c.Data == nil {
			parts = append(parts, string(c.Kind))
		} else {
			parts = append(parts, fmt.Sprintf("%c:%s", c.Kind, c.Data))
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// describe shows what a decoder has after a message of a kind.
func describe(d *pgoutput.Decoder, kind pgoutput.Kind) string {
	switch kind {
	case pgoutput.KindBegin:
		return fmt.Sprintf("%+v", d.Begin)
	case pgoutput.KindCommit, pgoutput.KindStreamCommit:
		return fmt.Sprintf("%+v", d.Commit)
	case pgoutput.KindOrigin:
		return fmt.Sprintf("%+v", d.Origin)
	case pgoutput.KindRelation:
		return fmt.Sprintf("%+v", *d.Relation)
	case pgoutput.KindType:
		return fmt.Sprintf("%+v", d.Type)
	case pgoutput.KindInsert, pgoutput.KindUpdate, pgoutput.KindDelete:
		c := &d.Change
		return fmt.Sprintf("xid=%d rel=%d old=%q%s new=%s", c.Xid, c.Relation, c.OldKind, show(c.Old), show(c.New))
	case pgoutput.KindTruncate:
		return fmt.Sprintf("%+v", d.Truncate)
	case pgoutput.KindMessage:
		m := &d.Message
		return fmt.Sprintf("xid=%d transactional=%t %s %s=%s", m.Xid, m.Transactional, m.LSN, m.Prefix, m.Content)
	case pgoutput.KindStreamStart:
		return fmt.Sprintf("%+v", d.StreamStart)
	case pgoutput.KindStreamStop:
		return fmt.Sprintf("stream=%t", d.InStream)
	case pgoutput.KindStreamAbort:
		return fmt.Sprintf("%+v", d.StreamAbort)
	default:
		return fmt.Sprintf("%+v gid=%s", d.Prepared, d.Prepared.GID)
	}
}

type sample struct {
	inStream bool
	data     []byte
	want     string
}

const lsnA, lsnB = uint64(0x16B374D848), uint64(0x16B374D900)

var samples = []sample{
	{data: build('B', lsnB, uint64(7), uint32(731)), want: "{FinalLSN:16/B374D900 CommitTime:7 Xid:731}"},
	{data: build('C', byte(0), lsnA, lsnB, uint64(7)), want: "{Xid:0 Flags:0 CommitLSN:16/B374D848 EndLSN:16/B374D900 CommitTime:7}"},
	{data: build('O', lsnA, "pg_16389"), want: "{CommitLSN:16/B374D848 Name:pg_16389}"},
	{data: build('R', uint32(16385), "public", "t", byte('d'), uint16(2), byte(1), "id", uint32(23), ^uint32(0), byte(0), "v", uint32(1043), uint32(14)),
		want: "{Xid:0 OID:16385 Namespace:public Name:t Identity:100 Columns:[{Key:true Name:id TypeOID:23 TypeMod:-1} {Key:false Name:v TypeOID:1043 TypeMod:14}]}"},
	{inStream: true, data: build('R', uint32(9), uint32(16385), "", "t", byte('f'), uint16(0)), want: "{Xid:9 OID:16385 Namespace: Name:t Identity:102 Columns:[]}"},
	{data: build('Y', uint32(16400), "public", "mood"), want: "{Xid:0 OID:16400 Namespace:public Name:mood}"},
	{data: build('I', uint32(16385), byte('N'), tuple("t:1", "n", "t:", "b:\x00\x01")), want: "xid=0 rel=16385 old='\\x00'[] new=[t:1 n t: b:\x00\x01]"},
	{data: build('I', uint32(16385), byte('N'), tuple()), want: "xid=0 rel=16385 old='\\x00'[] new=[]"},
	{inStream: true, data: build('I', uint32(9), uint32(16385), byte('N'), tuple("t:1")), want: "xid=9 rel=16385 old='\\x00'[] new=[t:1]"},
	{data: build('U', uint32(16385), byte('N'), tuple("t:1", "u")), want: "xid=0 rel=16385 old='\\x00'[] new=[t:1 u]"},
	{data: build('U', uint32(16385), byte('K'), tuple("t:1", "n"), byte('N'), tuple("t:2", "u")), want: "xid=0 rel=16385 old='K'[t:1 n] new=[t:2 u]"},
	{inStream: true, data: build('U', uint32(9), uint32(16385), byte('O'), tuple("t:1"), byte('N'), tuple("t:2")), want: "xid=9 rel=16385 old='O'[t:1] new=[t:2]"},
	{data: build('D', uint32(16385), byte('K'), tuple("t:1", "n")), want: "xid=0 rel=16385 old='K'[t:1 n] new=[]"},
	{data: build('T', uint32(2), byte(3), uint32(16385), uint32(16390)), want: "{Xid:0 Options:3 Relations:[16385 16390]}"},
	{data: build('M', byte(1), lsnA, "pre", uint32(2), []byte("hi")), want: "xid=0 transactional=true 16/B374D848 pre=hi"},
	{inStream: true, data: build('M', uint32(9), byte(0), lsnA, "", uint32(0)), want: "xid=9 transactional=false 16/B374D848 ="},
	{data: build('S', uint32(9), byte(1)), want: "{Xid:9 First:true}"},
	{inStream: true, data: build('E'), want: "stream=false"},
	{data: build('c', uint32(9), byte(0), lsnA, lsnB, uint64(7)), want: "{Xid:9 Flags:0 CommitLSN:16/B374D848 EndLSN:16/B374D900 CommitTime:7}"},
	{data: build('A', uint32(9), uint32(11)), want: "{Xid:9 SubXid:11 AbortLSN:0/0 AbortTime:0}"},
	{data: build('A', uint32(9), uint32(9), lsnA, uint64(7)), want: "{Xid:9 SubXid:9 AbortLSN:16/B374D848 AbortTime:7}"},
	{data: build('b', lsnA, lsnB, uint64(7), uint32(9), "g"), want: "{Flags:0 LSN:16/B374D848 EndLSN:16/B374D900 Time:7 RollbackTime:0 Xid:9 GID:[103]} gid=g"},
	{data: build('P', byte(0), lsnA, lsnB, uint64(7), uint32(9), "g"), want: "{Flags:0 LSN:16/B374D848 EndLSN:16/B374D900 Time:7 RollbackTime:0 Xid:9 GID:[103]} gid=g"},
	{data: build('K', byte(0), lsnA, lsnB, uint64(7), uint32(9), "g"), want: "{Flags:0 LSN:16/B374D848 EndLSN:16/B374D900 Time:7 RollbackTime:0 Xid:9 GID:[103]} gid=g"},
	{data: build('r', byte(0), lsnA, lsnB, uint64(7), uint64(8), uint32(9), "g"), want: "{Flags:0 LSN:16/B374D848 EndLSN:16/B374D900 Time:7 RollbackTime:8 Xid:9 GID:[103]} gid=g"},
	{data: build('p', byte(0), lsnA, lsnB, uint64(7), uint32(9), "g"), want: "{Flags:0 LSN:16/B374D848 EndLSN:16/B374D900 Time:7 RollbackTime:0 Xid:9 GID:[103]} gid=g"},
}

func TestDecode(t *testing.T) {
	var d pgoutput.Decoder // one for all: messages must not see each other
	for _, s := range samples {
		d.InStream = s.inStream
		kind, err := d.Decode(s.data)
		if err != nil {
			t.Errorf("%q: %v", s.data, err)
			continue
		}
		if got := describe(&d, kind); got != s.want {
			t.Errorf("%q:\n got %s\nwant %s", s.data, got, s.want)
		}
	}
}

// TestDecodeCutOff cuts every message at every byte and makes it longer: no
// panic, an error that says so. An abort alone has two valid lengths.
func TestDecodeCutOff(t *testing.T) {
	for _, s := range samples {
		for n := range len(s.data) {
			d := pgoutput.Decoder{InStream: s.inStream}
			if kind, err := d.Decode(s.data[:n]); err == nil && !(kind == pgoutput.KindStreamAbort && n == 9) {
				t.Errorf("%q cut to %d bytes: no error", s.data, n)
			}
		}
		d := pgoutput.Decoder{InStream: s.inStream}
		if _, err := d.Decode(append(s.data[:len(s.data):len(s.data)], 0)); err == nil {
			t.Errorf("%q and a byte: no error", s.data)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":            {nil, "an empty pgoutput message"},
		"unknown message":    {[]byte("?"), "a pgoutput message of the unknown kind '?'"},
		"unknown row":        {build('I', uint32(1), byte('X'), tuple()), "a pgoutput message of kind 'I' has a row of the unknown kind 'X'"},
		"delete of new row":  {build('D', uint32(1), byte('N'), tuple()), "a pgoutput message of kind 'D' has a row of the unknown kind 'N'"},
		"insert of old row":  {build('I', uint32(1), byte('K'), tuple()), "a pgoutput message of kind 'I' has a row of the unknown kind 'K'"},
		"unknown value":      {build('I', uint32(1), byte('N'), tuple("z")), "a pgoutput row has a value of the unknown kind 'z'"},
		"unknown old value":  {build('U', uint32(1), byte('O'), tuple("z"), byte('N'), tuple()), "a pgoutput row has a value of the unknown kind 'z'"},
		"hostile columns":    {build('I', uint32(1), byte('N'), uint16(65535)), "a pgoutput message of kind 'I' is cut off: it has 8 bytes"},
		"hostile length":     {build('I', uint32(1), byte('N'), uint16(1), byte('t'), ^uint32(0)), "a pgoutput message of kind 'I' is cut off: it has 13 bytes"},
		"hostile relations":  {build('T', ^uint32(0), byte(0)), "a pgoutput message of kind 'T' is cut off: it has 6 bytes"},
		"hostile attributes": {build('R', uint32(1), "", "t", byte('d'), ^uint16(0)), "a pgoutput message of kind 'R' is cut off: it has 11 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			var d pgoutput.Decoder
			if _, err := d.Decode(c.data); err == nil || err.Error() != c.want {
				t.Errorf("got error %v, want %s", err, c.want)
			}
		})
	}
}

func TestStreamBlock(t *testing.T) {
	var d pgoutput.Decoder
	for _, step := range []struct {
		data []byte
		in   bool
	}{
		{build('S', uint32(9), byte(1)), true},
		{build('I', uint32(9), uint32(16385), byte('N'), tuple("t:1")), true},
		{build('E'), false},
		{build('I', uint32(16385), byte('N'), tuple("t:1")), false},
	} {
		if _, err := d.Decode(step.data); err != nil || d.InStream != step.in {
			t.Fatalf("%q: in a block is %t, error %v", step.data, d.InStream, err)
		}
	}
}

// mixedRow has the twelve columns of a usual table.
func mixedRow() []byte {
	return build('I', uint32(16385), byte('N'), tuple("t:123456", "t:42", "t:9007199254740993", "t:1234.5678", "t:t", "t:customer-000123456",
		"t:"+strings.Repeat("lorem ipsum ", 8), "t:2026-08-22 12:34:56.789012", "t:2026-08-22 12:34:56.789012+00", "n", "t:a81bc81b-dead-4e5d-abff-90865d1e13b1", `t:{"a": 1, "b": [true, null]}`))
}

func BenchmarkDecodeRow(b *testing.B) {
	var d pgoutput.Decoder
	data := mixedRow()
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := d.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDecodeRowAllocatesNothing(t *testing.T) {
	var d pgoutput.Decoder
	update := build('U', uint32(16385), byte('O'), tuple("t:1", "n"), byte('N'), tuple("t:2", "u"))
	row := mixedRow()
	got := testing.AllocsPerRun(100, func() {
		for _, m := range [][]byte{row, update, samples[0].data, samples[1].data} {
			if _, err := d.Decode(m); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got != 0 {
		t.Errorf("decoding a transaction allocates %v times", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples {
		f.Add(s.inStream, s.data)
	}
	f.Fuzz(func(t *testing.T, inStream bool, data []byte) {
		d := pgoutput.Decoder{InStream: inStream}
		kind, err := d.Decode(data)
		if err != nil {
			return
		}
		total := 0
		for _, row := range []pgoutput.Tuple{d.Change.Old, d.Change.New} {
			for _, c := range row {
				total += 1 + len(c.Data)
			}
		}
		if total > len(data) {
			t.Errorf("%d bytes of values come from %d bytes", total, len(data))
		}
		_ = describe(&d, kind)
	})
}
