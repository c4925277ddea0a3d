package connect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Patience is how long Play waits for an answer that has to come.
const Patience = 60 * time.Second

// A Player plays scripts against a REST API.
type Player struct {
	Client *http.Client
	URL    string
	// Files is the directory that $FILES in a script stands for.
	Files string
	// Kafka leads to the worker's cluster.
	Kafka []kgo.Opt
}

// An Answer is a request of a script and what came back.
type Answer struct {
	Request string
	Status  int
	Header  string // Location, with what differs from server to server taken out
	Body    any    // JSON; nil for none
}

// Play plays a script and returns the answers in order. Each line of the script is
//
//	METHOD PATH [BODY]           a request
//	until METHOD PATH => TEXT    a request, repeated until its answer has the text in it, or all texts with && between them
//	records TOPIC N              the first records of a topic, once they are there
//	topic TOPIC                  a topic's partitions and settings, once it is there
//	# ...                        a comment
func (p *Player) Play(script string) ([]Answer, error) {
	var answers []Answer
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		a, err := p.step(line)
		if err != nil {
			return answers, fmt.Errorf("%s: %w", line, err)
		}
		answers = append(answers, a)
	}
	return answers, nil
}

func (p *Player) step(line string) (Answer, error) {
	if words := strings.Fields(line); words[0] == "records" || words[0] == "topic" {
		body, err := p.look(words)
		return Answer{Request: line, Status: http.StatusOK, Body: body}, err
	}
	request, repeat := strings.CutPrefix(line, "until ")
	request, want, _ := strings.Cut(request, " => ")
	for deadline := time.Now().Add(Patience); ; {
		a, text, err := p.request(request)
		a.Request = line
		if !repeat || err == nil && containsAll(text, want) {
			return a, err
		}
		if time.Now().After(deadline) {
			return a, errors.Join(err, fmt.Errorf("no such answer within %s; the last was %s", Patience, text))
		}
		<-time.After(50 * time.Millisecond)
	}
}

func containsAll(text, want string) bool {
	for part := range strings.SplitSeq(want, " && ") {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func (p *Player) request(line string) (Answer, string, error) {
	method, rest, _ := strings.Cut(line, " ")
	path, body, hasBody := strings.Cut(rest, " ")
	req, err := http.NewRequest(method, p.URL+path, strings.NewReader(strings.ReplaceAll(body, "$FILES", p.Files)))
	if err != nil {
		return Answer{}, "", err
	}
	if hasBody {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return Answer{}, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, "", err
	}
	text = bytes.ReplaceAll(text, []byte(p.Files), []byte("$FILES"))
	a := Answer{Status: resp.StatusCode}
	if l := resp.Header.Get("Location"); l != "" {
		a.Header = " Location: " + strings.TrimPrefix(l, p.URL)
	}
	if len(text) > 0 {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return a, string(text), fmt.Errorf("the answer is no JSON: %.200s", text)
		}
		a.Body = mask(v)
	}
	return a, strings.ReplaceAll(string(text), `": "`, `":"`), nil
}

// masked are the fields whose values are another server's own.
var masked = map[string]string{"worker_id": "WORKER", "commit": "COMMIT", "kafka_cluster_id": "CLUSTER", "trace": "TRACE",
	"last_modified": "TIME", "version": "VERSION", "documentation": "DOCUMENTATION", "display_name": "NAME"}

func mask(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			if m, ok := masked[key]; ok && x != nil {
				v[key] = m
			} else {
				v[key] = mask(x)
			}
		}
	case []any:
		for i := range v {
			v[i] = mask(v[i])
		}
	}
	return v
}

// Text is the answers as they are kept in a file.
func Text(answers []Answer) string {
	var b strings.Builder
	for _, a := range answers {
		b.WriteString(a.text() + "\n\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func (a Answer) text() string {
	text := fmt.Sprintf("%s\n%d%s", a.Request, a.Status, a.Header)
	if a.Body != nil {
		body, err := json.MarshalIndent(a.Body, "", " ")
		if err != nil {
			return text + "\n" + err.Error()
		}
		text += "\n" + string(body)
	}
	return text
}
