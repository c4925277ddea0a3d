package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-data/sluice/engine"
)

const (
	// forwardQuery says how often a request may still be passed on: by two workers
	// without it, by one more with true, by none with false.
	forwardQuery = "forward"
	// forwardDelayMax is the longest delay before a worker is asked again.
	forwardDelayMax = time.Second
	// hopTimeout is how long a worker that was asked by another waits for a leader.
	hopTimeout = 2 * time.Second
	maxAnswer  = 32 << 20 // bytes of another worker's answer (I5)
)

// attempt serves a request here, or says which worker's URL can; an empty one
// stands for nobody at the moment.
type attempt func(w http.ResponseWriter, r *http.Request) (done bool, url string, err error)

// led serves a request that only the leader of the group can serve.
func (a *api) led(h handler) handler {
	return a.anywhere(func(w http.ResponseWriter, r *http.Request) (bool, string, error) {
		ctx := r.Context()
		if r.URL.Query().Has(forwardQuery) {
			hop, cancel := context.WithTimeout(ctx, hopTimeout)
			defer cancel()
			ctx = hop
		}
		self, url, err := a.worker.Leader(ctx)
		if err != nil || !self {
			return false, url, err
		}
		if err := h(w, r); !errors.Is(err, engine.ErrNotLeader) {
			return true, "", err
		}
		return false, "", nil
	})
}

// owned serves a request that only the worker that runs a task can serve.
func (a *api) owned(h handler) handler {
	return a.anywhere(func(w http.ResponseWriter, r *http.Request) (bool, string, error) {
		err := h(w, r)
		var elsewhere *engine.NotHereError
		if errors.As(err, &elsewhere) {
			return false, elsewhere.URL, nil
		}
		return true, "", err
	})
}

// anywhere passes a request on to the worker that can serve it. While there is none,
// such as in a rebalance, it tries again for as long as the request has time; Kafka
// Connect answers 409 at once.
func (a *api) anywhere(try attempt) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := readAll(r)
		if err != nil {
			return err
		}
		hop := r.URL.Query().Get(forwardQuery)
		for delay := 20 * time.Millisecond; ; delay = min(2*delay, forwardDelayMax) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			done, target, err := try(w, r)
			if done || err != nil {
				return err
			}
			if target != "" && hop != "false" {
				if done, err := a.forward(w, r, target, body); done || err != nil {
					return err
				}
			}
			if hop != "" || !wait(r.Context(), delay) {
				return engine.ErrNotLeader // the first worker tries again
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// forward sends a request to another worker and passes its answer on. It returns
// false when that one cannot serve it at the moment.
func (a *api) forward(w http.ResponseWriter, r *http.Request, base string, body []byte) (bool, error) {
	query := r.URL.Query()
	query.Set(forwardQuery, fmt.Sprint(!query.Has(forwardQuery)))
	address := strings.TrimSuffix(base, "/") + r.URL.EscapedPath() + "?" + query.Encode()
	req, err := http.NewRequestWithContext(r.Context(), r.Method, address, bytes.NewReader(body))
	if err != nil {
		return false, forwardError(err)
	}
	for _, name := range []string{"Authorization", "Content-Type", "Accept"} {
		if v := r.Header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	resp, err := a.worker.PeerClient().Do(req)
	switch {
	case err != nil && (r.Context().Err() != nil || lost(r.Method, err)):
		return false, nil
	case err != nil:
		return false, forwardError(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return false, forwardError(err)
	case len(answer) > maxAnswer:
		return false, forwardError(fmt.Errorf("the answer has more than %d bytes", maxAnswer))
	case passing(resp.StatusCode, answer):
		return false, nil
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		a.worker.CatchUp(r.Context())
	}
	passOn(w, resp, answer)
	return true, nil
}

// lost tells of an error of a worker that may be gone, after which a request can be
// sent again: it did not arrive, or doing it twice is no different from once.
func lost(method string, err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	broken := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	return broken && (method == http.MethodPut || method == http.MethodPatch)
}

// forwardError is an error on the way to another worker; clients know the text.
func forwardError(err error) error {
	return &restError{http.StatusInternalServerError, fmt.Sprintf("IO Error trying to forward REST request: %v", err)}
}

// passing tells of an answer that says "not now": in a rebalance, or at the end of
// a worker.
func passing(status int, answer []byte) bool {
	if status != http.StatusConflict && status != http.StatusServiceUnavailable {
		return false
	}
	var e struct{ Message string }
	return json.Unmarshal(answer, &e) == nil &&
		(strings.HasPrefix(e.Message, "Cannot complete request") || strings.HasPrefix(e.Message, "Worker is shutting down"))
}

// passOn answers what another worker has answered. Its own address is none of the
// client's business.
func passOn(w http.ResponseWriter, resp *http.Response, answer []byte) {
	if u, err := url.Parse(resp.Header.Get("Location")); err == nil && u.Path != "" {
		w.Header().Set("Location", u.EscapedPath())
	}
	if kind := resp.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer) // a client that is gone is nobody's error
}
