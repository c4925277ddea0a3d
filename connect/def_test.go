package connect

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type testConfig struct {
	URI      string
	Topics   []string
	QoS      int
	Clean    bool
	MaxBytes int64
	Ratio    float64
	Retry    time.Duration
	Password Secret
	Format   string
	ACL      string
	Sep      string
}

func (c *testConfig) def() *Def {
	d := &Def{}
	d.Add(
		Option{Name: "uri", Var: &c.URI, Required: true},
		Option{Name: "topics", Var: &c.Topics, Required: true},
		Option{Name: "qos", Var: &c.QoS, Default: "1", Check: func() error {
			if c.QoS < 0 || c.QoS > 2 {
				return errors.New("Value must be 0, 1 or 2")
			}
			return nil
		}},
		Option{Name: "clean.session", Var: &c.Clean, Default: "false"},
		Option{Name: "max.bytes", Var: &c.MaxBytes, Default: "1048576"},
		Option{Name: "ratio", Var: &c.Ratio, Default: "0.5"},
		Option{Name: "retry.seconds", Var: &c.Retry, Unit: time.Second, Default: "30"},
		Option{Name: "password", Var: &c.Password, NoDefault: true},
		Option{Name: "format.class", Var: &c.Format, Class: true, Default: "com.x.JsonFormat", OneOf: []string{"com.x.JsonFormat", "com.x.AvroFormat"}},
		Option{Name: "acl", Var: &c.ACL, NoDefault: true, OneOf: []string{"private", "public"}},
		Option{Name: "sep", Var: &c.Sep, Default: "\n", Raw: true},
	)
	d.Ignore("confluent.license", "confluent.topic.*")
	return d
}

// TestParse compares what the cases of testdata/parse.txt parse to: settings as
// key=value lines (with \n and \t as in Go), then the typed config and all errors.
func TestParse(t *testing.T) {
	const file = "testdata/parse.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		input, _, _ := strings.Cut(block, "\n=>")
		out.WriteString(input + "\n=> " + parseCase(input) + "\n\n")
	}
	if got := strings.TrimSuffix(out.String(), "\n"); *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(text) {
		t.Errorf("%s: got\n%s", file, got)
	}
}

func parseCase(input string) string {
	settings := map[string]string{}
	for _, line := range strings.Split(input, "\n")[1:] {
		k, v, _ := strings.Cut(line, "=")
		settings[k] = strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(v)
	}
	var c testConfig
	d := c.def()
	values := d.Parse(settings)
	out := fmt.Sprintf("%+q", fmt.Sprintf("%+v", c))
	if err := Err(values); err != nil {
		out += "\n=> " + strings.ReplaceAll(err.Error(), "\n", "\n=> ")
	}
	for _, u := range d.Unknown(settings) {
		out += fmt.Sprintf("\n=> unknown %s, did you mean %q", u.Name, u.Suggestion)
	}
	return out
}

func TestParseShowsValues(t *testing.T) {
	var c testConfig
	values := c.def().Parse(map[string]string{"uri": " tcp://h ", "topics": "a", "password": "s3cret"})
	shown := map[string]string{}
	for _, v := range values {
		if v.Value != nil {
			shown[v.Option.Name] = *v.Value
		}
	}
	for name, want := range map[string]string{"uri": "tcp://h", "qos": "1", "password": HiddenValue, "sep": "\n"} {
		if shown[name] != want {
			t.Errorf("%s: got %q, want %q", name, shown[name], want)
		}
	}
	if _, ok := shown["acl"]; ok {
		t.Error("acl has no default but a value is shown")
	}
	if c.Password.Reveal() != "s3cret" {
		t.Error("the password did not arrive")
	}
}

