package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/security"
)

// brokerConfig is how the embedded log's broker is reached and what clients may do
// there. Its properties have the names of Kafka's broker.
type brokerConfig struct {
	listeners []kafkaListener
	// users are added at the start where they have no credential yet (sluice.add.scram).
	users        []security.Change
	authorize    bool // authorizer.class.name is set
	superUsers   []security.Principal
	allowIfNoACL bool
	limits       brokerLimits
	groups       group.Config // without what the server sets
	cleaning     logCleaning
}

// logCleaning are the intervals of log.Config with the same meaning; zero means its default.
type logCleaning struct{ retention, compaction time.Duration }

// brokerLimits are those of broker.Config with the same names; zero means its default.
type brokerLimits struct {
	maxConnections, maxConnectionsPerIP         int
	perIPOverrides                              map[string]int
	idle, failedAuthDelay                       time.Duration
	maxFrameBytes, maxUnauthenticatedFrameBytes int
	maxInFlightBytes                            int64
}

// kafkaListener is one of listeners.
type kafkaListener struct {
	addr string // to listen on
	tls  *security.TLSOptions
	broker.Listener
}

// securityProtocols are Kafka's, with TLS and SASL of each.
var securityProtocols = map[string]struct{ tls, sasl bool }{
	"PLAINTEXT": {}, "SSL": {tls: true}, "SASL_PLAINTEXT": {sasl: true}, "SASL_SSL": {tls: true, sasl: true},
}

// authorizers are the classes of Kafka whose rules ours has.
var authorizers = []string{"org.apache.kafka.metadata.authorizer.StandardAuthorizer", "kafka.security.authorizer.AclAuthorizer"}

// brokerProperties are the broker's properties as they are read.
type brokerProperties struct {
	brokerConfig
	advertised, protocolMap, overrides []string
	addSCRAM, superUserText            connect.Secret // not read as lists: they have commas
	authorizer                         string
	group                              groupProperties
}

func (p *brokerProperties) define(d *connect.Def) {
	p.group.define(d)
	l := &p.limits
	d.Add(
		connect.Option{Name: "advertised.listeners", Var: &p.advertised, Doc: "NAME://HOST:PORT that clients of each listener are told to dial."},
		connect.Option{Name: "listener.security.protocol.map", Var: &p.protocolMap, Doc: "NAME:PROTOCOL of listeners whose names are not protocols."},
		connect.Option{Name: "sluice.add.scram", Var: &p.addSCRAM, Doc: "SCRAM users to add at the start, as kafka-storage --add-scram takes them, parted by commas."},
		connect.Option{Name: "authorizer.class.name", Var: &p.authorizer, OneOf: append([]string{""}, authorizers...), Doc: "Switches ACLs on."},
		connect.Option{Name: "super.users", Var: &p.superUserText, Doc: "Principals that may do everything, parted by semicolons."},
		connect.Option{Name: "allow.everyone.if.no.acl.found", Var: &p.allowIfNoACL, Default: "false", Doc: "Whether what no ACL is about is open to everybody."},
		connect.Option{Name: "max.connections", Var: &l.maxConnections, Default: "0", Doc: "Connections at a time."},
		connect.Option{Name: "max.connections.per.ip", Var: &l.maxConnectionsPerIP, Default: "0", Doc: "Connections of one address."},
		connect.Option{Name: "max.connections.per.ip.overrides", Var: &p.overrides, Doc: "ADDRESS:NUMBER of addresses with another limit."},
		connect.Option{Name: "connections.max.idle.ms", Var: &l.idle, Default: "0", Doc: "When a connection without a request is closed."},
		connect.Option{Name: "connection.failed.authentication.delay.ms", Var: &l.failedAuthDelay, Default: "0", Doc: "How long a failed authentication waits for its answer."},
		connect.Option{Name: "socket.request.max.bytes", Var: &l.maxFrameBytes, Default: "0", Doc: "Bytes of one request."},
		connect.Option{Name: "sasl.server.max.receive.size", Var: &l.maxUnauthenticatedFrameBytes, Default: "0", Doc: "Bytes of one request before authentication."},
		connect.Option{Name: "queued.max.request.bytes", Var: &l.maxInFlightBytes, Default: "0", Doc: "Bytes of all requests being handled."},
		connect.Option{Name: "log.retention.check.interval.ms", Var: &p.cleaning.retention, Default: "0", Doc: "How often old segments are looked for."},
		connect.Option{Name: "log.cleaner.backoff.ms", Var: &p.cleaning.compaction, Default: "0", Doc: "How often compacted topics are looked at for something to clean."},
	)
}

