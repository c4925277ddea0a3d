package transform

import (
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/avroname"
	"github.com/sluice-data/sluice/internal/javaregex"
)

// byLogicalTableRouter is ByLogicalTableRouter: it sends the tables that are parts of
// one, such as partitions, to one topic, under one schema.
type byLogicalTableRouter struct {
	regexText, replacementText string
	keyRegexText, keyText      string
	keyField                   string
	unique                     bool
	adjustment                 string
	cacheSize                  int

	regex, keyRegex     *javaregex.Pattern
	replacement, keyNew *javaregex.Replacement

	topics byTopic[*logicalTopic]
}

// logicalTopic is where records of a topic go.
type logicalTopic struct {
	to       string // "": they stay as they are
	part     connect.Value
	keys     compiled[connect.Schema]
	adjusted compiled[connect.Schema]
}

func (t *byLogicalTableRouter) options() []connect.Option {
	return []connect.Option{
		{Name: "topic.regex", Var: &t.regexText, Required: true, Check: checkRegex(&t.regexText, &t.regex), Importance: connect.Low,
			Doc: "Java regular expression that matches the whole topic of a part. Other records pass as they are."},
		{Name: "topic.replacement", Var: &t.replacementText, Required: true, Importance: connect.Low, Doc: "The topic, in which $1 and ${name} are groups of topic.regex."},
		{Name: "key.enforce.uniqueness", Var: &t.unique, Default: "true", Importance: connect.Low, Doc: "Whether keys get a field that tells the parts apart."},
		{Name: "key.field.name", Var: &t.keyField, Default: "__dbz__physicalTableIdentifier", Importance: connect.Low, Doc: "Its name."},
		{Name: "key.field.regex", Var: &t.keyRegexText, Check: t.checkKeyRegex, Importance: connect.Low,
			Doc: "Java regular expression for the former topic; the field is then key.field.replacement, otherwise the former topic."},
		{Name: "key.field.replacement", Var: &t.keyText, Importance: connect.Low, Doc: "The field's value, in which $1 and ${name} are groups of key.field.regex."},
		{Name: "schema.name.adjustment.mode", Var: &t.adjustment, Default: avroname.None, IgnoreCase: true, OneOf: avroname.Modes, Importance: connect.Low,
			Doc: "Whether names of schemas are changed to valid names of Avro."},
		{Name: "logical.table.cache.size", Var: &t.cacheSize, Default: "16", Importance: connect.Low, Doc: "No effect."},
	}
}

func (t *byLogicalTableRouter) checkKeyRegex() error {
	t.keyRegex = nil
	if strings.TrimSpace(t.keyRegexText) == "" {
		return nil
	}
	return checkRegex(&t.keyRegexText, &t.keyRegex)()
}

func (t *byLogicalTableRouter) prepare() error {
	var err error
	if t.replacement, err = t.regex.Replacement(t.replacementText); err != nil {
		return &connect.ConfigError{Option: "topic.replacement", Reason: err.Error()}
	}
	if t.keyRegex == nil {
		return nil
	}
	if strings.TrimSpace(t.keyText) == "" {
		return &connect.ConfigError{Option: "key.field.replacement", Reason: "key.field.replacement must be non-empty if key.field.regex is set."}
	}
	if t.keyNew, err = t.keyRegex.Replacement(t.keyText); err != nil {
		return &connect.ConfigError{Option: "key.field.replacement", Reason: err.Error()}
	}
	return nil
}

func (t *byLogicalTableRouter) apply(b *connect.Batch, r *connect.Record) (bool, error) {
	topic, err := t.topics.of(r.Topic, t.route)
	if err != nil || topic.to == "" {
		return true, err
	}
	if !r.Key.IsNull() {
		if err := t.key(b, r, topic); err != nil {
			return false, err
		}
	}
	r.Topic = topic.to
	s := r.ValueSchema
	if r.Value.IsNull() || s == nil || s.Type() != connect.Struct || !strings.HasSuffix(s.Name(), envelopeSuffix) {
		return true, nil
	}
	// The cells stay: only the names of schemas change.
	r.ValueSchema, err = topic.adjusted.of(s, func(s *connect.Schema) (*connect.Schema, error) { return t.envelope(s, topic.to) })
	return true, err
}

// route finds out where records of a topic go.
func (t *byLogicalTableRouter) route(topic string) (*logicalTopic, error) {
	l := &logicalTopic{part: connect.StringValue(topic)}
	ok, err := t.regex.Matches(topic)
	if err != nil || !ok {
		return l, err
	}
	if l.to, err = t.regex.ReplaceFirst(topic, t.replacement); err != nil || t.keyRegex == nil {
		return l, err
	}
	if ok, err = t.keyRegex.Matches(topic); err != nil || !ok {
		return l, err
	}
	part, err := t.keyRegex.ReplaceFirst(topic, t.keyNew)
	l.part = connect.StringValue(part)
	return l, err
}

// key renames the schema of the key and adds the field of the part.
func (t *byLogicalTableRouter) key(b *connect.Batch, r *connect.Record, topic *logicalTopic) error {
	if r.KeySchema == nil {
		return fmt.Errorf("Only Struct objects supported for [Updating schema], found: %s", className(nil, r.Key))
	}
	cells, err := structCells(r.KeySchema, r.Key, "Updating schema")
	if err != nil {
		return err
	}
	s, err := topic.keys.of(r.KeySchema, func(s *connect.Schema) (*connect.Schema, error) {
		fields := s.Fields()[:len(s.Fields()):len(s.Fields())]
		if t.unique {
			fields = append(fields, connect.Field{Name: t.keyField, Schema: connect.StringSchema})
		}
		return connect.NewStruct(fields, t.named(s, topic.to+".Key"))
	})
	if err != nil {
		return err
	}
	if t.unique {
		out := b.Cells(len(cells) + 1)
		copy(out, cells)
		out[len(cells)] = topic.part
		cells = out
	}
	r.KeySchema, r.Key = s, connect.StructValue(cells)
	return nil
}

// envelope names an envelope and the rows in it after a topic.
func (t *byLogicalTableRouter) envelope(s *connect.Schema, topic string) (*connect.Schema, error) {
	at := s.Index("before")
	if at < 0 {
		return nil, fmt.Errorf("the envelope %s has no field before", s.Name())
	}
	row := s.Fields()[at].Schema
	row, err := connect.NewStruct(row.Fields(), t.named(row, topic+".Value"))
	if err != nil {
		return nil, err
	}
	fields := make([]connect.Field, len(s.Fields()))
	for i, f := range s.Fields() {
		if fields[i] = f; f.Name == "before" || f.Name == "after" {
			fields[i].Schema = row
		}
	}
	return connect.NewStruct(fields, t.named(s, topic+envelopeSuffix))
}

// named are the attributes of a schema under another name, without its default.
func (t *byLogicalTableRouter) named(s *connect.Schema, name string) connect.Attrs {
	a := basics(s)
	a.Name, a.Optional = avroname.Schema(name, t.adjustment), s.Optional()
	return a
}
