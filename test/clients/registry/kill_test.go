package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/test/process"
)

const (
	defaultRounds = 4
	killClients   = 32
	// sharedSubjects and sharedSchemas are what all clients register in common.
	sharedSubjects = 8
	sharedSchemas  = 60
)

// place is a version of a subject.
type place struct {
	subject string
	version int
}

// answer is what a client was told of a registration.
type answer struct {
	ID      int    `json:"id"`
	Version int    `json:"version"`
	Schema  string `json:"schema"`
}

// told is what clients asked for and what they were told. An id belongs to one
// schema for ever, and a schema to one id.
type told struct {
	t       *testing.T
	mu      sync.Mutex // guards all below
	asked   map[string]bool
	places  map[place]answer
	schemas map[int]string
	ids     map[string]int
	answers int
	deletes int
}

func newTold(t *testing.T) *told {
	return &told{t: t, asked: make(map[string]bool), places: make(map[place]answer), schemas: make(map[int]string), ids: make(map[string]int)}
}

// learn takes an answer in, and wants it to agree with all before.
func (h *told) learn(subject string, a answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.asked[subject+" "+a.Schema] {
		h.t.Errorf("subject %s has a schema that nobody has sent: %s", subject, a.Schema)
	}
	if old, ok := h.schemas[a.ID]; ok && old != a.Schema {
		h.t.Errorf("id %d is of %s, and was of %s", a.ID, a.Schema, old)
	}
	if old, ok := h.ids[a.Schema]; ok && old != a.ID {
		h.t.Errorf("schema %s has id %d, and had %d", a.Schema, a.ID, old)
	}
	if old, ok := h.places[place{subject, a.Version}]; ok && old != a {
		h.t.Errorf("version %d of %s is %v, and was %v", a.Version, subject, a, old)
	}
	h.schemas[a.ID], h.ids[a.Schema] = a.Schema, a.ID
	h.places[place{subject, a.Version}] = a
	h.answers++
}

func (h *told) ask(subject, schema string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[subject+" "+schema] = true
}

// remove deletes a subject for good, or tries to. Its id stays given.
func (h *told) remove(url, subject string) {
	h.mu.Lock()
	delete(h.places, place{subject, 1})
	h.deletes++
	h.mu.Unlock()
	_, _ = call[any]("DELETE", url+"/subjects/"+subject, nil)
	_, _ = call[any]("DELETE", url+"/subjects/"+subject+"?permanent=true", nil)
}

func (h *told) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answers
}

// TestKillWhileRegistering kills the server while clients register different and equal
// schemas and delete others. SLUICE_REGISTRY_KILL_ROUNDS is how often.
func TestKillWhileRegistering(t *testing.T) {
	t.Parallel()
	rounds := defaultRounds
	if text := os.Getenv("SLUICE_REGISTRY_KILL_ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		must(t, err)
	}
	s := startServer(t)
	url := "http://" + s.Registry
	if _, err := call[any]("PUT", url+"/config", map[string]string{"compatibility": "NONE"}); err != nil {
		t.Fatal(err)
	}
	h := newTold(t)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for n := range killClients {
		clients.Go(func() { registerUntil(stop, url, h, n) })
	}
	for round := range rounds {
		next := h.count() + 50 + rand.IntN(300)
		eventually(t, "answers", func() bool { return h.count() >= next })
		s.Kill()
		s.Start(t)
		s.WaitReady(t)
		if round == rounds-1 {
			close(stop)
		}
	}
	clients.Wait()
	for i := range 2 { // the highest id of all is given to nobody else, though nothing has it any more
		subject, schema := fmt.Sprintf("short-last-%d", i), record(fmt.Sprintf("last_%d", i))
		h.ask(subject, schema)
		a, err := call[answer]("POST", url+"/subjects/"+subject+"/versions", map[string]string{"schema": schema})
		must(t, err)
		h.learn(subject, a)
		h.remove(url, subject)
		s.Kill()
		s.Start(t)
		s.WaitReady(t)
	}
	wantAll(t, url, h)
	must(t, s.Stop())
	wantSound(t, s)
	t.Logf("%d kills, %d answers, %d ids, %d versions, %d subjects deleted", rounds, h.answers, len(h.schemas), len(h.places), h.deletes)
}

