package count

import (
	"encoding/json"
	"testing"

	"github.com/sluice-data/sluice/connect"
)

func TestCheck(t *testing.T) {
	fields := Fields{Partition: "task", Offset: "next"}
	for _, c := range []struct{ partition, offset, want string }{
		{`{"task":0}`, `{"next":9223372036854775807}`, ""},
		{`{"task":0,"other":"x"}`, `{"next":0,"other":[]}`, ""},
		{`rubbish`, ``, ""},
		{`{}`, `{"next":1}`, `the partition: {} needs the field "task" with a number from 0 on`},
		{`{"task":-1}`, `{"next":1}`, `the partition: {"task":-1} needs the field "task" with a number from 0 on`},
		{`{"task":0}`, `{"next":1.5}`, `the offset: {"next":1.5} needs the field "next" with a number from 0 on`},
		{`{"task":0}`, `{"next":"1"}`, `the offset: {"next":"1"} needs the field "next" with a number from 0 on`},
		{`{"task":0}`, `[]`, `the offset: read []: json: cannot unmarshal array into Go value of type map[string]json.RawMessage`},
	} {
		m := connect.Mark{Partition: json.RawMessage(c.partition)}
		if c.offset != "" {
			m.Offset = json.RawMessage(c.offset)
		}
		got := ""
		if err := fields.Check([]connect.Mark{m}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.partition, c.offset, got, c.want)
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add([]byte(`{"next":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := Number(text, "next")
		if err != nil {
			return
		}
		if again, err := Number(Object("next", n), "next"); err != nil || again != n || n < 0 {
			t.Errorf("%q is %d, and that %d, %v", text, n, again, err)
		}
	})
}
