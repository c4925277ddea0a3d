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
	// adminProperty names a listener for the loggers alone; adminTLSPrefix stands
	// before its TLS properties.
	adminProperty  = "admin.listeners"
	adminTLSPrefix = adminProperty + ".https."
)

// restConfig is how the REST API is protected.
type restConfig struct {
	https      bool
	tls        *security.TLSOptions // with https
	peers      *security.TLSOptions // for requests to other workers; nil: not set
	accessFile string               // empty: everybody may do everything
	headers    rest.Headers
	noAdmin    bool                 // the loggers are not on the main listener
	admin      string               // host:port of a listener for them; empty: there is none
	adminTLS   *security.TLSOptions // nil: the admin listener is plain HTTP
}

// takeREST moves the properties of the REST listeners out of the worker's.
func (c *Config) takeREST() (err error) {
	take := func(key string) string {
		value := strings.TrimSpace(c.Properties[key])
		delete(c.Properties, key)
		return value
	}
	c.rest.accessFile = take(accessFileProperty)
	c.rest.headers.AllowOrigins = splitList(take("access.control.allow.origin"))
	c.rest.headers.AllowMethods = splitList(take("access.control.allow.methods"))
	if c.rest.headers.Rules, err = rest.ParseHeaderRules(take("response.http.headers.config")); err != nil {
		return fmt.Errorf("response.http.headers.config: %w", err)
	}
	if err := c.takeAdmin(); err != nil {
		return err
	}
	if c.rest.peers, err = c.takeTLS("listeners", restTLSPrefix, c.rest.https); c.rest.https {
		c.rest.tls = c.rest.peers
	}
	return err
}

// takeAdmin moves the loggers to a listener of their own, or away (admin.listeners).
func (c *Config) takeAdmin() error {
	value, given := c.Properties[adminProperty]
	delete(c.Properties, adminProperty)
	urls := splitList(value)
	c.rest.noAdmin = given
	https := false
	if len(urls) > 0 {
		u, err := parseHTTPListener(adminProperty, urls)
		if err != nil {
			return err
		}
		c.rest.admin, https = u.Host, u.Scheme == "https"
	}
	o, err := c.takeTLS(adminProperty, adminTLSPrefix, https)
	if https {
		c.rest.adminTLS = o
	}
	return err
}

// takeTLS moves the TLS properties of a listener out of the worker's; nil: there are
// none, and it is plain HTTP.
func (c *Config) takeTLS(listener, prefix string, https bool) (*security.TLSOptions, error) {
	own := make(map[string]string)
	for key, value := range c.Properties {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			own[name] = value
		}
	}
	maps.DeleteFunc(c.Properties, func(key, _ string) bool { return strings.HasPrefix(key, prefix) })
	if !https && len(own) == 0 {
		return nil, nil
	}
	var p listenerProperties
	var d connect.Def
	p.define(&d)
	if err := connect.Err(d.Parse(own)); err != nil {
		return nil, fmt.Errorf("%s*: %w", prefix, err)
	}
	o := p.tls()
	if https && o.KeystoreFile == "" && o.Chain == "" {
		return nil, errors.New(listener + ": https needs " + prefix + "ssl.keystore.location, a PEM file with the certificate chain and the private key")
	}
	return o, nil
}

func (c restConfig) scheme() string {
	if c.https {
		return "https"
	}
	return "http"
}

// withTLS returns a listener that speaks TLS, or the same one without options.
func withTLS(ln net.Listener, o *security.TLSOptions, prefix string, logger *slog.Logger) (net.Listener, error) {
	if o == nil {
		return ln, nil
	}
	options := *o
	options.Logger = logger
	config, err := security.NewTLS(options)
	if err != nil {
		return nil, fmt.Errorf("%s*: %w", prefix, err)
	}
	return tls.NewListener(ln, config), nil
}

// protect returns what clients from outside reach in place of the API. The
// server's own calls do not need it.
func (c restConfig) protect(api http.Handler, logger *slog.Logger) (http.Handler, error) {
	if c.accessFile == "" {
		return api, nil
	}
	access, err := rest.OpenAccess(c.accessFile, logger)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", accessFileProperty, err)
	}
	return access.Handler(api), nil
}

// serveREST serves the API and the metrics on the main listener and, if there is
// one, the loggers on theirs. It starts both or none; admin is nil without.
func (m *Main) serveREST(api http.Handler, l listeners) (main, admin *httpServer, err error) {
	c := m.cfg.rest
	guarded, err := c.protect(api, m.logger)
	if err != nil {
		return nil, nil, err
	}
	ln, err := withTLS(l.rest, c.tls, restTLSPrefix, m.logger)
	if err != nil {
		return nil, nil, err
	}
	if l.admin != nil {
		adminListener, err := withTLS(l.admin, c.adminTLS, adminTLSPrefix, m.logger)
		if err != nil {
			return nil, nil, err
		}
		admin = serveHTTP(adminListener, c.headers.Handler(rest.OnlyAdmin(guarded)), m.logger)
	}
	if c.noAdmin {
		guarded = rest.WithoutAdmin(guarded)
	}
	return serveHTTP(ln, c.headers.Handler(withMetrics(guarded, m.metrics)), m.logger), admin, nil
}
