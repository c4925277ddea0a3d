package differential

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/batch"
)

// renderer writes answers as lines "PATH VALUE" and names what differs from
// run to run by the order in which it appears: <pid 1>, <uuid 2>.
type renderer struct {
	names  map[string]string // kind and value -> name
	counts map[string]int
	topics map[[16]byte]string
}

func newRenderer() *renderer {
	return &renderer{names: map[string]string{}, counts: map[string]int{}, topics: map[[16]byte]string{}}
}

// named is the name of a value that differs from run to run.
func (r *renderer) named(kind, value string) string {
	name, ok := r.names[kind+value]
	if !ok {
		r.counts[kind]++
		name = fmt.Sprintf("<%s %d>", kind, r.counts[kind])
		r.names[kind+value] = name
	}
	return name
}

// lines renders a response. What equals kmsg's default is left out.
func (r *renderer) lines(resp kmsg.Response) []string {
	v := reflect.ValueOf(resp).Elem()
	if lines := r.structLines("", "", v); lines[0] != "" {
		return lines
	}
	return []string{"nothing but defaults"}
}

// ignored are fields of which nothing is said: what Kafka sets them to is its own
// affair, or goes without saying.
var ignored = []string{"Version", "ThrottleMillis", "UnknownTags", "ErrorMessage"}

// structLines renders the fields that hold one value in one line, then the others.
// The field that key names is left out: it is in the path.
func (r *renderer) structLines(path, key string, v reflect.Value) []string {
	defaults := reflect.New(v.Type())
	useDefaults(defaults.Elem())
	head, found := path, false
	var lines []string
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		f, def := v.Field(i), defaults.Elem().Field(i)
		equal := reflect.DeepEqual(f.Interface(), def.Interface())
		if name == key || slices.Contains(ignored, name) || equal {
			continue
		}
		at := strings.TrimPrefix(path+"."+name, ".")
		if nested := r.nested(at, name, f); nested != nil {
			lines = append(lines, nested...)
			continue
		}
		head, found = head+" "+name+" "+r.scalar(name, f), true
	}
	if found || len(lines) == 0 {
		lines = append([]string{strings.TrimPrefix(head, " ")}, lines...)
	}
	return lines
}

// nested renders what has lines of its own, and nothing for other values.
func (r *renderer) nested(path, name string, v reflect.Value) []string {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return r.nested(path, name, v.Elem())
	case v.Kind() == reflect.Struct:
		return r.structLines(path, "", v)
	case v.Kind() != reflect.Slice:
		return nil
	case v.IsNil():
		return []string{path + " null"}
	case name == "RecordBatches":
		return r.batches(path, v.Bytes())
	case v.Type().Elem().Kind() == reflect.Uint8:
		return []string{fmt.Sprintf("%s %q", path, v.Bytes())}
	case v.Type().Elem().Kind() == reflect.Struct:
		return r.elements(path, v)
	}
	return []string{path + " " + r.list(name, v)}
}

// elements renders structs sorted: their order means nothing in answers.
func (r *renderer) elements(path string, v reflect.Value) []string {
	if v.Len() == 0 {
		return []string{path + " []"}
	}
	var elems [][]string
	for i := range v.Len() {
		key, value := r.keyOf(v.Index(i))
		elems = append(elems, r.structLines(path+"["+value+"]", key, v.Index(i)))
	}
	slices.SortStableFunc(elems, slices.Compare)
	return slices.Concat(elems...)
}

func (r *renderer) list(name string, v reflect.Value) string {
	var words []string
	for i := range v.Len() {
		words = append(words, r.scalar(name, v.Index(i)))
	}
	slices.Sort(words)
	return "[" + strings.Join(words, " ") + "]"
}

// keys are the fields that name an element, the first that it has.
var keys = []string{"Topic", "Name", "Group", "GroupID", "ConfigName", "ApiKey", "NodeID", "Key", "ResourceName", "TransactionalID", "User", "Partition", "InstanceID", "MemberID", "TopicID"}

// keyOf returns the field that names an element, and its value.
func (r *renderer) keyOf(v reflect.Value) (key, value string) {
	for _, k := range keys {
		f := v.FieldByName(k)
		if !f.IsValid() {
			continue
		}
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		}
		if f.IsZero() && f.Kind() != reflect.Int32 && f.Kind() != reflect.Int16 {
			continue
		}
		return k, strings.Trim(r.scalar(k, f), `"`)
	}
	return "", ""
}

var (
	uuids  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	idType = reflect.TypeFor[[16]byte]()
)

func (r *renderer) scalar(name string, v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return "null"
	case v.Kind() == reflect.Pointer:
		return r.scalar(name, v.Elem())
	case v.Type() == idType:
		return r.topic(v.Interface().([16]byte))
	case name == "ErrorCode":
		return errorName(int16(v.Int()))
	case v.CanInt():
		return r.integer(name, v.Int())
	case v.Kind() == reflect.String:
		return r.text(name, v.String())
	}
	return fmt.Sprint(v.Interface())
}

func (r *renderer) topic(id [16]byte) string {
	if id == ([16]byte{}) {
		return "<no id>"
	}
	if name, ok := r.topics[id]; ok {
		return "<id of " + name + ">"
	}
	return "<id>"
}

func errorName(code int16) string {
	err := kerr.TypedErrorForCode(code)
	if err == nil {
		return fmt.Sprint(code)
	}
	return fmt.Sprint(code, " ", err.Message)
}

func (r *renderer) integer(name string, n int64) string {
	switch {
	case (strings.Contains(name, "Timestamp") || name == "LogAppendTime") && n > 1_500_000_000_000:
		return "<now>"
	case name == "ProducerID" && n >= 0:
		return r.named("pid", fmt.Sprint(n))
	case name == "Port", name == "FinalizedFeaturesEpoch":
		return "<" + name + ">"
	case (name == "TotalBytes" || name == "UsableBytes") && n > 0:
		return "<bytes>"
	}
	return fmt.Sprint(n)
}

func (r *renderer) text(name, s string) string {
	switch name {
	case "Documentation":
		return "<text>"
	case "ClusterID", "Host", "Dir", "ClientHost":
		return "<" + name + ">"
	}
	return fmt.Sprintf("%q", uuids.ReplaceAllStringFunc(s, func(id string) string { return r.named("uuid", id) }))
}

// batches renders the batches of a fetch, one line each.
func (r *renderer) batches(path string, b []byte) []string {
	if len(b) == 0 {
		return []string{path + " empty"}
	}
	var lines []string
	for len(b) > 0 {
		h, err := batch.Parse(b)
		if err != nil || h.Size() > len(b) {
			return append(lines, fmt.Sprintf("%s and %d more bytes", path, len(b)))
		}
		line := fmt.Sprintf("%s %d-%d leader epoch %d attributes %d times %s %s records %d in %d bytes", path, h.BaseOffset, h.BaseOffset+int64(h.LastOffsetDelta),
			h.LeaderEpoch, h.Attributes, r.integer("Timestamp", h.BaseTimestamp), r.integer("Timestamp", h.MaxTimestamp), h.Count, h.Size())
		if h.ProducerID >= 0 {
			line += fmt.Sprintf(" producer %s epoch %d sequence %d", r.integer("ProducerID", h.ProducerID), h.ProducerEpoch, h.BaseSequence)
		}
		lines, b = append(lines, line), b[h.Size():]
	}
	return lines
}
