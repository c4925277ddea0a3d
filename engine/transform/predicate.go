package transform

import (
	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/javaregex"
)

// topicNameMatches is TopicNameMatches.
type topicNameMatches struct {
	text    string
	pattern *javaregex.Pattern
	topics  byTopic[bool]
}

func (p *topicNameMatches) options() []connect.Option {
	return []connect.Option{{Name: "pattern", Var: &p.text, Required: true, Check: checkRegex(&p.text, &p.pattern), Importance: connect.Medium,
		Doc: "Java regular expression that matches the whole topic."}}
}

func (p *topicNameMatches) prepare() error { return nil }

func (p *topicNameMatches) test(r *connect.Record) (bool, error) {
	return p.topics.of(r.Topic, p.pattern.Matches)
}

// hasHeaderKey is HasHeaderKey.
type hasHeaderKey struct{ name string }

func (p *hasHeaderKey) options() []connect.Option {
	return []connect.Option{{Name: "name", Var: &p.name, Required: true, Importance: connect.Medium, Doc: "Name of the header."}}
}

func (p *hasHeaderKey) prepare() error { return nil }

func (p *hasHeaderKey) test(r *connect.Record) (bool, error) {
	for i := range r.Headers {
		if r.Headers[i].Key == p.name {
			return true, nil
		}
	}
	return false, nil
}

// recordIsTombstone is RecordIsTombstone.
type recordIsTombstone struct{}

func (recordIsTombstone) options() []connect.Option { return nil }
func (recordIsTombstone) prepare() error            { return nil }

func (recordIsTombstone) test(r *connect.Record) (bool, error) { return r.Value.IsNull(), nil }
