package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/rest"
	"github.com/sluice-data/sluice/log/security"
)

const (
	// accessFileProperty names the file with the users of the REST API.
	accessFileProperty = "rest.access.file"
	// restTLSPrefix stands before the TLS properties of the REST listener, as in
	// Kafka Connect.
	restTLSPrefix = "listeners.https."
)

// restConfig is how the REST API is protected.
type restConfig struct {
	https      bool
	tls        *security.TLSOptions // with https, and for requests to workers that have it; nil: not set
	accessFile string               // empty: everybody may do everything
}

// takeREST moves the properties of the REST listener out of the worker's.
func (c *Config) takeREST() error {
	c.rest.accessFile = strings.TrimSpace(c.Properties[accessFileProperty])
	delete(c.Properties, accessFileProperty)
	own := make(map[string]string)
	for key, value := range c.Properties {
		if name, ok := strings.CutPrefix(key, restTLSPrefix); ok {
			own[name] = value
		}
	}
	maps.DeleteFunc(c.Properties, func(key, _ string) bool { return strings.HasPrefix(key, restTLSPrefix) })
	if !c.rest.https && len(own) == 0 {
		return nil
	}
	var p listenerProperties
	var d connect.Def
	p.define(&d)
	if err := connect.Err(d.Parse(own)); err != nil {
		return fmt.Errorf("%s*: %w", restTLSPrefix, err)
	}
	if c.rest.tls = p.tls(); c.rest.https && c.rest.tls.KeystoreFile == "" && c.rest.tls.Chain == "" {
		return errors.New("listeners: https needs " + restTLSPrefix + "ssl.keystore.location, a PEM file with the certificate chain and the private key")
	}
	return nil
}

func (c restConfig) scheme() string {
	if c.https {
		return "https"
	}
	return "http"
}

// protect returns what clients from outside reach in place of the API and its
// listener. The server's own calls need neither.
func (c restConfig) protect(api http.Handler, ln net.Listener, logger *slog.Logger) (http.Handler, net.Listener, error) {
	if c.https {
		o := *c.tls
		o.Logger = logger
		config, err := security.NewTLS(o)
		if err != nil {
			return nil, nil, fmt.Errorf("%s*: %w", restTLSPrefix, err)
		}
		ln = tls.NewListener(ln, config)
	}
	if c.accessFile == "" {
		return api, ln, nil
	}
	access, err := rest.OpenAccess(c.accessFile, logger)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", accessFileProperty, err)
	}
	return access.Handler(api), ln, nil
}
