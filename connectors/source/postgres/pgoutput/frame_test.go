package pgoutput_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

func TestLSN(t *testing.T) {
	for text, want := range map[string]pgoutput.LSN{"0/0": 0, "0/A": 10, "16/B374D848": 0x16B374D848, "FFFFFFFF/FFFFFFFF": 1<<64 - 1, "1/0": 1 << 32} {
		got, err := pgoutput.ParseLSN(text)
		if err != nil || got != want {
			t.Errorf("ParseLSN(%q): got %d, error %v, want %d", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("%d is %q, want %q", want, got.String(), text)
		}
	}
	for _, text := range []string{"", "/", "16", "16/", "/1", "G/0", "1/2/3", "100000000/0", "-1/0", "1/+2"} {
		if lsn, err := pgoutput.ParseLSN(text); err == nil {
			t.Errorf("ParseLSN(%q): got %s, want an error", text, lsn)
		}
	}
}

func TestFrames(t *testing.T) {
	x, err := pgoutput.ParseXLogData(build('w', lsnA, lsnB, uint64(7), []byte("E")))
	if err != nil || uint64(x.WALStart) != lsnA || uint64(x.ServerWALEnd) != lsnB || x.ServerTime != 7 || string(x.Data) != "E" {
		t.Errorf("got %+v, error %v", x, err)
	}
	k, err := pgoutput.ParseKeepalive(build('k', lsnA, uint64(7), byte(1)))
	if err != nil || uint64(k.ServerWALEnd) != lsnA || k.ServerTime != 7 || !k.ReplyRequested {
		t.Errorf("got %+v, error %v", k, err)
	}
	for _, b := range [][]byte{nil, build('w', lsnA, lsnB), build('k', lsnA)} {
		if _, err := pgoutput.ParseXLogData(b); err == nil {
			t.Errorf("%q is taken for a frame", b)
		}
		if _, err := pgoutput.ParseKeepalive(b); err == nil {
			t.Errorf("%q is taken for a keepalive", b)
		}
	}
}

func TestStatusUpdate(t *testing.T) {
	at := time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
	got := pgoutput.StatusUpdate{Written: 3, Flushed: 2, Applied: 1, Clock: pgoutput.Clock(at), RequestReply: true}.Append(nil)
	want := "64" + "00000026" + "72" + "0000000000000003" + "0000000000000002" + "0000000000000001" + "00000000000f4240" + "01"
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
	if got := pgoutput.UnixMicros(pgoutput.Clock(at)); got != at.UnixMicro() {
		t.Errorf("%d is not %d", got, at.UnixMicro())
	}
}
