package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// registry is as much of Apicurio's registry (its REST API, version 2) as its Avro
// converter needs to write: a schema is created and gets an id, the same one each time.
type registry struct {
	url string

	mu      sync.Mutex // guards schemas
	schemas []string   // by their ids, from 1 on
}

// startRegistry listens until the process ends.
func startRegistry() (*registry, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	const base = "/apis/registry/v2"
	r := &registry{url: "http://" + l.Addr().String() + base}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+base+"/groups/{group}/artifacts", r.create)
	go http.Serve(l, mux)
	return r, nil
}

func (r *registry) create(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(io.LimitReader(q.Body, 16<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := string(body)
	if strings.HasPrefix(q.Header.Get("Content-Type"), "application/create.extended+json") {
		var with struct{ Content string }
		if err := json.Unmarshal(body, &with); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		text = with.Content
	}
	id := r.id(text)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"id": q.Header.Get("X-Registry-ArtifactId"), "groupId": q.PathValue("group"), "type": "AVRO", "state": "ENABLED",
		"version": "1", "globalId": id, "contentId": id, "createdOn": "2020-01-01T00:00:00+0000", "modifiedOn": "2020-01-01T00:00:00+0000",
	})
}

func (r *registry) id(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, s := range r.schemas {
		if s == text {
			return i + 1
		}
	}
	r.schemas = append(r.schemas, text)
	return len(r.schemas)
}

// schema returns the text of a schema.
func (r *registry) schema(id int) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id < 1 || id > len(r.schemas) {
		return "", fmt.Errorf("no schema has the id %d", id)
	}
	return r.schemas[id-1], nil
}

// converter are the options of Apicurio's converter, in the framing of Confluent's.
func (r *registry) converter() map[string]string {
	return map[string]string{
		"": "io.apicurio.registry.utils.converter.AvroConverter", ".apicurio.registry.url": r.url,
		".apicurio.registry.auto-register": "true", ".apicurio.registry.as-confluent": "true", ".apicurio.registry.headers.enabled": "false",
	}
}
