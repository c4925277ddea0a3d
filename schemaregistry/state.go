package schemaregistry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// state is what the records of the topic add up to. Only apply changes it.
type state struct {
	mu       sync.RWMutex // guards all fields
	subjects map[Name]*subject
	contexts map[string]*schemaContext
	configs  map[string]Config // by qualified subject, context holder or ""
	modes    map[string]Mode
	// contents are the contents in use, once each.
	contents map[sum]*shared
	// replaced counts how often a version went or got another schema: what refers to it may mean something else since then.
	replaced int
	// forms are the bytes of keys that are not those that key.bytes returns: compaction sees another record in each (a hard
	// delete has to take all of them away).
	forms map[key][]string
}

// shared is a content and how many ids it has.
type shared struct {
	*content
	ids int
}

// schemaContext is a space of ids.
type schemaContext struct {
	ids    map[int]*entry
	bySum  map[sum][]int // an import may have given a content several
	lastID int           // the highest that was ever given
	named  bool          // it has a record of its own, so it is there without a schema
}

// entry is the content of an id and the versions that have it.
type entry struct {
	*content
	versions []*version
}

// version is one version of a subject.
type version struct {
	name    Name
	number  int
	id      int
	entry   *entry
	deleted bool // soft: it is still found by its id
	offset  int64
	timeMs  int64
}

// subject has its versions in order.
type subject struct {
	name     Name
	versions []*version
}

func newState() *state {
	return &state{subjects: make(map[Name]*subject), contexts: make(map[string]*schemaContext), configs: make(map[string]Config),
		modes: make(map[string]Mode), contents: make(map[sum]*shared), forms: make(map[key][]string)}
}

// errIgnored is a record that changes nothing on purpose.
var errIgnored = errors.New("ignored")

// apply takes one record in. An error is of a record that is left alone: a foreign one, or one that contradicts an earlier one.
func (s *state) apply(offset, timeMs int64, keyBytes, value []byte) error {
	k, err := parseKey(keyBytes)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteForm(k, keyBytes)
	switch k.kind {
	case keySchema:
		return s.applySchema(k, offset, timeMs, value)
	case keyConfig:
		return applySetting(s.configs, k.subject, value, func(v configValue) Config { return v.Config })
	case keyMode:
		return applySetting(s.modes, k.subject, value, func(v modeValue) Mode { return v.Mode })
	case keyDeleteSubject:
		return s.applyDeleteSubject(value)
	case keyClearSubject:
		return s.applyClearSubject(value)
	case keyContext:
		if c := s.contexts[k.context]; c != nil || value != nil {
			s.context(k.context).named = value != nil
		}
	case keyNoop:
		return s.applyNoop(value)
	}
	return nil
}

// noteForm remembers a key of other bytes than ours.
func (s *state) noteForm(k key, b []byte) {
	if string(k.bytes()) != string(b) && !slices.Contains(s.forms[k], string(b)) {
		s.forms[k] = append(s.forms[k], string(b))
	}
}

func applySetting[V, T any](m map[string]T, subject string, value []byte, get func(V) T) error {
	if value == nil {
		delete(m, subject)
		return nil
	}
	var v V
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("read record value: %w", err)
	}
	m[subject] = get(v)
	return nil
}

func (s *state) context(name string) *schemaContext {
	c := s.contexts[name]
	if c == nil {
		c = &schemaContext{ids: make(map[int]*entry), bySum: make(map[sum][]int)}
		s.contexts[name] = c
	}
	return c
}

