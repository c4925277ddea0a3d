package differential

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// An Answer is what a server said to one step in some versions.
type Answer struct {
	Step     string
	Min, Max int16
	Lines    []string
}

// title names the answer in files: the step and its versions.
func (a *Answer) title() string {
	if a.Min == a.Max {
		return fmt.Sprintf("%s v%d", a.Step, a.Min)
	}
	return fmt.Sprintf("%s v%d-%d", a.Step, a.Min, a.Max)
}

// runner is one script that runs on one server.
type runner struct {
	addr    string
	conns   map[string]*conn
	scope   scope
	render  *renderer
	started map[string]kmsg.Request
}

// Run runs a script on the server at addr, which must not have run it before.
// Versions of a step that are answered alike are one answer.
func Run(addr string, s Script) ([]Answer, error) {
	r := &runner{addr: addr, conns: map[string]*conn{}, render: newRenderer(), started: map[string]kmsg.Request{}}
	r.scope = scope{vars: map[string]any{}, topicID: r.topicID}
	defer func() {
		for _, c := range r.conns {
			c.Close()
		}
	}()
	var answers []Answer
	for i := range s.Steps {
		more, err := r.step(&s.Steps[i])
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", s.Name, s.Steps[i].Line, err)
		}
		answers = append(answers, more...)
	}
	return answers, nil
}

// step runs a step in all its versions.
func (r *runner) step(s *Step) ([]Answer, error) {
	var answers []Answer
	for v := s.Min; v <= s.Max; v++ {
		lines, err := r.exchange(s, v)
		if err != nil {
			return nil, err
		}
		if s.Start {
			continue
		}
		if n := len(answers); n > 0 && slices.Equal(answers[n-1].Lines, lines) {
			answers[n-1].Max = v
			continue
		}
		answers = append(answers, Answer{s.Name, v, v, lines})
	}
	return answers, nil
}

// How long a step is repeated for the answer that it waits for, and for one that
// does not say that the server is not ready yet.
const (
	untilTime    = 10 * time.Second
	notReadyTime = 15 * time.Second
)

// notReady are errors that pass by themselves.
var notReady = []string{"NOT_LEADER_FOR_PARTITION", "NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS", "CONCURRENT_TRANSACTIONS"}

// exchange sends one request and renders its answer.
func (r *runner) exchange(s *Step, version int16) ([]string, error) {
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		lines, err := r.try(s, version)
		if err != nil || s.settled(lines, time.Since(began)) {
			return lines, err
		}
	}
}

const closes = "closes the connection"

// settled reports whether an answer is the one that the step waits for, or there
// is none to come.
func (s *Step) settled(lines []string, waited time.Duration) bool {
	if contains(lines, closes) || waited > untilTime {
		return true
	}
	passing := slices.ContainsFunc(notReady, func(e string) bool { return contains(lines, e) })
	return contains(lines, s.Until) && (!passing || waited > notReadyTime) || s.Start
}

func contains(lines []string, text string) bool {
	return text == "" || slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) })
}

func (r *runner) try(s *Step, version int16) ([]string, error) {
	c, err := r.conn(s.Conn)
	if err != nil {
		return nil, err
	}
	request, sent, err := r.send(c, s, version)
	if err != nil || s.Start {
		return nil, err
	}
	limit := maxAnswerTime
	if q, ok := request.(*kmsg.ProduceRequest); (ok && q.Acks == 0) || !sent {
		limit = time.Second // there may be no answer
	}
	body, err := c.receive(limit)
	switch {
	case errors.Is(err, errClosed):
		return []string{closes}, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return []string{"does not answer"}, nil
	case err != nil:
		return nil, err
	}
	return r.answer(s, request, body)
}

// send sends what a step says, and returns the request whose answer is awaited;
// whole is false for bytes that may be none.
func (r *runner) send(c *conn, s *Step, version int16) (request kmsg.Request, whole bool, err error) {
	if s.Finish != "" {
		return r.started[s.Finish], true, nil
	}
	if s.Raw != nil {
		return nil, false, c.send(s.Raw)
	}
	request, err = r.scope.request(s.Key, version, s.Fields)
	if err != nil {
		return nil, false, err
	}
	if s.Start {
		r.started[s.Name] = request
	}
	return request, s.Cut == 0, c.send(frame(request, s.Cut, s.Pad))
}

// answer renders an answer and keeps what the step wants to be kept.
func (r *runner) answer(s *Step, request kmsg.Request, body []byte) ([]string, error) {
	if request == nil {
		if request = requestOf(s.Raw); request == nil {
			return []string{fmt.Sprintf("answers %d bytes", len(body))}, nil
		}
	}
	resp, err := decode(request, body)
	if err != nil && !errors.Is(err, errNull) {
		return []string{err.Error()}, nil
	}
	for _, save := range s.Saves {
		v, err := lookup(reflect.ValueOf(resp).Elem(), save[1])
		if err != nil {
			return nil, fmt.Errorf("save %s: %w", save[0], err)
		}
		r.scope.vars[save[0]] = v
	}
	lines := r.render.lines(resp)
	if err != nil {
		lines = append(lines, err.Error())
	}
	return lines, nil
}

// requestOf is an empty request of the key and version that a frame begins with,
// nil when there is none. What answers an ApiVersions request of an unknown version
// is of version 0.
func requestOf(frame []byte) kmsg.Request {
	if len(frame) < 8 {
		return nil
	}
	request := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame[4:])))
	if request == nil {
		return nil
	}
	version := int16(binary.BigEndian.Uint16(frame[6:]))
	if version < 0 || version > request.MaxVersion() {
		version = 0
	}
	request.SetVersion(version)
	return request
}

// conn returns a named connection, a new one when the server closed it.
func (r *runner) conn(name string) (*conn, error) {
	if c, ok := r.conns[name]; ok && !c.broken {
		return c, nil
	}
	c, err := dial(r.addr)
	if err != nil {
		return nil, err
	}
	r.conns[name] = c
	return c, nil
}

// topicID asks for a topic's id, on a connection of its own.
func (r *runner) topicID(topic string) (id [16]byte, err error) {
	q := kmsg.NewPtrMetadataRequest()
	q.SetVersion(12)
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	q.Topics = append(q.Topics, t)
	c, err := r.conn("topic ids")
	if err != nil {
		return id, err
	}
	if err := c.send(frame(q, 0, 0)); err != nil {
		return id, err
	}
	body, err := c.receive(maxAnswerTime)
	if err != nil {
		return id, err
	}
	resp, err := decode(q, body)
	if err != nil {
		return id, err
	}
	id = resp.(*kmsg.MetadataResponse).Topics[0].TopicID
	r.render.topics[id] = topic
	return id, nil
}

// lookup follows a path such as Topics[0].Partitions[1].Offset.
func lookup(v reflect.Value, path string) (any, error) {
	for _, part := range strings.Split(path, ".") {
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		v = v.FieldByName(name)
		if !v.IsValid() {
			return nil, fmt.Errorf("no field %s", name)
		}
		if indexed {
			i, err := strconv.Atoi(index)
			if err != nil || i >= v.Len() {
				return nil, fmt.Errorf("no element %s of %d", index, v.Len())
			}
			v = v.Index(i)
		}
	}
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return v.Interface(), nil
}
