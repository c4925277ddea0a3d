package clientconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-data/sluice/internal/keystore"
)

var versions = map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

// TLS returns the configuration of connections, with what is in the stores now. An error begins with the name of the property.
func (s *Settings) TLS() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	for _, name := range s.tlsVersions {
		c.MinVersion, c.MaxVersion = min(c.MinVersion, versions[name]), max(c.MaxVersion, versions[name])
	}
	var err error
	if c.RootCAs, err = s.roots(); err != nil {
		return nil, err
	}
	cert, err := s.certificate()
	if err != nil {
		return nil, err
	}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	if s.identification == "" {
		// The chain is still checked, only the name in it is not.
		c.InsecureSkipVerify = true
		roots := c.RootCAs
		c.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(roots, state.PeerCertificates) }
	}
	return c, nil
}

func verifyChain(roots *x509.CertPool, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("the server has shown no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	return err
}

// roots returns the certificates that are believed; nil: the system's.
func (s *Settings) roots() (*x509.CertPool, error) {
	property := "ssl.truststore.certificates"
	st := keystore.Store{Content: []byte(s.trusted.Reveal()), Password: s.truststorePassword.Reveal()}
	if s.truststore != "" {
		property = "ssl.truststore.location"
		var err error
		if st.Content, err = keystore.ReadFile(s.truststore); err != nil {
			return nil, fmt.Errorf("%s: %w", property, err)
		}
	}
	if len(st.Content) == 0 {
		return nil, nil
	}
	pool, err := st.Roots()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", property, err)
	}
	return pool, nil
}

// certificate returns the client's own; nil: it has none.
func (s *Settings) certificate() (*tls.Certificate, error) {
	property := "ssl.keystore.certificate.chain"
	st := keystore.Store{Content: slices.Concat([]byte(s.chain.Reveal()), []byte("\n"), []byte(s.key.Reveal())), Password: s.keystorePassword.Reveal(), KeyPassword: s.keyPassword.Reveal()}
	switch {
	case s.keystore != "":
		property = "ssl.keystore.location"
		var err error
		if st.Content, err = keystore.ReadFile(s.keystore); err != nil {
			return nil, fmt.Errorf("%s: %w", property, err)
		}
	case !s.chain.IsSet() && !s.key.IsSet():
		return nil, nil
	}
	cert, err := st.KeyPair()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", property, err)
	}
	return cert, nil
}