func (s *state) applySchema(k key, offset, timeMs int64, value []byte) error {
	name := ParseName(k.subject)
	if value == nil {
		s.remove(name, k.version)
		return nil
	}
	var v schemaValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("read record value: %w", err)
	}
	c := s.context(name.Context)
	content := newContent(v.Type, v.Schema, v.References, attachments{v.Metadata, v.Rules})
	// With the same text and other metadata it is the id's schema still: what Confluent's registry has taken is not lost.
	if e := c.ids[v.ID]; e != nil && e.sum != content.sum && (e.text != content.text || e.typ != content.typ || !slices.Equal(e.references, content.references)) {
		return fmt.Errorf("%w: id %d of context %s has another schema already", errIgnored, v.ID, name.Context)
	}
	sub := s.subjects[name]
	if sub == nil {
		sub = &subject{name: name}
		s.subjects[name] = sub
	}
	if old := sub.find(k.version); old != nil {
		if old.id == v.ID {
			old.deleted, old.offset, old.timeMs = v.Deleted, offset, timeMs
			return nil
		}
		s.release(old)
		sub.drop(old)
		s.replaced++
	}
	ver := &version{name: sub.name, number: k.version, id: v.ID, deleted: v.Deleted, offset: offset, timeMs: timeMs}
	s.hold(c, ver, content)
	sub.insert(ver)
	return nil
}

// hold gives a version its content.
func (s *state) hold(c *schemaContext, v *version, co *content) {
	e := c.ids[v.id]
	if e == nil {
		sh := s.contents[co.sum]
		if sh == nil {
			sh = &shared{content: co}
			s.contents[co.sum] = sh
		}
		sh.ids++
		e = &entry{content: sh.content}
		c.ids[v.id] = e
		c.bySum[co.sum] = append(c.bySum[co.sum], v.id)
		c.lastID = max(c.lastID, v.id)
	}
	e.versions = append(e.versions, v)
	v.entry = e
}

// release takes a version away from its content, which goes with its last one.
func (s *state) release(v *version) {
	e := v.entry
	e.versions = slices.DeleteFunc(e.versions, func(o *version) bool { return o == v })
	if len(e.versions) > 0 {
		return
	}
	c := s.contexts[v.name.Context]
	delete(c.ids, v.id)
	if ids := slices.DeleteFunc(c.bySum[e.sum], func(id int) bool { return id == v.id }); len(ids) > 0 {
		c.bySum[e.sum] = ids
	} else {
		delete(c.bySum, e.sum)
	}
	if sh := s.contents[e.sum]; sh != nil {
		if sh.ids--; sh.ids == 0 {
			delete(s.contents, e.sum)
		}
	}
}

// remove is a hard delete.
func (s *state) remove(name Name, number int) {
	sub := s.subjects[name]
	if sub == nil {
		return
	}
	if v := sub.find(number); v != nil {
		s.release(v)
		sub.drop(v)
		s.replaced++
	}
	if len(sub.versions) == 0 {
		delete(s.subjects, name)
	}
}

func (s *state) applyDeleteSubject(value []byte) error {
	if value == nil {
		return nil
	}
	var v deleteSubjectValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("read record value: %w", err)
	}
	if sub := s.subjects[ParseName(v.Subject)]; sub != nil {
		for _, ver := range sub.versions {
			ver.deleted = ver.deleted || ver.number <= v.Version
		}
	}
	return nil
}

func (s *state) applyClearSubject(value []byte) error {
	if value == nil {
		return nil
	}
	var v clearSubjectValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("read record value: %w", err)
	}
	name := ParseName(v.Subject)
	sub := s.subjects[name]
	if sub == nil {
		return nil
	}
	for _, ver := range slices.Clone(sub.versions) {
		if ver.deleted {
			s.remove(name, ver.number)
		}
	}
	return nil
}

func (s *state) applyNoop(value []byte) error {
	if value == nil {
		return nil
	}
	var v noopValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("read record value: %w", err)
	}
	for name, id := range v.IDs {
		c := s.context(name)
		c.lastID = max(c.lastID, id)
	}
	return nil
}

// find returns the version of a number, deleted or not.
func (s *subject) find(number int) *version {
	if i, ok := s.search(number); ok {
		return s.versions[i]
	}
	return nil
}

func (s *subject) search(number int) (int, bool) {
	return slices.BinarySearchFunc(s.versions, number, func(v *version, n int) int { return v.number - n })
}

func (s *subject) insert(v *version) {
	i, _ := s.search(v.number)
	s.versions = slices.Insert(s.versions, i, v)
}

func (s *subject) drop(v *version) {
	s.versions = slices.DeleteFunc(s.versions, func(o *version) bool { return o == v })
}
