package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestWorkersForwardRequests runs workers of one group with and without TLS and
// users on a cluster, and asks each of them for a change that the leader makes: the
// first to come, and when that has gone the next.
func TestWorkersForwardRequests(t *testing.T) {
	keystore, pool := selfSigned(t)
	pem := writeFile(t, "rest.pem", keystore)
	access := writeFile(t, "access.json", `{"users": [{"name": "eve", "password": "plain$secret", "connectors": {"*": "edit"}}]}`)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	cluster, _ := runMain(t, NewMain(anywhere(t), slog.New(slog.DiscardHandler)))
	ask := func(method, url, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth("eve", "secret")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Location") + " " + string(text)
	}
	for _, order := range []string{"http https http", "https http https"} {
		t.Run(order, func(t *testing.T) {
			group := strings.ReplaceAll(order, " ", "-")
			type worker struct {
				url string
				end func() error
			}
			var workers []worker
			for _, scheme := range strings.Fields(order) {
				listener := scheme + "://127.0.0.1:0"
				c, err := loadProperties(t, fmt.Sprintf("listeners=%s\nlisteners.https.ssl.keystore.location=%s\nrest.access.file=%s\nbootstrap.servers=%s\n"+
					"group.id=%s\nconfig.storage.topic=%[5]s-configs\noffset.storage.topic=%[5]s-offsets\nstatus.storage.topic=%[5]s-status\n"+
					"scheduled.rebalance.max.delay.ms=0\nheartbeat.interval.ms=200\n", listener, pem, access, cluster.Kafka, group))
				if err != nil {
					t.Fatal(err)
				}
				c.DataDir, c.Registry = t.TempDir(), "127.0.0.1:0"
				a, end := runMain(t, NewMain(c, slog.New(slog.DiscardHandler)))
				workers = append(workers, worker{scheme + "://" + a.REST, end})
			}
			const config = `{"connector.class":"MqttSource","mqtt.server.uri":"tcp://127.0.0.1:1","mqtt.topics":"t","kafka.topic":"t"}`
			for len(workers) > 1 {
				for i, w := range workers {
					name := fmt.Sprintf("c%d-%d", len(workers), i)
					if code, text := ask("PUT", w.url+"/connectors/"+name+"/config", config); code != http.StatusCreated || !strings.HasPrefix(text, "/connectors/"+name+" ") {
						t.Errorf("%s of %d workers: PUT config: %d %s", w.url, len(workers), code, text)
					}
					if code, text := ask("GET", w.url+"/connectors/"+name+"/config", ""); code != http.StatusOK {
						t.Errorf("%s: GET config right afterwards: %d %s", w.url, code, text)
					}
				}
				if err := workers[0].end(); err != nil { // which leads
					t.Error(err)
				}
				workers = workers[1:]
			}
		})
	}
}
