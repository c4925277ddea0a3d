package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// capturedFilter is what an offset keeps of the filters of tables, when
// snapshot.new.tables wants to know which tables are captured only now. Each is the
// text of its options: include, then exclude.
type capturedFilter struct {
	Schemas [2]string `json:"schemas"`
	Tables  [2]string `json:"tables"`
}

// capturedNow are the filters of the config.
func (c *config) capturedNow() capturedFilter {
	text := func(f *filter) [2]string {
		return [2]string{strings.Join(f.includeText, ","), strings.Join(f.excludeText, ",")}
	}
	return capturedFilter{text(&c.filters.schemas), text(&c.filters.tables)}
}

// addedTables tells the tables of a snapshot of those that are captured only now: what
// the filters of before did not capture. It keeps no list of them, which an offset would have
// to hold, however many there are.
type addedTables struct {
	before config             // what counts of it are the filters
	known  map[tableName]bool // what has was asked for, of no more tables than are described
}

func newAddedTables(c *config, filters *capturedFilter) (*addedTables, error) {
	a := &addedTables{before: *c, known: make(map[tableName]bool)}
	var err error
	for _, part := range []struct {
		text [2]string
		to   *filter
	}{{filters.Schemas, &a.before.filters.schemas}, {filters.Tables, &a.before.filters.tables}} {
		*part.to = filter{}
		if part.to.include, err = compilePatterns(part.text[0]); err != nil {
			return nil, err
		}
		if part.to.exclude, err = compilePatterns(part.text[1]); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// has tells whether a table that is captured now was not captured before.
func (a *addedTables) has(name tableName) (bool, error) {
	if added, ok := a.known[name]; ok {
		return added, nil
	}
	captured, err := a.before.captures(name)
	if err != nil {
		return false, err
	}
	if len(a.known) >= maxDescribed {
		clear(a.known)
	}
	a.known[name] = !captured
	return !captured, nil
}

// requestAdded asks for a snapshot of the tables that are captured since a change of
// the config.
func (s *Source) requestAdded(ctx context.Context) error {
	var stored struct {
		Captured *capturedFilter `json:"sluice_captured"`
	}
	if err := json.Unmarshal(s.stored, &stored); err != nil {
		return fmt.Errorf("read the stored offset: %w", err)
	}
	if stored.Captured == nil || *stored.Captured == s.cfg.capturedNow() {
		return nil
	}
	added, err := newAddedTables(s.cfg, stored.Captured)
	if err != nil {
		return err
	}
	infos, err := s.catalog.captured(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, info := range infos {
		if ok, err := added.has(info.name); err != nil {
			return err
		} else if ok {
			names = append(names, info.name.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	s.log.Info("tables are captured since the config was changed: they are read", "tables", len(names), "first", names[0])
	if err := s.snapshots.request(kindTables, "", nil); err != nil {
		return err
	}
	s.snapshots.state.Before, s.snapshots.added = stored.Captured, added
	return nil
}

// holdsBack tells whether changes of a table are part of a snapshot that comes
// later: of one that is captured only now, and read where the stream will be.
func (s *snapshotter) holdsBack(t *table) (bool, error) {
	if s.state == nil || !s.waiting || s.added == nil {
		return false, nil
	}
	return s.added.has(t.name)
}
