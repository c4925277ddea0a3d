package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/sluice-data/sluice/engine"
	"github.com/sluice-data/sluice/log/security"
)

// advertise says where other workers, and users, find the REST API of this one. A
// worker on a cluster shares its group.id with others; one on the embedded log is
// alone.
func (m *Main) advertise(c *engine.Config, ln net.Addr) error {
	host, port, err := net.SplitHostPort(ln.String())
	if err != nil {
		return fmt.Errorf("listener %s: %w", ln, err)
	}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = m.cfg.ownAddress()
	}
	host = cmp.Or(c.AdvertisedHost, host)
	if c.AdvertisedPort != 0 {
		port = strconv.Itoa(c.AdvertisedPort)
	}
	c.WorkerID = net.JoinHostPort(host, port)
	if !m.cfg.external() {
		return nil
	}
	c.Group.URL = cmp.Or(c.AdvertisedListener, m.cfg.rest.scheme()) + "://" + c.WorkerID + "/"
	if c.Group.Client, err = m.cfg.rest.peerClient(); err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip.IsLoopback() && !m.cfg.localCluster() {
		m.logger.Warn("other workers of the group reach this one only on the same machine; set listeners, --rest or rest.advertised.host.name to an address that they can reach", "advertised", c.Group.URL)
	}
	return nil
}

// ownAddress is this machine's address as the cluster sees it.
func (c *Config) ownAddress() string {
	if c.external() {
		// Nothing is sent: the system chooses the way and with it the address.
		if conn, err := net.Dial("udp", c.BootstrapServers[0]); err == nil {
			defer conn.Close()
			if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
				return a.IP.String()
			}
		}
	}
	if name, err := os.Hostname(); err == nil {
		return name
	}
	return "127.0.0.1"
}

// localCluster tells whether the brokers are on this machine.
func (c *Config) localCluster() bool {
	for _, server := range c.BootstrapServers {
		host, _, err := net.SplitHostPort(server)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && !ip.IsLoopback() {
			return false
		}
	}
	return true
}

// peerClient returns the client for requests to other workers. With TLS properties it
// shows the listener's certificate and trusts the truststore, or without one the
// system's certificates and those in the keystore, which the workers may share.
func (c restConfig) peerClient() (*http.Client, error) {
	if c.peers == nil {
		return engine.NewPeerClient(nil), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.peers.KeystoreFile != "" || c.peers.Chain != "" {
		server, err := security.NewTLS(*c.peers)
		if err != nil {
			return nil, fmt.Errorf("%s*: %w", restTLSPrefix, err)
		}
		config.Certificates = server.Certificates
	}
	trusted, file := []byte(c.peers.Trusted), c.peers.TruststoreFile
	if file == "" && len(trusted) == 0 {
		var err error
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		trusted, file = []byte(c.peers.Chain), c.peers.KeystoreFile
	} else {
		config.RootCAs = x509.NewCertPool()
	}
	if file != "" {
		var err error
		if trusted, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("%s*: %w", restTLSPrefix, err)
		}
	}
	if !config.RootCAs.AppendCertsFromPEM(trusted) {
		return nil, errors.New(restTLSPrefix + "ssl.truststore.location: the truststore has no certificate in PEM")
	}
	return engine.NewPeerClient(&http.Transport{TLSClientConfig: config}), nil
}