func TestErrorsHidePasswordsOfURIs(t *testing.T) {
	var uris []string
	d := &Def{}
	d.Add(Option{Name: "uris", Var: &uris, Required: true, Check: func() error { return errors.New("no") }})
	err := Err(d.Parse(map[string]string{"uris": "tcp://ann:s3cret@h:1883,ws://bob:s3cret@h/@x"}))
	if want := "Invalid value [tcp://[hidden]@h:1883, ws://[hidden]@x] for configuration uris: no"; err.Error() != want {
		t.Errorf("got %s, want %s", err, want)
	}
	var uri string
	d = &Def{}
	d.Add(Option{Name: "uri", Var: &uri, Check: func() error { return fmt.Errorf("%q is no URI", uri) }})
	for _, text := range []string{"http://ann:s3cret@h:1", "ann:s3cret@h:1", "ann:12/s3cret@h", "http://ann:s3cret/?#@h", "http://ann:12/s3cret@h", "http://ann:p@s3cret/@h", "http://ann:s3cret x@h",
		"http://s3cret@h", "http://s3cret:@h"} {
		err := Err(d.Parse(map[string]string{"uri": text}))
		if strings.Contains(err.Error(), "s3cret") || strings.Count(err.Error(), "[hidden]@h") != 2 {
			t.Errorf("%s: %s", text, err)
		}
	}
	for _, text := range []string{"http://h/?mail=ann@h", "ann@h", "SELECT a FROM b WHERE c = 'd:e@f'", "h:1", `{"a": "b@c"}`} {
		if got := WithoutUserInfo(text); got != text {
			t.Errorf("%s: got %s, want the same", text, got)
		}
	}
}

func TestDurationsBeyondTheRange(t *testing.T) {
	var c testConfig
	c.def().Parse(map[string]string{"retry.seconds": "9223372036854775807"})
	if c.Retry != math.MaxInt64 {
		t.Errorf("got %d, want the longest duration", c.Retry)
	}
	c.def().Parse(map[string]string{"retry.seconds": "-9223372036854775808"})
	if c.Retry != math.MinInt64 {
		t.Errorf("got %d, want the shortest duration", c.Retry)
	}
}

func TestWrongDeclarationsPanic(t *testing.T) {
	var s string
	var u uint
	for name, options := range map[string][]Option{
		"twice":       {{Name: "a", Var: &s}, {Name: "a", Var: &s}},
		"no name":     {{Var: &s}},
		"unsupported": {{Name: "a", Var: &u}},
		"no variable": {{Name: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			new(Def).Add(options...)
		})
	}
}

func TestSecretHidesItself(t *testing.T) {
	s := struct{ Password Secret }{NewSecret("s3cret")}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", s.Password, "b", s)
	j, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %d %x", s, s, s, s.Password, s.Password, s.Password, s) + log.String() + string(j)
	if strings.Contains(all, "s3cret") || strings.Contains(all, "733363726574") {
		t.Errorf("the secret shows: %s", all)
	}
}

func TestClosest(t *testing.T) {
	names := []string{"flush.size", "topics", "s3.bucket.name", "S3SinkConnector"}
	for text, want := range map[string]string{
		"flush.sise": "flush.size", "topic": "topics", "s3.bucket": "", "bucket.name": "s3.bucket.name",
		"s3sinkconnector": "S3SinkConnector", "": "", "zzzz": "",
	} {
		if got := Closest(text, names); got != want {
			t.Errorf("Closest(%q): got %q, want %q", text, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	if Retriable(nil) != nil {
		t.Error("Retriable(nil) is an error")
	}
	cause := errors.New("slow down")
	err := fmt.Errorf("put object: %w", Retriable(cause))
	if !IsRetriable(err) || !errors.Is(err, cause) || IsRetriable(cause) {
		t.Errorf("retriable %t, cause found %t", IsRetriable(err), errors.Is(err, cause))
	}
	batch := &BatchError{Failed: []RecordError{{2, cause}, {5, errors.New("x")}}}
	if want := "2 records of the batch failed, the first is record 2: slow down"; batch.Error() != want || !errors.Is(batch, cause) {
		t.Errorf("got %q", batch)
	}
}
