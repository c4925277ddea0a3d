package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// elsewhere are options whose servers and files are not there in a test: the errors of
// a config that is right otherwise.
var elsewhere = []string{"database.hostname", "database.sslrootcert", "mqtt.server.uri", "s3.bucket.name", "store.url"}

// TestExamplesAreValid asks the worker about every example as forms do: connector,
// converters, transforms. Only the servers are missing.
func TestExamplesAreValid(t *testing.T) {
	for _, name := range []string{"SHOP_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "secret")
	}
	paths, err := filepath.Glob("../../examples/configs/*.json")
	if err != nil || len(paths) < 10 {
		t.Fatalf("examples %v, %v", paths, err)
	}
	a, _ := runMain(t, NewMain(anywhere(t), slog.New(slog.DiscardHandler)))
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := readConnectorFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for option, address := range map[string]string{"database.hostname": "127.0.0.1", "database.port": "1", "mqtt.server.uri": "tcp://127.0.0.1:1"} {
				if _, ok := c.Config[option]; ok {
					c.Config[option] = address
				}
			}
			if c.Config["s3.bucket.name"] != "" {
				c.Config["store.url"] = "http://127.0.0.1:1"
			}
			for option, errors := range validated(t, a, c) {
				if !slices.Contains(elsewhere, option) {
					t.Errorf("%s: %s", option, errors)
				}
			}
		})
	}
}

// validated returns the errors of a config by option.
func validated(t *testing.T, a Addresses, c connectorFile) map[string][]string {
	t.Helper()
	c.Config["name"] = c.Name
	body, err := json.Marshal(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPut, "http://"+a.REST+"/connector-plugins/"+c.Config["connector.class"]+"/config/validate", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Configs []struct {
			Value struct {
				Name   string
				Errors []string
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Configs) < 10 {
		t.Fatalf("%s: %d options, %v", resp.Status, len(answer.Configs), err)
	}
	found := map[string][]string{}
	for _, o := range answer.Configs {
		if len(o.Value.Errors) > 0 {
			found[o.Value.Name] = o.Value.Errors
		}
	}
	return found
}

func TestScrape(t *testing.T) {
	a, _ := runMain(t, NewMain(anywhere(t), slog.New(slog.DiscardHandler)))
	got, err := scrape(t.Context(), "http://"+a.REST+"/metrics")
	if err != nil || len(got) == 0 {
		t.Errorf("got %d metrics, %v", len(got), err)
	}
}