// registerUntil registers what others register too, what nobody else does, and what
// it then deletes.
func registerUntil(stop chan struct{}, url string, h *told, client int) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		subject, schema := fmt.Sprintf("shared-%d", rand.IntN(sharedSubjects)), fmt.Sprintf("shared%d", rand.IntN(sharedSchemas))
		switch rand.IntN(4) {
		case 0:
			schema = fmt.Sprintf("own_%d_%d", client, i)
		case 1:
			subject, schema = fmt.Sprintf("short-%d-%d", client, i), fmt.Sprintf("short_%d_%d", client, i)
		}
		text := record(schema)
		h.ask(subject, text)
		a, err := call[answer]("POST", url+"/subjects/"+subject+"/versions", map[string]string{"schema": text})
		if refused, ok := errors.AsType[*refusal](err); ok {
			h.t.Errorf("register %s in %s: %v", schema, subject, refused)
		}
		if err != nil {
			awaitServer(stop, url)
			continue
		}
		if a.Schema == "" {
			a.Schema = text
		}
		h.learn(subject, a)
		if subject[:5] == "short" && rand.IntN(2) == 0 {
			h.remove(url, subject)
		}
	}
}

func record(name string) string {
	return fmt.Sprintf(`{"type":"record","name":"%s","fields":[{"name":"f","type":"long"}]}`, name)
}

// awaitServer waits until the server answers again.
func awaitServer(stop chan struct{}, url string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := call[any]("GET", url+"/schemas/types", nil); err == nil {
			return
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// wantAll wants the server to have all that clients were told, dense versions, and
// nothing that nobody has sent.
func wantAll(t *testing.T, url string, h *told) {
	t.Helper()
	subjects, err := call[[]string]("GET", url+"/subjects", nil)
	must(t, err)
	stored := make(map[place]answer)
	for _, subject := range subjects {
		versions, err := call[[]int]("GET", url+"/subjects/"+subject+"/versions", nil)
		must(t, err)
		seen := make(map[string]bool)
		for i, version := range versions {
			if version != i+1 {
				t.Errorf("versions of %s are %v", subject, versions)
			}
			a, err := call[answer]("GET", fmt.Sprintf("%s/subjects/%s/versions/%d", url, subject, version), nil)
			must(t, err)
			if seen[a.Schema] {
				t.Errorf("%s has %s twice", subject, a.Schema)
			}
			seen[a.Schema] = true
			stored[place{subject, version}] = a
			h.learn(subject, a)
		}
	}
	for p, a := range h.places {
		if stored[p] != a {
			t.Errorf("version %d of %s was answered as %v and is %v", p.version, p.subject, a, stored[p])
		}
	}
}

var killHTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: killClients}, Timeout: patience}

// refusal is an answer that is no success; a server that is killed gives none.
type refusal struct{ text string }

func (e *refusal) Error() string { return e.text }

// call returns the decoded answer of the registry.
func call[T any](method, url string, body any) (v T, err error) {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return v, err
		}
	}
	req, err := http.NewRequest(method, url, &text)
	if err != nil {
		return v, err
	}
	res, err := killHTTP.Do(req)
	if err != nil {
		return v, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return v, err
	}
	if res.StatusCode >= 300 {
		return v, &refusal{fmt.Sprintf("%s %s: %s: %s", method, url, res.Status, b)}
	}
	return v, json.Unmarshal(b, &v)
}

// wantSound wants log.Check to find nothing in the server's directory.
func wantSound(t *testing.T, s *process.Server) {
	t.Helper()
	report, err := log.Check(s.Dir, nil)
	must(t, err)
	for _, p := range report.Problems {
		t.Errorf("check log: %v", p)
	}
}
