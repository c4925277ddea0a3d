package convert

import (
	"testing"

	"github.com/sluice-data/sluice/connect"
)

const payload = `{"device":"thermo-0042","site":"plant-7/hall-3","temperature":21.53,"humidity":48.1,` +
	`"battery":97,"status":"ok","ts":1763769600123,"tags":{"fw":"1.4.2","model":"TX-9"},"alarm":false,"seq":182736}`

const enveloped = `{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},` +
	`{"type":"string","optional":true,"field":"name"},{"type":"double","optional":true,"field":"value"}],"optional":false},` +
	`"payload":{"id":1234567,"name":"thermo-0042","value":21.53}}`

// row is an envelope of ten columns.
const row = `{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":false,"field":"customer"},` +
	`{"type":"string","optional":true,"field":"city"},{"type":"double","optional":false,"field":"price"},{"type":"int32","optional":false,"field":"quantity"},` +
	`{"type":"boolean","optional":false,"field":"paid"},{"type":"string","optional":true,"field":"comment"},` +
	`{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"field":"total"},` +
	`{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1,"field":"created"},` +
	`{"type":"array","items":{"type":"string","optional":false},"optional":false,"field":"tags"}],"optional":false},` +
	`"payload":{"id":1234567,"customer":"Müller & Söhne GmbH","city":"Friedrichshafen","price":1299.95,"quantity":3,"paid":true,` +
	`"comment":null,"total":"BfXh","created":1763769600123,"tags":["express","fragile"]}}`

// perRecord are conversions that must not allocate once the batch, the buffer and
// the caches have grown.
func perRecord(t testing.TB) map[string]func() {
	plain := settings("schemas.enable", "false")
	m := make(map[string]func())
	for _, c := range []struct {
		name string
		conv Converter
		data string
	}{
		{"Auto/json", NewAuto(false), payload},
		{"Auto/text", NewAuto(false), "a line of text that is not JSON, for the reason that it has no quotes"},
		{"Auto/bytes", NewAuto(false), "\xff\xfe\x00\x01 bytes"},
		{"Auto/key", NewAuto(true), "sensor/temperature"},
		{"String", newConverter(t, StringClass, nil), payload},
		{"ByteArray", newConverter(t, ByteArrayClass, nil), payload},
		{"Json/plain", newConverter(t, JSONClass, plain), payload},
		{"Json/envelope", newConverter(t, JSONClass, nil), enveloped},
		{"Json/row", newConverter(t, JSONClass, nil), row},
		{"Long", newConverter(t, LongClass, nil), "12345678"},
		{"SimpleHeader/text", simpleHeader{}, "sensor/temperature"},
		{"SimpleHeader/int", simpleHeader{}, "12345"},
	} {
		b := connect.NewBatch(1, 1<<20)
		data := []byte(c.data)
		buf := make([]byte, 0, 4096)
		m[c.name+"/read"] = func() {
			b.Reset()
			if _, _, err := c.conv.ToConnect(b, "t", data); err != nil {
				t.Fatal(err)
			}
		}
		s, v, err := c.conv.ToConnect(connect.NewBatch(1, 1), "t", data)
		if err != nil {
			t.Fatal(err)
		}
		m[c.name+"/write"] = func() {
			if buf, _, err = c.conv.FromConnect(buf[:0], "t", s, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

func TestConvertersDoNotAllocate(t *testing.T) {
	for name, run := range perRecord(t) {
		run()
		if got := testing.AllocsPerRun(100, run); got != 0 {
			t.Errorf("%s allocates %v times for each record, want 0", name, got)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	runs := perRecord(b)
	for _, name := range []string{"Auto/json/read", "Auto/json/write", "Auto/text/read", "Json/plain/read",
		"Json/plain/write", "Json/envelope/read", "Json/envelope/write", "Json/row/read", "Json/row/write"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			size := len(payload)
			switch name[:6] {
			case "Json/e":
				size = len(enveloped)
			case "Json/r":
				size = len(row)
			}
			b.SetBytes(int64(size))
			run := runs[name]
			for b.Loop() {
				run()
			}
		})
	}
}
