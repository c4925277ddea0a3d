package clientconfig

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

// The values of security.protocol.
const (
	plaintext     = "PLAINTEXT"
	overTLS       = "SSL"
	saslPlaintext = "SASL_PLAINTEXT"
	saslOverTLS   = "SASL_SSL"
)

// Settings are the properties of one kind of client, as they are read.
type Settings struct {
	protocol  string
	mechanism string
	jaas      connect.Secret

	truststoreType, keystoreType                      string
	truststore, keystore                              string
	trusted, chain, key                               connect.Secret
	truststorePassword, keystorePassword, keyPassword connect.Secret
	identification                                    string
	tlsVersions                                       []string
}

// Define adds the options to d, with a prefix before their names, such as producer.
func (s *Settings) Define(d *connect.Def, prefix string) { add(d, prefix, s.Options()) }

func add(d *connect.Def, prefix string, options []connect.Option) {
	for _, o := range options {
		o.Name = prefix + o.Name
		d.Add(o)
	}
}

// Options are the options under their own names.
func (s *Settings) Options() []connect.Option {
	return append([]connect.Option{
		{Name: "security.protocol", Var: &s.protocol, Default: plaintext, OneOf: []string{plaintext, overTLS, saslPlaintext, saslOverTLS}, Doc: "Protocol to the brokers."},
		{Name: "sasl.mechanism", Var: &s.mechanism, NoDefault: true, Check: s.checkMechanism, Doc: "Mechanism of SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."},
		{Name: "sasl.jaas.config", Var: &s.jaas, Doc: "Login module with the user and the password."},
	}, s.tlsOptions()...)
}

// DefineTLS adds the options of TLS alone, for clients of other servers than brokers.
func (s *Settings) DefineTLS(d *connect.Def, prefix string) { add(d, prefix, s.tlsOptions()) }

func (s *Settings) tlsOptions() []connect.Option {
	storeTypes := []string{"PEM", "JKS", "PKCS12"}
	return []connect.Option{
		{Name: "ssl.truststore.type", Var: &s.truststoreType, NoDefault: true, OneOf: storeTypes, Doc: "Format of the truststore; seen from its content."},
		{Name: "ssl.truststore.location", Var: &s.truststore, NoDefault: true, Doc: "File with the certificates that sign the servers'; the system's when not given."},
		{Name: "ssl.truststore.certificates", Var: &s.trusted, Doc: "Those certificates themselves in PEM, in place of the file."},
		{Name: "ssl.truststore.password", Var: &s.truststorePassword, Doc: "Password of a JKS or PKCS#12 truststore."},
		{Name: "ssl.keystore.type", Var: &s.keystoreType, NoDefault: true, OneOf: storeTypes, Doc: "Format of the keystore; seen from its content."},
		{Name: "ssl.keystore.location", Var: &s.keystore, NoDefault: true, Doc: "File with the client's certificate chain and private key."},
		{Name: "ssl.keystore.certificate.chain", Var: &s.chain, Doc: "The certificate chain itself in PEM, in place of the file."},
		{Name: "ssl.keystore.key", Var: &s.key, Doc: "The private key itself in PEM, in place of the file."},
		{Name: "ssl.keystore.password", Var: &s.keystorePassword, Doc: "Password of a JKS or PKCS#12 keystore."},
		{Name: "ssl.key.password", Var: &s.keyPassword, Doc: "Password of the key in a JKS keystore; the keystore's when not given."},
		{Name: "ssl.endpoint.identification.algorithm", Var: &s.identification, Default: "https", OneOf: []string{"https", ""}, Doc: "https checks the server's name; empty does not."},
		{Name: "ssl.enabled.protocols", Var: &s.tlsVersions, Default: "TLSv1.2,TLSv1.3", OneOf: []string{"TLSv1.2", "TLSv1.3"}, Doc: "Versions of TLS."},
	}
}

// Uses tells whether the protocol that is set has a use for the option of a name.
func (s *Settings) Uses(name string) bool {
	switch {
	case strings.HasPrefix(name, "ssl."):
		return s.protocol == overTLS || s.protocol == saslOverTLS
	case strings.HasPrefix(name, "sasl."):
		return s.protocol == saslPlaintext || s.protocol == saslOverTLS
	}
	return true
}

// Secured tells whether the protocol is another than PLAINTEXT.
func (s *Settings) Secured() bool { return s.protocol != "" && s.protocol != plaintext }

// Given returns the properties that are options, under their own names: one with the
// prefix counts before the one without. own tells whether any has the prefix.
func Given(properties map[string]string, prefix string) (given map[string]string, own bool) {
	given = map[string]string{}
	for _, o := range new(Settings).Options() {
		if value, ok := properties[o.Name]; ok {
			given[o.Name] = value
		}
		if value, ok := properties[prefix+o.Name]; ok {
			given[o.Name], own = value, true
		}
	}
	return given, own
}

// Prefixed reads the settings of clients that have a prefix, as Given has them. They
// are nil when nothing has the prefix.
func Prefixed(properties map[string]string, prefix string) (*Settings, error) {
	own, found := Given(properties, prefix)
	if !found {
		return nil, nil
	}
	var s Settings
	var d connect.Def
	s.Define(&d, "")
	if err := connect.Err(d.Parse(own)); err != nil {
		return nil, fmt.Errorf("properties of %s*: %w", prefix, err)
	}
	return &s, nil
}

// Opts returns the options of a client. It reads the stores; an error names the
// property.
func (s *Settings) Opts() ([]kgo.Opt, error) {
	var opts []kgo.Opt
	var errs []error
	if s.protocol == overTLS || s.protocol == saslOverTLS {
		config, err := s.TLS()
		errs = append(errs, err)
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if strings.HasPrefix(s.protocol, "SASL_") {
		mechanism, err := s.sasl()
		errs = append(errs, err)
		opts = append(opts, kgo.SASL(mechanism))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return opts, nil
}
