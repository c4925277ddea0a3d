package main

import (
	"bufio"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// TestMetrics looks for what every part of the server reports, in lines that a scraper can read.
func TestMetrics(t *testing.T) {
	a, _ := runMain(t, NewMain(anywhere(t), slog.New(slog.DiscardHandler)))
	resp, err := http.Get("http://" + a.REST + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Fatalf("status %s, content type %q", resp.Status, got)
	}
	seen := map[string]bool{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, _, _ := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		seen[name] = true
	}
	for _, want := range []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "go_goroutines",
		"kafka_server_brokertopicmetrics_bytesin_total", "sluice_log_sync_seconds_bucket", "sluice_log_dir_usable_bytes", "kafka_connect_worker_connector_count"} {
		if !seen[want] {
			t.Errorf("no sample of %s", want)
		}
	}
}
