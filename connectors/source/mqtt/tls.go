package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/keystore"
)

// loadTLS makes the TLS config from the mqtt.tls options, nil when no server
// needs one.
func (c *Config) loadTLS() (*tls.Config, []*connect.ConfigError) {
	if !slices.ContainsFunc(c.servers, server.secure) {
		return nil, c.refuseUnusedTLS()
	}
	var errs []*connect.ConfigError
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if err := c.addRoots(cfg); err != nil {
		errs = append(errs, err)
	}
	if err := c.addClientCert(cfg); err != nil {
		errs = append(errs, err)
	}
	return cfg, errs
}

func (c *Config) refuseUnusedTLS() []*connect.ConfigError {
	used := []struct {
		option string
		set    bool
	}{{optTLSCA, c.TLSCA != ""}, {optTLSCert, c.TLSCert != ""}, {optTLSKey, c.TLSKey.IsSet()},
		{optTrustStore, c.TrustStorePath != ""}, {optKeyStore, c.KeyStorePath != ""}}
	for _, u := range used {
		if u.set {
			return []*connect.ConfigError{{Option: u.option,
				Reason: "it is set, but no server in " + optServerURI + " uses TLS: use ssl:// or wss://, or leave it out"}}
		}
	}
	return nil
}

func (c *Config) addRoots(cfg *tls.Config) *connect.ConfigError {
	switch {
	case c.TLSCA != "" && c.TrustStorePath != "":
		return &connect.ConfigError{Option: optTrustStore, Reason: optTLSCA + " is set too: give one of them"}
	case c.TrustStorePath != "":
		return c.addTrustStore(cfg)
	case c.TLSCA == "":
		return nil
	}
	pem, err := readPEM(optTLSCA, c.TLSCA)
	if err != nil {
		return err
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return &connect.ConfigError{Option: optTLSCA, Reason: "it has no certificate in PEM form (-----BEGIN CERTIFICATE-----)"}
	}
	return nil
}

func (c *Config) addTrustStore(cfg *tls.Config) *connect.ConfigError {
	st, err := keystore.Read(c.TrustStorePath, c.TrustStorePassword.Reveal(), "")
	if err == nil {
		cfg.RootCAs, err = st.Roots()
	}
	if err != nil {
		return &connect.ConfigError{Option: optTrustStore, Reason: err.Error()}
	}
	return nil
}

func (c *Config) addKeyStore(cfg *tls.Config) *connect.ConfigError {
	st, err := keystore.Read(c.KeyStorePath, c.KeyStorePassword.Reveal(), c.KeyPassword.Reveal())
	if err == nil {
		var pair *tls.Certificate
		if pair, err = st.KeyPair(); err == nil {
			cfg.Certificates = []tls.Certificate{*pair}
			return nil
		}
	}
	return &connect.ConfigError{Option: optKeyStore, Reason: err.Error()}
}

func (c *Config) addClientCert(cfg *tls.Config) *connect.ConfigError {
	switch {
	case c.KeyStorePath != "" && (c.TLSCert != "" || c.TLSKey.IsSet()):
		return &connect.ConfigError{Option: optKeyStore, Reason: optTLSCert + " or " + optTLSKey + " is set too: give one of them"}
	case c.KeyStorePath != "":
		return c.addKeyStore(cfg)
	case c.TLSCert == "" && !c.TLSKey.IsSet():
		return nil
	case c.TLSCert == "":
		return &connect.ConfigError{Option: optTLSCert, Reason: "it is missing, while " + optTLSKey + " is set: give both or none"}
	case !c.TLSKey.IsSet():
		return &connect.ConfigError{Option: optTLSKey, Reason: "it is missing, while " + optTLSCert + " is set: give both or none"}
	}
	cert, err := readPEM(optTLSCert, c.TLSCert)
	if err != nil {
		return err
	}
	key, err := readPEM(optTLSKey, c.TLSKey.Reveal())
	if err != nil {
		return err
	}
	pair, pairErr := tls.X509KeyPair(cert, key)
	if pairErr != nil {
		return &connect.ConfigError{Option: optTLSCert, Reason: "it and " + optTLSKey +
			" are not a certificate and its unencrypted key: " + strings.TrimPrefix(pairErr.Error(), "tls: ")}
	}
	cfg.Certificates = []tls.Certificate{pair}
	return nil
}

// readPEM returns PEM text that is given itself or as the path of a file. The
// error never has the text, which may be a key (I6).
func readPEM(option, source string) ([]byte, *connect.ConfigError) {
	if strings.Contains(source, "-----BEGIN") {
		return []byte(source), nil
	}
	pem, err := os.ReadFile(source)
	if err == nil {
		return pem, nil
	}
	reason := "it is neither PEM text nor the path of a file that can be read"
	if os.IsNotExist(err) {
		reason = "there is no such file, and it is not PEM text"
	} else if os.IsPermission(err) {
		reason = "the file may not be read: check its permissions"
	}
	return nil, &connect.ConfigError{Option: option, Reason: reason}
}
