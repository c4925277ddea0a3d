package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/javaregex"
)

const (
	topicCreationPrefix = "topic.creation."
	topicGroupsOption   = topicCreationPrefix + "groups"
	defaultTopicGroup   = "default"
)

// topicGroup says how the topics that it matches are created (KIP-158).
type topicGroup struct {
	name                        string
	include, exclude            []string // regular expressions of Java's; the default group matches every topic
	includePattern, excludePatt []*javaregex.Pattern
	replication                 int16 // -1: the cluster's default
	partitions                  int   // -1: the cluster's default
	settings                    map[string]*string
}

// usesTopicCreation tells whether a config says how topics are created.
func usesTopicCreation(settings map[string]string) bool {
	for name := range settings {
		if strings.HasPrefix(name, topicCreationPrefix) {
			return true
		}
	}
	return false
}

// defineTopicGroups declares the options of the groups that topic.creation.groups
// names, and of the default one, as soon as a config has any of them.
func (o *connectorOptions) defineTopicGroups(d *connect.Def, settings map[string]string) {
	if !usesTopicCreation(settings) {
		return
	}
	o.topicGroups = nil
	fallback := newTopicGroup(defaultTopicGroup, settings)
	for _, name := range strings.Split(settings[topicGroupsOption], ",") {
		known := func(g *topicGroup) bool { return g.name == name }
		if name = strings.TrimSpace(name); name == "" || name == defaultTopicGroup || slices.ContainsFunc(o.topicGroups, known) {
			continue
		}
		g := newTopicGroup(name, settings)
		d.Add(g.patterns("include", &g.include, &g.includePattern, "are created as this group says"),
			g.patterns("exclude", &g.exclude, &g.excludePatt, "are not, whatever topic.creation."+name+".include says"))
		g.define(d, number(settings[fallback.option("replication.factor")]), number(settings[fallback.option("partitions")]))
		o.topicGroups = append(o.topicGroups, g)
	}
	fallback.define(d, "", "")                                       // required: it has no defaults
	d.Ignore(fallback.option("include"), fallback.option("exclude")) // Kafka ignores them too
	o.topicGroups = append(o.topicGroups, fallback)
}

// number returns the text of a number of the default group. One that is none, or
// missing, is that group's error alone.
func number(text string) string {
	text = strings.TrimSpace(text)
	if _, err := strconv.ParseInt(text, 10, 16); err != nil {
		return "-1"
	}
	return text
}

func newTopicGroup(name string, settings map[string]string) *topicGroup {
	g := &topicGroup{name: name, settings: make(map[string]*string)}
	for option, value := range settings {
		if setting, ok := strings.CutPrefix(option, g.option("")); ok && !slices.Contains([]string{"include", "exclude", "replication.factor", "partitions"}, setting) {
			g.settings[setting] = &value
		}
	}
	return g
}

func (g *topicGroup) option(name string) string { return topicCreationPrefix + g.name + "." + name }

// define declares the numbers of a group. Those of the default group are required,
// and the defaults of the others.
func (g *topicGroup) define(d *connect.Def, replication, partitions string) {
	required := g.name == defaultTopicGroup
	group := groupTopicCreation + ": " + g.name
	d.Add(
		connect.Option{Name: g.option("replication.factor"), Var: &g.replication, Required: required, Default: replication, Group: group, Width: connect.WidthLong,
			Check: g.checkReplication, Display: "Replication Factor for Topics in " + g.name,
			Doc: "Replicas of new topics; -1: the cluster's default. Other groups have the value of the default group when they have none."},
		connect.Option{Name: g.option("partitions"), Var: &g.partitions, Required: required, Default: partitions, Group: group, Width: connect.WidthLong,
			Check: g.checkPartitions, Display: "Partition Count for Topics in " + g.name,
			Doc: "Partitions of new topics; -1: the cluster's default. Other groups have the value of the default group when they have none."},
	)
	for setting := range g.settings {
		d.Ignore(g.option(setting)) // the cluster checks it
	}
}