// takeBroker moves the broker's properties out of props, the listeners among them
// given as NAME://HOST:PORT, into a config. It returns everything that is wrong.
func takeBroker(props map[string]string, listeners []string) (brokerConfig, error) {
	var p brokerProperties
	var d connect.Def
	p.define(&d)
	errs := []error{connect.Err(d.Parse(props))}
	p.authorize = p.authorizer != ""
	p.groups = p.group.groups()
	note := func(property string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", property, err))
		}
	}
	var err error
	p.superUsers, err = security.ParsePrincipals(p.superUserText.Reveal())
	note("super.users", err)
	p.users, err = parseUsers(p.addSCRAM.Reveal())
	note("sluice.add.scram", err)
	p.limits.perIPOverrides, err = parseOverrides(p.overrides)
	note("max.connections.per.ip.overrides", err)
	p.listeners, err = p.parseListeners(props, listeners)
	errs = append(errs, err)
	for _, o := range d.Options() {
		delete(props, o.Name)
	}
	maps.DeleteFunc(props, func(key, _ string) bool {
		return strings.HasPrefix(key, listenerPrefix) || slices.Contains(listenerKeys(), key)
	})
	return p.brokerConfig, errors.Join(errs...)
}

// parseUsers reads MECHANISM=[...],MECHANISM=[...].
func parseUsers(text string) ([]security.Change, error) {
	var users []security.Change
	for _, entry := range strings.SplitAfter(strings.ReplaceAll(text, "],SCRAM", "]\nSCRAM"), "\n") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		user, err := security.ParseAddSCRAM(entry)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(users)+1, err)
		}
		users = append(users, user)
	}
	return users, nil
}

func parseOverrides(list []string) (map[string]int, error) {
	if len(list) == 0 {
		return nil, nil
	}
	limits := map[string]int{}
	for _, s := range list {
		i := strings.LastIndexByte(s, ':')
		if i < 0 {
			return nil, fmt.Errorf("%s is not ADDRESS:NUMBER", s)
		}
		ip := net.ParseIP(strings.Trim(s[:i], "[]"))
		n, err := strconv.Atoi(s[i+1:])
		if ip == nil || err != nil || n < 0 {
			return nil, fmt.Errorf("%s is not ADDRESS:NUMBER", s)
		}
		limits[ip.String()] = n
	}
	return limits, nil
}

// parseListeners puts together what the properties say about each listener.
func (p *brokerProperties) parseListeners(props map[string]string, listeners []string) ([]kafkaListener, error) {
	advertised, protocols := map[string]string{}, map[string]string{}
	for _, s := range p.advertised {
		name, addr, err := splitListener(s)
		if err != nil {
			return nil, fmt.Errorf("advertised.listeners: %w", err)
		}
		advertised[name] = addr
	}
	for _, s := range p.protocolMap {
		name, protocol, ok := strings.Cut(s, ":")
		if _, known := securityProtocols[protocol]; !ok || !known {
			return nil, fmt.Errorf("listener.security.protocol.map: %s is not NAME:PROTOCOL with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", s)
		}
		protocols[strings.ToUpper(name)] = protocol
	}
	var all []kafkaListener
	var errs []error
	seen := map[string]bool{}
	for _, s := range listeners {
		name, addr, err := splitListener(s)
		protocol := name
		if mapped, ok := protocols[name]; ok {
			protocol = mapped
		}
		_, known := securityProtocols[protocol]
		switch {
		case err == nil && !known:
			err = fmt.Errorf("%s has no security protocol: add %s:PROTOCOL to listener.security.protocol.map", s, name)
		case err == nil && seen[name]:
			err = fmt.Errorf("the name %s is there twice", name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("listeners: %w", err))
			continue
		}
		seen[name] = true
		l, err := parseListener(props, name, protocol)
		l.addr, l.AdvertisedAddr = addr, advertised[name]
		all, errs = append(all, l), append(errs, err)
	}
	for name := range advertised {
		if !seen[name] {
			errs = append(errs, fmt.Errorf("advertised.listeners: there is no listener %s", name))
		}
	}
	return all, errors.Join(errs...)
}

// splitListener reads NAME://HOST:PORT.
func splitListener(s string) (name, addr string, err error) {
	name, addr, ok := strings.Cut(s, "://")
	if _, _, err := net.SplitHostPort(addr); !ok || name == "" || err != nil {
		return "", "", fmt.Errorf("%s is not NAME://HOST:PORT", s)
	}
	return strings.ToUpper(name), addr, nil
}

// tlsVersions are the values of ssl.enabled.protocols.
var tlsVersions = map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
