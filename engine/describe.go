package engine

import "github.com/sluice-data/sluice/connect"

// OptionSection is a part of the options that connectors have beside their own.
type OptionSection struct {
	Title   string
	Options []connect.Option
}

// FrameworkOptions are the options of every connector, for a document.
func FrameworkOptions() []OptionSection {
	var o connectorOptions
	section := func(title string, define func(*connect.Def)) OptionSection {
		var d connect.Def
		define(&d)
		return OptionSection{title, d.Options()}
	}
	sections := []OptionSection{
		section("Every connector", o.defineCommon),
		section("Sources", o.defineSource),
		section("Groups of topics that a source creates", func(d *connect.Def) {
			o.defineTopicGroups(d, map[string]string{topicGroupsOption: "<group>"})
		}),
		section("Sinks", o.defineSink),
	}
	for _, client := range []struct {
		title string
		kind  clientKind
	}{{"Producer of a source, and of a sink's dead letter queue", producerClient}, {"Consumer of a sink", consumerClient}, {"Client that creates topics", adminClient}} {
		sections = append(sections, section(client.title, func(d *connect.Def) {
			s := clientSettings{kind: client.kind}
			for _, option := range append(s.options(), s.accessOptions()...) {
				option.Name = client.kind.overridePrefix() + option.Name
				d.Add(option)
			}
		}))
	}
	return sections
}
