package rest

import "sync"

// maxAnswers bounds the bytes that are kept as answers (I5).
const maxAnswers = 8 << 20

// answers keeps what was answered for ids: clients and connectors ask for the same few again and again, and writing the JSON is
// most of the work. What is kept holds for one count of changes of the registry.
type answers struct {
	mu      sync.Mutex // guards the fields below
	changes int64
	bodies  map[int]text
	bytes   int
}

// body returns the answer for an id, nothing when it is not kept or older than the last change.
func (a *answers) body(changes int64, id int) (text, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changes != changes {
		return "", false
	}
	body, ok := a.bodies[id]
	return body, ok
}

// keep keeps an answer that was made after so many changes.
func (a *answers) keep(changes int64, id int, body text) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changes > changes || len(body) > maxAnswers {
		return
	}
	if a.changes < changes || a.bytes+len(body) > maxAnswers || a.bodies == nil {
		a.changes, a.bytes, a.bodies = changes, 0, make(map[int]text)
	}
	if _, ok := a.bodies[id]; !ok {
		a.bytes += len(body)
	}
	a.bodies[id] = body
}
