package differential

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/batch"
)

// scope resolves what the fields of a request refer to.
type scope struct {
	vars    map[string]any
	topicID func(topic string) ([16]byte, error)
}

// request makes a request of a step's fields.
func (s *scope) request(key kmsg.Key, version int16, fields string) (kmsg.Request, error) {
	r := key.Request()
	r.SetVersion(version)
	if fields == "" {
		return r, nil
	}
	d := json.NewDecoder(strings.NewReader(fields))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("parse fields: %w", err)
	}
	if err := s.set(reflect.ValueOf(r).Elem(), v); err != nil {
		return nil, fmt.Errorf("set fields of %s: %w", key.Name(), err)
	}
	return r, nil
}

// set assigns a JSON value to a Go value.
func (s *scope) set(dst reflect.Value, v any) error {
	if text, ok := v.(string); ok && len(text) > 1 && (text[0] == '@' || text[0] == '$') {
		value, err := s.valueOf(text)
		if err != nil || value == nil {
			return err
		}
		return assign(dst, value)
	}
	switch v := v.(type) {
	case nil:
		dst.SetZero()
		return nil
	case map[string]any:
		return s.setStruct(dst, v)
	case []any:
		return s.setSlice(dst, v)
	case json.Number:
		return setNumber(dst, string(v))
	default:
		return assign(dst, v)
	}
}

func (s *scope) setStruct(dst reflect.Value, fields map[string]any) error {
	if dst.Kind() == reflect.Pointer {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
		useDefaults(dst)
	}
	for name, v := range fields {
		f := dst.FieldByName(name)
		if !f.IsValid() {
			return fmt.Errorf("%s has no field %s", dst.Type(), name)
		}
		if err := s.set(f, v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (s *scope) setSlice(dst reflect.Value, elems []any) error {
	slice := reflect.MakeSlice(dst.Type(), len(elems), len(elems))
	for i, e := range elems {
		useDefaults(slice.Index(i))
		if err := s.set(slice.Index(i), e); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	dst.Set(slice)
	return nil
}

// useDefaults calls the Default method that kmsg's structs have.
func useDefaults(v reflect.Value) {
	if d, ok := v.Addr().Interface().(interface{ Default() }); ok {
		d.Default()
	}
}

func setNumber(dst reflect.Value, text string) error {
	switch {
	case dst.CanInt():
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		dst.SetInt(n)
	case dst.CanFloat():
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		dst.SetFloat(f)
	default:
		return fmt.Errorf("a number for a %s", dst.Type())
	}
	return nil
}

// assign sets dst to a value of its type, its kind, or that it points to. A
// string does for bytes.
func assign(dst reflect.Value, value any) error {
	v := reflect.ValueOf(value)
	if dst.Kind() == reflect.Pointer && v.Type().ConvertibleTo(dst.Type().Elem()) {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	if !v.Type().ConvertibleTo(dst.Type()) || (v.CanInt() && dst.Kind() == reflect.String) {
		return fmt.Errorf("a %s for a %s", v.Type(), dst.Type())
	}
	dst.Set(v.Convert(dst.Type()))
	return nil
}

// valueOf is what a string stands for:
//
//	$NAME             a saved value; the field's default when there was no answer to save from
//	@id TOPIC         the topic's id
//	@hex 00ff         bytes
//	@text N           N letters
//	@batch OPTIONS    a record batch, see makeBatch
func (s *scope) valueOf(text string) (any, error) {
	word, rest, _ := strings.Cut(text, " ")
	switch {
	case word[0] == '$':
		return s.vars[word[1:]], nil
	case word == "@id":
		return s.topicID(rest)
	case word == "@hex":
		return hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
	case word == "@text":
		n, err := strconv.Atoi(rest)
		return strings.Repeat("x", n), err
	case word == "@batch":
		return s.makeBatch(rest)
	}
	return nil, fmt.Errorf("%q stands for nothing", text)
}

// makeBatch makes a batch of words NAME=VALUE, and corrupts it as asked:
//
//	n=3 key=k value=v size=BYTES ts=MS step=MS    records; key=null and value=null; ts of the first and between them
//	codec=1                               gzip, snappy, lz4, zstd
//	pid=N epoch=N seq=N                   an idempotent producer
//	attrs=N magic=N base=N count=N delta=N length=N crc=N    header fields after the fact; crc only leaves a wrong one
//	twice=1 cut=N                         two batches; the last N bytes dropped
func (s *scope) makeBatch(text string) ([]byte, error) {
	o := map[string]string{}
	for _, w := range strings.Fields(text) {
		k, v, _ := strings.Cut(w, "=")
		o[k] = v
	}
	num := func(name string, or int64) int64 {
		v, ok := o[name]
		if !ok {
			return or
		}
		if saved := reflect.ValueOf(s.vars[strings.TrimPrefix(v, "$")]); saved.IsValid() {
			return saved.Int()
		}
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	b := batch.Builder{Codec: batch.Codec(num("codec", 0)), Idempotent: num("pid", -1) >= 0,
		ProducerID: num("pid", -1), ProducerEpoch: int16(num("epoch", 0)), BaseSequence: int32(num("seq", 0))}
	value := nullable(o["value"], fmt.Sprintf("v%s", strings.Repeat("x", int(num("size", 0)))))
	for i := range num("n", 1) {
		b.Append(num("ts", 1_000_000)+i*num("step", 1), nullable(o["key"], "k"), value)
	}
	out, err := b.Build(nil)
	if err != nil {
		return nil, err
	}
	out = patch(out, o, num)
	if o["twice"] != "" {
		out = append(out, out...)
	}
	return out[:len(out)-int(num("cut", 0))], nil
}

func nullable(text, or string) []byte {
	switch text {
	case "null":
		return nil
	case "":
		return []byte(or)
	}
	return []byte(text)
}

// patch overwrites header fields, and makes the CRC right again unless a wrong
// one is wanted.
func patch(b []byte, o map[string]string, num func(string, int64) int64) []byte {
	for _, f := range []struct {
		name      string
		pos, size int
	}{
		{"base", 0, 8}, {"length", 8, 4}, {"leaderEpoch", 12, 4}, {"magic", 16, 1}, {"attrs", 21, 2}, {"delta", 23, 4},
		{"ptid", 43, 8}, {"pepoch", 51, 2}, {"pseq", 53, 4}, {"count", 57, 4},
	} {
		if _, ok := o[f.name]; !ok {
			continue
		}
		n := num(f.name, 0)
		for i := range f.size {
			b[f.pos+i] = byte(n >> (8 * (f.size - 1 - i)))
		}
	}
	if _, wrong := o["crc"]; wrong {
		b[17]++
		return b
	}
	return withCRC(b)
}
