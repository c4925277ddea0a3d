package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
)

// maxHTTPConns bounds the connections of an HTTP listener (I5).
const maxHTTPConns = 1000

// listen opens a listener for a flag. The error says what to do.
func listen(name, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--%s %s: the port is in use; stop what listens there or choose another with --%s (port 0 picks a free one)", name, addr, name)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("--%s %s: this user may not listen on the port; choose one above 1023 with --%s", name, addr, name)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("--%s %s: this machine does not have the address; choose another with --%s", name, addr, name)
	}
	return nil, fmt.Errorf("--%s %s: listen: %w", name, addr, err)
}

// listeners are the server's open ports.
type listeners struct {
	rest, registry net.Listener
	admin          net.Listener   // nil: the loggers have none of their own
	kafka          []net.Listener // in the order of Config.kafkaListeners
}

// openListeners opens all or none.
func openListeners(c *Config) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
			l = listeners{}
		}
	}()
	if l.rest, err = listen("rest", c.REST); err != nil {
		return l, err
	}
	if c.rest.admin != "" {
		if l.admin, err = net.Listen("tcp", c.rest.admin); err != nil {
			return l, fmt.Errorf("%s: %w; choose another address", adminProperty, err)
		}
	}
	if c.registry.url == "" {
		if l.registry, err = listen("registry", c.Registry); err != nil {
			return l, err
		}
	}
	if c.external() {
		return l, nil
	}
	for _, k := range c.kafkaListeners() {
		ln, err := listen("kafka", k.addr)
		if err != nil {
			return l, err
		}
		l.kafka = append(l.kafka, ln)
	}
	return l, nil
}

// close closes what no server has taken over; closing twice does no harm.
func (l listeners) close() {
	for _, ln := range append([]net.Listener{l.rest, l.registry, l.admin}, l.kafka...) {
		if ln != nil {
			ln.Close()
		}
	}
}

func (l listeners) addresses() Addresses {
	a := Addresses{REST: l.rest.Addr().String(), PID: os.Getpid()}
	if l.registry != nil {
		a.Registry = l.registry.Addr().String()
	}
	if l.admin != nil {
		a.Admin = l.admin.Addr().String()
	}
	if len(l.kafka) > 0 {
		a.Kafka = l.kafka[0].Addr().String()
	}
	return a
}

// httpServer serves a handler until it is shut down.
type httpServer struct {
	server *http.Server
	done   chan struct{} // closed when Serve has returned
	err    error         // of Serve; read it after done
}

func serveHTTP(ln net.Listener, h http.Handler, logger *slog.Logger) *httpServer {
	s := &httpServer{
		server: &http.Server{
			Handler:           h,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       time.Minute,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // what clients do wrong
		},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(netutil.LimitListener(ln, maxHTTPConns)); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("serve %s: %w", ln.Addr(), err)
		}
	}()
	return s
}

// ended returns a channel that is closed when the server has ended; never without
// a server.
func (s *httpServer) ended() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.done
}

// shutdown lets requests in progress end for at most a few seconds.
func (s *httpServer) shutdown() {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		s.server.Close()
	}
	<-s.done
}
