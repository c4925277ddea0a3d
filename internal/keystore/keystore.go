// Package keystore reads keystores and truststores as Java has them: JKS, PKCS#12
// and PEM, told apart by their content.
package keystore

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// maxStoreBytes bounds a keystore or truststore (I5).
const maxStoreBytes = 16 << 20

// ReadFile reads a keystore or truststore.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // names the file
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStoreBytes+1))
	if err == nil && len(b) > maxStoreBytes {
		err = fmt.Errorf("%s has more than %d bytes", path, maxStoreBytes)
	}
	return b, err
}

// Store is what is in a keystore or truststore. Like Java, which reads PKCS#12 where
// the type says JKS, it goes by the content.
type Store struct {
	Content []byte
	// Password is that of the store, KeyPassword that of its key where it is another.
	Password, KeyPassword string
}

// Read reads a file.
func Read(path, password, keyPassword string) (*Store, error) {
	content, err := ReadFile(path)
	return &Store{content, password, keyPassword}, err
}

// Roots returns the certificates of a truststore, of which there must be one, as a
// pool.
func (s *Store) Roots() (*x509.CertPool, error) {
	certs, err := s.Certificates()
	if err != nil {
		return nil, err
	}
	if len(certs) == 0 {
		return nil, errors.New("there is no trusted certificate in it")
	}
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool, nil
}

// jks are the first bytes of Java's own format.
var jks = []byte{0xfe, 0xed, 0xfe, 0xed}

func (s *Store) isPEM() bool { return bytes.Contains(s.Content, []byte("-----BEGIN ")) }
func (s *Store) isJKS() bool { return bytes.HasPrefix(s.Content, jks) }

// Certificates returns the certificates of a truststore.
func (s *Store) Certificates() ([]*x509.Certificate, error) {
	switch {
	case s.isPEM():
		return pemCertificates(s.Content)
	case s.isJKS():
		return s.jksCertificates()
	}
	certs, err := pkcs12.DecodeTrustStore(s.Content, s.Password)
	if err != nil {
		return nil, fmt.Errorf("read it as PKCS#12, as it is neither PEM nor JKS: %w", err)
	}
	return certs, nil
}

func pemCertificates(text []byte) (certs []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// loadJKS reads Java's own format, and gives its entries' names in order.
func (s *Store) loadJKS() (ks keystore.KeyStore, aliases []string, err error) {
	ks = keystore.New()
	if err := ks.Load(bytes.NewReader(s.Content), []byte(s.Password)); err != nil {
		return ks, nil, fmt.Errorf("read JKS (is the password right?): %w", err)
	}
	aliases = ks.Aliases()
	slices.Sort(aliases)
	return ks, aliases, nil
}

func (s *Store) jksCertificates() (certs []*x509.Certificate, err error) {
	ks, aliases, err := s.loadJKS()
	if err != nil {
		return nil, err
	}
	for _, alias := range aliases {
		if !ks.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", alias, err)
		}
		cert, err := x509.ParseCertificate(entry.Certificate.Content)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", alias, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// KeyPair returns the certificate chain and private key of a keystore.
func (s *Store) KeyPair() (*tls.Certificate, error) {
	switch {
	case bytes.Contains(s.Content, []byte("BEGIN ENCRYPTED PRIVATE KEY")):
		return nil, errors.New("keys in PEM are read unencrypted: decrypt it (openssl pkey -in FILE -out KEY) and protect the file by its owner and mode")
	case s.isPEM():
		cert, err := tls.X509KeyPair(s.Content, s.Content) // each finds its own
		return &cert, err
	case s.isJKS():
		return s.jksKeyPair()
	}
	key, leaf, chain, err := pkcs12.DecodeChain(s.Content, s.Password)
	if err != nil {
		return nil, fmt.Errorf("read it as PKCS#12, as it is neither PEM nor JKS: %w", err)
	}
	cert := &tls.Certificate{PrivateKey: key, Certificate: [][]byte{leaf.Raw}}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, nil
}

func (s *Store) jksKeyPair() (*tls.Certificate, error) {
	ks, aliases, err := s.loadJKS()
	if err != nil {
		return nil, err
	}
	password := s.KeyPassword
	if password == "" {
		password = s.Password
	}
	for _, alias := range aliases {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("entry %s (is ssl.key.password right?): %w", alias, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", alias, err)
		}
		cert := &tls.Certificate{PrivateKey: key}
		for _, c := range entry.CertificateChain {
			cert.Certificate = append(cert.Certificate, c.Content)
		}
		return cert, nil
	}
	return nil, errors.New("there is no private key in it")
}
