package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// reloadInterval is how often, at most, the files are looked at for a change.
	reloadInterval = time.Second
	maxPEMBytes    = 4 << 20 // I5
)

// TLSOptions say how a listener proves who it is and whom it believes, all in PEM.
type TLSOptions struct {
	// KeystoreFile has the certificate chain and the private key (ssl.keystore.location); the alternative is Chain and Key.
	KeystoreFile string
	// Chain and Key are the texts themselves (ssl.keystore.certificate.chain, ssl.keystore.key).
	Chain, Key string
	// TruststoreFile has the certificates that sign clients' (ssl.truststore.location); the alternative is Trusted.
	TruststoreFile string
	// Trusted is the text itself (ssl.truststore.certificates).
	Trusted string
	// ClientAuth asks clients for a certificate (ssl.client.auth: requested and required).
	ClientAuth tls.ClientAuthType
	// MinVersion and MaxVersion of the protocol (ssl.enabled.protocols). Default: 1.2 and 1.3.
	MinVersion, MaxVersion uint16
	// Logger is told when files that have changed cannot be used. Default: discard.
	Logger *slog.Logger
}

// NewTLS returns a server's configuration. When the files change, connections from
// then on use what is in them; while they cannot be read or do not fit together,
// what was there before stays in use.
func NewTLS(o TLSOptions) (*tls.Config, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &reloader{options: o}
	r.stamps = r.look()
	var err error
	if r.current, err = o.load(); err != nil {
		return nil, err
	}
	c := r.current.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return r.config(), nil }
	return c, nil
}

// load reads everything anew.
func (o *TLSOptions) load() (*tls.Config, error) {
	chain, key := []byte(o.Chain), []byte(o.Key)
	if o.KeystoreFile != "" {
		b, err := readPEM(o.KeystoreFile)
		if err != nil {
			return nil, fmt.Errorf("read keystore: %w", err)
		}
		chain, key = b, b // each finds its own in the file
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("read certificate and key: %w; the keystore is PEM with a certificate chain and an unencrypted private key", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: o.ClientAuth, MinVersion: max(o.MinVersion, tls.VersionTLS12), MaxVersion: o.MaxVersion}
	trusted := []byte(o.Trusted)
	if o.TruststoreFile != "" {
		if trusted, err = readPEM(o.TruststoreFile); err != nil {
			return nil, fmt.Errorf("read truststore: %w", err)
		}
	}
	if o.ClientAuth == tls.NoClientCert {
		return c, nil
	}
	if len(trusted) == 0 {
		return nil, errors.New("ssl.client.auth needs a truststore: set ssl.truststore.location to the PEM file of the certificates that sign clients'")
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(trusted) {
		return nil, errors.New("the truststore has no certificate in PEM")
	}
	return c, nil
}

func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // names the file
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPEMBytes+1))
	if err == nil && len(b) > maxPEMBytes {
		err = fmt.Errorf("%s has more than %d bytes", path, maxPEMBytes)
	}
	return b, err
}

// stamp tells versions of a file apart.
type stamp struct {
	size int64
	at   time.Time
}

// reloader has the configuration in use.
type reloader struct {
	options TLSOptions

	mu      sync.Mutex // guards the fields below
	current *tls.Config
	stamps  [2]stamp
	looked  time.Time
}

// config is called for each handshake.
func (r *reloader) config() *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.looked) < reloadInterval {
		return r.current
	}
	r.looked = now
	stamps := r.look()
	if stamps == r.stamps {
		return r.current
	}
	r.stamps = stamps
	next, err := r.options.load()
	if err != nil {
		r.options.Logger.Error("changed TLS files cannot be used; those from before stay in use", "error", err)
		return r.current
	}
	r.options.Logger.Info("TLS files loaded again", "keystore", r.options.KeystoreFile, "truststore", r.options.TruststoreFile)
	r.current = next
	return next
}

// look returns the stamps of the files; that of a file that is not there is zero.
func (r *reloader) look() (stamps [2]stamp) {
	for i, path := range []string{r.options.KeystoreFile, r.options.TruststoreFile} {
		if fi, err := os.Stat(path); path != "" && err == nil {
			stamps[i] = stamp{fi.Size(), fi.ModTime()}
		}
	}
	return stamps
}
