package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// overridePolicy says which settings of its Kafka clients a connector may have of
// its own (connector.client.config.override.policy; KIP-458, KIP-1188).
type overridePolicy struct {
	name    string
	allowed []string // of Principal and Allowlist
}

const (
	overridePolicyProperty  = "connector.client.config.override.policy"
	overridePolicyAllowlist = "connector.client.config.override.allowlist"
)

// principalSettings are those that make another principal of a client.
var principalSettings = []string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"}

const policyPackage = "org.apache.kafka.connect.connector.policy."

// newOverridePolicy returns the policy of a name, short or a class of Kafka's.
func newOverridePolicy(name string, allowlist []string) (overridePolicy, error) {
	p := overridePolicy{name: strings.TrimSuffix(strings.TrimPrefix(name, policyPackage), "ConnectorClientConfigOverridePolicy")}
	switch p.name {
	case "All", "None":
	case "Principal":
		p.allowed = principalSettings
	case "Allowlist":
		p.allowed = allowlist
	default:
		return p, fmt.Errorf("there is no policy %s: use All, None, Principal or Allowlist", name)
	}
	return p, nil
}

func (p *overridePolicy) allows(setting string) bool {
	return p.name == "All" || slices.Contains(p.allowed, setting)
}

// check returns why a connector may not have a setting, in Kafka Connect's words.
func (p *overridePolicy) check(setting string) error {
	if p.allows(setting) {
		return nil
	}
	return fmt.Errorf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", p.name, setting)
}

// readClients sets the settings of the clients that the connector's tasks have.
func (d *definition) readClients(p *plugins) {
	for _, kind := range d.clientKinds() {
		d.ineffective = append(d.ineffective, d.options.client(kind).read(kind, &d.def, d.resolved.settings, p.clients.of(kind))...)
	}
}

// clientKinds are the kinds of clients that the connector's tasks have.
func (d *definition) clientKinds() []clientKind {
	kinds := []clientKind{producerClient, adminClient}
	if _, sink := d.config.(connect.SinkConfig); sink {
		kinds = append(kinds, consumerClient)
	}
	return kinds
}

// checkClients adds the errors of how clients get to their clusters, once each
// option is right on its own, and notes what their protocols have no use for.
func (d *definition) checkClients(cfg *Config) {
	if d.err() != nil {
		return
	}
	for _, kind := range d.clientKinds() {
		s := d.options.client(kind)
		if !s.own {
			continue
		}
		if _, err := s.access(cfg); err != nil {
			d.fail(s.anyAccess(d.settings), d.secrets.Replace(s.prefix+err.Error()))
		}
		for _, o := range s.security.Options() {
			if _, given := d.settings[s.prefix+o.Name]; given && !s.security.Uses(o.Name) {
				d.ineffective = append(d.ineffective, connect.UnknownOption{Name: s.prefix + o.Name})
			}
		}
	}
}

// anyAccess returns an override of how the client gets to its cluster.
func (s *clientSettings) anyAccess(overrides map[string]string) string {
	for _, o := range s.accessOptions() {
		if _, given := overrides[s.prefix+o.Name]; given {
			return s.prefix + o.Name
		}
	}
	return ""
}

// client returns the settings of one of the connector's clients.
func (o *connectorOptions) client(kind clientKind) *clientSettings {
	switch kind {
	case producerClient:
		return &o.producer
	case consumerClient:
		return &o.consumer
	}
	return &o.admin
}

// checkOverrides adds an error for each override that the worker's policy does not
// allow. As in Kafka Connect only clients that the connector uses count.
func (d *definition) checkOverrides(policy *overridePolicy) {
	for _, kind := range []clientKind{producerClient, adminClient, consumerClient} {
		prefix := kind.overridePrefix()
		for _, name := range sortedKeys(d.settings) {
			if setting, ok := strings.CutPrefix(name, prefix); ok && d.uses(kind) {
				if err := policy.check(setting); err != nil {
					d.fail(name, err.Error())
				}
			}
		}
	}
}

// uses tells whether the connector's tasks have a client of a kind.
func (d *definition) uses(kind clientKind) bool {
	_, sink := d.config.(connect.SinkConfig)
	switch {
	case kind == consumerClient:
		return sink
	case d.options.dlqTopic != "", kind == producerClient && !sink:
		return true
	}
	return kind == adminClient && !sink && usesTopicCreation(d.settings)
}

// read sets the settings from a worker's and, over them, those of a connector,
// whose overrides become options of the connector where they are given, as Kafka
// shows them. It returns the overrides that have no effect.
func (s *clientSettings) read(kind clientKind, d *connect.Def, overrides, worker map[string]string) []connect.UnknownOption {
	return s.readAs(kind, kind.overridePrefix(), d, overrides, worker)
}

// readAs is read for overrides that have another prefix.
func (s *clientSettings) readAs(kind clientKind, prefix string, d *connect.Def, overrides, worker map[string]string) []connect.UnknownOption {
	s.kind, s.prefix = kind, prefix
	s.own = s.anyAccess(overrides) != ""
	var rest connect.Def
	for _, o := range append(s.options(), s.accessOptions()...) {
		_, given := overrides[s.prefix+o.Name]
		_, secret := o.Var.(*connect.Secret)
		if v, ok := worker[o.Name]; ok && !(given && secret) { // I6: the defaults of given ones are shown
			o.Default, o.NoDefault = v, false
		}
		o.Name, o.Group, o.Width = s.prefix+o.Name, groupClient, connect.WidthShort
		if given {
			d.Add(o)
		} else {
			rest.Add(o)
		}
	}
	rest.Parse(nil)
	return s.declareOthers(d, overrides)
}

// declareOthers shows the overrides that have no effect.
func (s *clientSettings) declareOthers(d *connect.Def, overrides map[string]string) []connect.UnknownOption {
	var others []connect.UnknownOption
	known := s.known()
	for _, name := range sortedKeys(overrides) {
		setting, ok := strings.CutPrefix(name, s.prefix)
		if !ok || slices.Contains(known, setting) {
			continue
		}
		o := connect.Option{Name: name, Var: new(string), NoDefault: true, Group: groupClient, Width: connect.WidthShort,
			Doc: "It has no effect on the clients of this worker."}
		if strings.HasPrefix(setting, "sasl.") || strings.HasPrefix(setting, "ssl.") || strings.Contains(setting, "password") {
			o.Var = new(connect.Secret) // I6: whatever it is
		}
		d.Add(o)
		other := connect.UnknownOption{Name: name}
		if c := connect.Closest(setting, known); c != "" {
			other.Suggestion = s.prefix + c
		}
		others = append(others, other)
	}
	return others
}

// checkOverridePolicy is the check of the worker's properties.
func (o *workerOptions) checkOverridePolicy() error {
	_, err := newOverridePolicy(o.cfg.OverridePolicy, o.cfg.OverrideAllowlist)
	return err
}
