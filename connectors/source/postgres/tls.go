package postgres

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/sluice-data/sluice/connect"
)

// tlsConfigs returns how to try to connect, in order: nil stands for a plain
// connection. What the modes mean is libpq's.
func (o *connectionOptions) tlsConfigs() ([]*tls.Config, error) {
	if o.sslMode == "disable" || strings.HasPrefix(o.hostname, "/") {
		return []*tls.Config{nil}, nil // there is no TLS on a Unix socket
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if net.ParseIP(o.hostname) == nil {
		cfg.ServerName = o.hostname
	}
	if err := o.addRoots(cfg); err != nil {
		return nil, err
	}
	if err := o.addClientCert(cfg); err != nil {
		return nil, err
	}
	mode := o.sslMode
	if mode == "require" && o.sslRootCert != "" {
		mode = "verify-ca" // as libpq
	}
	switch mode {
	case "verify-full":
		cfg.ServerName = o.hostname
	case "verify-ca":
		cfg.InsecureSkipVerify = true // the chain is checked here, the name is not
		cfg.VerifyConnection = verifyChain(cfg.RootCAs)
	default:
		cfg.InsecureSkipVerify = true
	}
	switch mode {
	case "allow":
		return []*tls.Config{nil, cfg}, nil
	case "prefer":
		return []*tls.Config{cfg, nil}, nil
	}
	return []*tls.Config{cfg}, nil
}

// verifyChain checks that the server's certificate leads to a root.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(o)
		return err
	}
}

func (o *connectionOptions) addRoots(cfg *tls.Config) error {
	if o.sslRootCert == "" || o.sslRootCert == "system" {
		return nil
	}
	data, err := readFile(optSSLRootCert, o.sslRootCert)
	if err != nil {
		return err
	}
	cfg.RootCAs = x509.NewCertPool()
	if cfg.RootCAs.AppendCertsFromPEM(data) {
		return nil
	}
	if cert, err := x509.ParseCertificate(data); err == nil {
		cfg.RootCAs.AddCert(cert)
		return nil
	}
	return &connect.ConfigError{Option: optSSLRootCert, Reason: "it has no certificate in PEM form (-----BEGIN CERTIFICATE-----)"}
}

func (o *connectionOptions) addClientCert(cfg *tls.Config) error {
	if o.sslKey == "" && o.sslCert == "" {
		return nil
	}
	if o.sslKey == "" {
		return &connect.ConfigError{Option: optSSLKey, Reason: "it is missing, while " + optSSLCert + " is set: give both or none"}
	}
	key, chain, err := o.readKey()
	if err != nil {
		return err
	}
	if o.sslCert != "" {
		if chain, err = readCerts(o.sslCert); err != nil {
			return err
		}
	}
	if len(chain) == 0 {
		return &connect.ConfigError{Option: optSSLCert, Reason: "it is missing, while " + optSSLKey + " is set: give both or none"}
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	if !keyFits(chain[0], key) {
		return &connect.ConfigError{Option: optSSLCert, Reason: "it is not the certificate of " + optSSLKey}
	}
	cfg.Certificates = []tls.Certificate{pair}
	return nil
}

func keyFits(cert *x509.Certificate, key crypto.PrivateKey) bool {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(signer.Public())
}

func readCerts(source string) ([]*x509.Certificate, error) {
	data, err := readFile(optSSLCert, source)
	if err != nil {
		return nil, err
	}
	var der []byte
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			der = append(der, block.Bytes...)
		}
	}
	if der == nil {
		der = data
	}
	chain, parseErr := x509.ParseCertificates(der)
	if parseErr != nil || len(chain) == 0 {
		return nil, &connect.ConfigError{Option: optSSLCert, Reason: "it is not a certificate: it has to be in PEM form (-----BEGIN CERTIFICATE-----)"}
	}
	return chain, nil
}

// readKey reads a key in PEM form, or in the forms of PostgreSQL's Java driver:
// PKCS-8 in DER, or PKCS-12, which brings its certificates.
func (o *connectionOptions) readKey() (crypto.PrivateKey, []*x509.Certificate, error) {
	data, err := readFile(optSSLKey, o.sslKey)
	if err != nil {
		return nil, nil, err
	}
	if block, _ := pem.Decode(data); block != nil {
		key, err := o.parsePEMKey(block)
		return key, nil, err
	}
	if key, err := x509.ParsePKCS8PrivateKey(data); err == nil {
		return key, nil, nil
	}
	key, cert, others, err := pkcs12.DecodeChain(data, o.sslPassword.Reveal())
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return nil, nil, &connect.ConfigError{Option: optSSLPassword, Reason: "it does not open the PKCS-12 file of " + optSSLKey}
	}
	if err != nil {
		return nil, nil, keyError("it is neither a key in PEM form nor PKCS-8 in DER form nor a PKCS-12 file")
	}
	return key, append([]*x509.Certificate{cert}, others...), nil
}

func (o *connectionOptions) parsePEMKey(block *pem.Block) (crypto.PrivateKey, error) {
	der := block.Bytes
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, keyError("it is an encrypted PKCS-8 key, which is not supported: decrypt it (openssl pkcs8 -in key -out plain) " +
			"and protect the file by its permissions, or make it a PKCS-12 file")
	case x509.IsEncryptedPEMBlock(block): //nolint:staticcheck // existing files have it
		plain, err := x509.DecryptPEMBlock(block, []byte(o.sslPassword.Reveal())) //nolint:staticcheck
		if err != nil {
			return nil, &connect.ConfigError{Option: optSSLPassword, Reason: "it does not decrypt the key of " + optSSLKey}
		}
		der = plain
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, keyError("it is not a private key of RSA, ECDSA or Ed25519")
}

func keyError(reason string) error { return &connect.ConfigError{Option: optSSLKey, Reason: reason} }

// maxPEM is how long a file with keys or certificates may be (I5): a list of all public
// authorities takes a quarter of it.
const maxPEM = 1 << 20

// readFile returns PEM text that is given itself, or the content of a file. The
// error never has the text, which may be a key (I6).
func readFile(option, source string) ([]byte, error) {
	if strings.Contains(source, "-----BEGIN") {
		return []byte(source), nil
	}
	data, err := readSmall(source, maxPEM)
	switch {
	case err == nil:
		return data, nil
	case os.IsNotExist(err):
		return nil, &connect.ConfigError{Option: option, Reason: "there is no such file, and it is not PEM text"}
	case os.IsPermission(err):
		return nil, &connect.ConfigError{Option: option, Reason: "the file may not be read: check its permissions"}
	}
	return nil, &connect.ConfigError{Option: option, Reason: "it is neither PEM text nor the path of a file that can be read"}
}

// tlsFailure says why an encrypted connection will never work, "" for other
// errors.
func tlsFailure(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is not signed by a known authority: give the authority's certificate in " + optSSLRootCert
	case errors.As(err, &name):
		return "the server's certificate is for another name (" + name.Error() + "): correct " + optHostname + " or use verify-ca"
	case errors.As(err, &invalid):
		return "the server's certificate cannot be used: " + invalid.Error()
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return "the server does not offer TLS: set ssl=on there, or use prefer or disable"
	}
	return ""
}
