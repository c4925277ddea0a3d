package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// putConnector creates a connector, or updates the one of that name, through the
// REST API, so that the command line and clients go one way.
func putConnector(ctx context.Context, api http.Handler, c connectorFile) error {
	if c.InitialState != "" {
		status, err := call(ctx, api, http.MethodPost, "/connectors", c)
		if status != http.StatusConflict {
			return err
		}
	}
	_, err := call(ctx, api, http.MethodPut, "/connectors/"+url.PathEscape(c.Name)+"/config", c.Config)
	return err
}

// call sends a request to a handler in this process. A status of 400 and above
// is an error with the API's own message.
func call(ctx context.Context, api http.Handler, method, path string, body any) (status int, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, fmt.Errorf("encode request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	w := &answer{header: http.Header{}, code: http.StatusOK}
	api.ServeHTTP(w, req)
	if w.code < 400 {
		return w.code, nil
	}
	var trouble struct{ Message string }
	if json.Unmarshal(w.body.Bytes(), &trouble) != nil || trouble.Message == "" {
		trouble.Message = w.body.String()
	}
	return w.code, fmt.Errorf("%s (status %d)", trouble.Message, w.code)
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