func (g *topicGroup) patterns(which string, texts *[]string, patterns *[]*javaregex.Pattern, meaning string) connect.Option {
	return connect.Option{Name: g.option(which), Var: texts, Group: groupTopicCreation + ": " + g.name, Width: connect.WidthLong,
		Display: strings.ToUpper(which[:1]) + which[1:len(which)-1] + "sion Topic Pattern for " + g.name,
		Doc:     "Regular expressions: topics whose whole name matches one " + meaning + ".",
		Check: func() error {
			*patterns = nil
			for _, text := range *texts {
				p, err := javaregex.Compile(text)
				if err != nil {
					return fmt.Errorf("Syntax error in regular expression: %w", err)
				}
				*patterns = append(*patterns, p)
			}
			return nil
		}}
}

func (g *topicGroup) checkReplication() error {
	if g.replication < 1 && g.replication != -1 {
		return errors.New("Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")
	}
	return nil
}

func (g *topicGroup) checkPartitions() error {
	if g.partitions < 1 && g.partitions != -1 {
		return errors.New("Number of partitions must be positive, or -1 to use the broker's default")
	}
	return nil
}

// checkTopicGroups is the check of topic.creation.groups.
func (o *connectorOptions) checkTopicGroups() error {
	for i, name := range o.topicCreation {
		if slices.Contains(o.topicCreation[:i], name) {
			return errors.New("Duplicate alias provided.")
		}
	}
	return nil
}

// matches tells whether a topic is created as the group says.
func (g *topicGroup) matches(topic string) (bool, error) {
	if g.name == defaultTopicGroup {
		return true, nil
	}
	for _, p := range g.excludePatt {
		if ok, err := p.Matches(topic); ok || err != nil {
			return false, err
		}
	}
	for _, p := range g.includePattern {
		if ok, err := p.Matches(topic); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// topicGroup returns the first group that matches a topic.
func (o *connectorOptions) topicGroup(topic string) (*topicGroup, error) {
	for _, g := range o.topicGroups {
		if ok, err := g.matches(topic); ok || err != nil {
			return g, err
		}
	}
	return nil, fmt.Errorf("no topic creation group matches topic %s", topic)
}

// fatalError is an error that no tolerance skips.
type fatalError struct{ error }

func (e *fatalError) Unwrap() error { return e.error }

// createTopic creates a topic that a record is the first for, unless it is there
// (KIP-158). Without topic.creation options that is left to the cluster.
func (s *sourceTask) createTopic(topic string) error {
	if len(s.def.options.topicGroups) == 0 {
		return nil
	}
	g, err := s.def.options.topicGroup(topic)
	if err == nil {
		err = s.retryForever(s.stop, "create topic "+topic, func() error {
			created, err := g.create(s.stop, s.admin, topic)
			if created {
				s.logger.Info("created a topic", logTopic, topic, "group", g.name)
			}
			return err
		})
	}
	if err != nil {
		return &fatalError{err}
	}
	return nil
}

// create creates a topic and tells whether it has; false when it is there.
func (g *topicGroup) create(ctx context.Context, admin *kadm.Client, topic string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	known, err := admin.ListTopics(ctx, topic)
	if err == nil && known[topic].Err == nil && known.Has(topic) {
		return false, nil
	}
	if err == nil {
		_, err = admin.CreateTopic(ctx, int32(g.partitions), g.replication, g.settings, topic)
	}
	if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
		return err == nil, nil
	}
	err = passingError(fmt.Sprintf("create topic %s as topic creation group %s says (partitions %d, replication factor %d%s)", topic, g.name, g.partitions, g.replication, g.others()), err)
	if connect.IsRetriable(err) {
		return false, err
	}
	return false, fmt.Errorf("%w; let the task create topics, or create this one, and restart the task", err)
}

func (g *topicGroup) others() string {
	var text strings.Builder
	names := make([]string, 0, len(g.settings))
	for name := range g.settings {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, ", %s=%s", name, *g.settings[name])
	}
	return text.String()
}
