package convert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// registryTLS are the options of TLS to a registry. Stores are PEM.
type registryTLS struct {
	truststore, trusted    string
	keystore, chain        string
	key                    connect.Secret
	identification         string
	truststoreType, ksType string
}

const tlsPrefix = "schema.registry.ssl."

func (c *registryTLS) define(d *connect.Def, prefix string) {
	pem := []string{"PEM"}
	for _, o := range []connect.Option{
		{Name: "truststore.location", Var: &c.truststore, Doc: "A PEM file of the certificates that are trusted; the system's when neither it nor truststore.certificates is there."},
		{Name: "truststore.certificates", Var: &c.trusted, Doc: "The certificates that are trusted, as PEM."},
		{Name: "truststore.type", Var: &c.truststoreType, Default: "PEM", OneOf: pem, Doc: "The kind of truststore. Others than PEM: convert them with keytool and openssl."},
		{Name: "keystore.location", Var: &c.keystore, Doc: "A PEM file with the client's certificate and its private key, not encrypted."},
		{Name: "keystore.certificate.chain", Var: &c.chain, Doc: "The client's certificate, as PEM."},
		{Name: "keystore.key", Var: &c.key, Doc: "The client's private key, as PEM, not encrypted."},
		{Name: "keystore.type", Var: &c.ksType, Default: "PEM", OneOf: pem, Doc: "The kind of keystore."},
		{Name: "endpoint.identification.algorithm", Var: &c.identification, Default: "https", OneOf: []string{"https", ""}, Doc: "https: the certificate must have the registry's name. Empty: any name does."},
	} {
		o.Name, o.Group, o.Importance = prefix+tlsPrefix+o.Name, "Schema Registry", connect.Low
		d.Add(o)
	}
}

// config reads the stores. Errors name the option.
func (c *registryTLS) config(prefix string) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	fail := func(option string, err error) (*tls.Config, error) {
		return nil, &connect.ConfigError{Option: prefix + tlsPrefix + option, Reason: err.Error()}
	}
	if c.truststore != "" || c.trusted != "" {
		text, err := fileOr(c.truststore, c.trusted)
		t.RootCAs = x509.NewCertPool()
		if err == nil && !t.RootCAs.AppendCertsFromPEM(text) {
			err = errors.New("there is no PEM certificate in it")
		}
		if err != nil {
			return fail("truststore.location", err)
		}
	}
	if c.keystore != "" || c.chain != "" {
		chain, err := fileOr(c.keystore, c.chain)
		key := []byte(c.key.Reveal())
		if len(key) == 0 {
			key = chain
		}
		if err != nil {
			return fail("keystore.location", err)
		}
		cert, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return fail("keystore.location", fmt.Errorf("it needs a PEM certificate and its private key: %w", err))
		}
		t.Certificates = []tls.Certificate{cert}
	}
	if c.identification == "" {
		anyName(t)
	}
	return t, nil
}

func fileOr(path, text string) ([]byte, error) {
	if path == "" {
		return []byte(strings.TrimSpace(text)), nil
	}
	return os.ReadFile(path)
}

// anyName checks the chain of certificates, and not the name.
func anyName(t *tls.Config) {
	t.InsecureSkipVerify = true
	roots := t.RootCAs
	t.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the schema registry has shown no certificate")
		}
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}
