package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/security"
)

// listenerPrefix and a listener's name in small letters stand before a property
// that is for that listener only.
const listenerPrefix = "listener.name."

// listenerProperties are what can be said of all listeners or of one.
type listenerProperties struct {
	keystoreType, truststoreType       string
	keystore, truststore               string
	chain, key, trusted, keyPassword   connect.Secret
	keystorePassword, truststoreSecret connect.Secret
	clientAuth                         string
	protocols                          []string
	mechanisms                         []string
	plainJAAS                          connect.Secret
	maxReauth                          time.Duration
	maxConnections                     int
}

func (p *listenerProperties) define(d *connect.Def) {
	d.Add(
		connect.Option{Name: "ssl.keystore.type", Var: &p.keystoreType, Default: "PEM", OneOf: []string{"PEM"}, Doc: "Format of the keystore."},
		connect.Option{Name: "ssl.keystore.location", Var: &p.keystore, Doc: "PEM file with the certificate chain and the private key."},
		connect.Option{Name: "ssl.keystore.certificate.chain", Var: &p.chain, Doc: "The certificate chain itself, in place of the file."},
		connect.Option{Name: "ssl.keystore.key", Var: &p.key, Doc: "The private key itself, in place of the file."},
		connect.Option{Name: "ssl.key.password", Var: &p.keyPassword, Check: unencrypted(&p.keyPassword), Doc: "Encrypted keys are not read."},
		connect.Option{Name: "ssl.keystore.password", Var: &p.keystorePassword, Check: unencrypted(&p.keystorePassword), Doc: "PEM has none."},
		connect.Option{Name: "ssl.truststore.type", Var: &p.truststoreType, Default: "PEM", OneOf: []string{"PEM"}, Doc: "Format of the truststore."},
		connect.Option{Name: "ssl.truststore.location", Var: &p.truststore, Doc: "PEM file with the certificates that sign clients'."},
		connect.Option{Name: "ssl.truststore.certificates", Var: &p.trusted, Doc: "Those certificates themselves, in place of the file."},
		connect.Option{Name: "ssl.truststore.password", Var: &p.truststoreSecret, Check: unencrypted(&p.truststoreSecret), Doc: "PEM has none."},
		connect.Option{Name: "ssl.client.auth", Var: &p.clientAuth, Default: "none", OneOf: []string{"none", "requested", "required"}, Doc: "Whether clients show a certificate."},
		connect.Option{Name: "ssl.enabled.protocols", Var: &p.protocols, Default: "TLSv1.2,TLSv1.3", OneOf: []string{"TLSv1.2", "TLSv1.3"}, Doc: "Versions of TLS."},
		connect.Option{Name: "sasl.enabled.mechanisms", Var: &p.mechanisms, OneOf: []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, Doc: "Mechanisms that clients can choose from."},
		connect.Option{Name: "plain.sasl.jaas.config", Var: &p.plainJAAS, Doc: "Login module with the users of PLAIN and their passwords."},
		connect.Option{Name: "connections.max.reauth.ms", Var: &p.maxReauth, Default: "0", Doc: "How long an authentication lasts; 0: as long as the connection."},
		connect.Option{Name: "max.connections", Var: &p.maxConnections, Default: "0", Doc: "Connections of the listener at a time."},
	)
}

func unencrypted(password *connect.Secret) func() error {
	return func() error {
		if password.Reveal() != "" {
			return errors.New("stores and keys are read unencrypted, in PEM: convert them (openssl pkcs12 -in FILE -nodes) and protect the file by its owner and mode")
		}
		return nil
	}
}

// listenerKeys are the properties of listeners, as they apply to all of them.
func listenerKeys() []string {
	var p listenerProperties
	var d connect.Def
	p.define(&d)
	var keys []string
	for _, o := range d.Options() {
		keys = append(keys, o.Name)
	}
	return keys
}

// parseListener reads the properties of a listener: its own before those of all.
func parseListener(props map[string]string, name, protocol string) (kafkaListener, error) {
	prefix := listenerPrefix + strings.ToLower(name) + "."
	own := maps.Clone(props)
	delete(own, "max.connections") // the broker's, unless it has the prefix
	for key, value := range props {
		if key, ok := strings.CutPrefix(key, prefix); ok {
			own[key] = value
		}
	}
	var p listenerProperties
	var d connect.Def
	p.define(&d)
	l := kafkaListener{Listener: broker.Listener{Name: name, MaxReauth: p.maxReauth}}
	if err := connect.Err(d.Parse(own)); err != nil {
		return l, fmt.Errorf("listener %s: %w", name, err)
	}
	l.MaxReauth, l.MaxConnections = p.maxReauth, p.maxConnections
	var errs []error
	if securityProtocols[protocol].tls {
		l.tls = p.tls()
		if l.tls.KeystoreFile == "" && l.tls.Chain == "" {
			errs = append(errs, fmt.Errorf("listener %s: set ssl.keystore.location to a PEM file with the certificate chain and the private key", name))
		}
	}
	if securityProtocols[protocol].sasl {
		errs = append(errs, p.sasl(&l))
	}
	return l, errors.Join(errs...)
}

func (p *listenerProperties) tls() *security.TLSOptions {
	o := &security.TLSOptions{KeystoreFile: p.keystore, Chain: p.chain.Reveal(), Key: p.key.Reveal(), TruststoreFile: p.truststore, Trusted: p.trusted.Reveal()}
	switch p.clientAuth {
	case "requested":
		o.ClientAuth = tls.VerifyClientCertIfGiven
	case "required":
		o.ClientAuth = tls.RequireAndVerifyClientCert
	}
	for _, v := range p.protocols {
		if version := tlsVersions[v]; o.MinVersion == 0 || version < o.MinVersion {
			o.MinVersion = version
		}
		o.MaxVersion = max(o.MaxVersion, tlsVersions[v])
	}
	return o
}

func (p *listenerProperties) sasl(l *kafkaListener) error {
	l.Mechanisms = p.mechanisms
	if len(l.Mechanisms) == 0 {
		return fmt.Errorf("listener %s: name its mechanisms in sasl.enabled.mechanisms: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", l.Name)
	}
	if !slices.Contains(l.Mechanisms, security.MechanismPlain) {
		return nil
	}
	users, err := security.ParsePlainJAAS(p.plainJAAS.Reveal())
	if err == nil && len(users) == 0 {
		err = errors.New("it has no user_NAME=\"PASSWORD\" option, so nobody could log in with PLAIN")
	}
	if err != nil {
		return fmt.Errorf("%s%s.plain.sasl.jaas.config: %w", listenerPrefix, strings.ToLower(l.Name), err)
	}
	l.PlainUsers = users
	return nil
}
