package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
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

// captures tells what these filters said of a table.
func (f *capturedFilter) captures(c *config, name tableName) (bool, error) {
	before := *c
	var err error
	for _, part := range []struct {
		text [2]string
		to   *filter
	}{{f.Schemas, &before.filters.schemas}, {f.Tables, &before.filters.tables}} {
		*part.to = filter{}
		if part.to.include, err = compilePatterns(part.text[0]); err != nil {
			return false, err
		}
		if part.to.exclude, err = compilePatterns(part.text[1]); err != nil {
			return false, err
		}
	}
	return before.captures(name)
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
	var added []snapshotTable
	err := s.catalog.with(ctx, func(conn *pgx.Conn) error {
		infos, err := capturedTables(ctx, conn, s.cfg)
		if err != nil {
			return err
		}
		for _, info := range infos {
			before, err := stored.Captured.captures(s.cfg, info.name)
			if err != nil {
				return err
			}
			if !before {
				added = append(added, snapshotTable{Name: info.name.String()})
			}
		}
		return nil
	})
	if err != nil || len(added) == 0 {
		return err
	}
	s.log.Info("tables are captured since the config was changed: they are read", "tables", len(added), "first", added[0].Name)
	return s.snapshots.request(kindTables, "", added)
}

// holdsBack tells whether changes of a table are part of a snapshot that comes
// later: of one that is captured only now, and read where the stream will be.
func (s *snapshotter) holdsBack(t *table) bool {
	if s.state == nil || !s.waiting || s.state.Kind != kindTables {
		return false
	}
	name := t.name.String()
	return slices.ContainsFunc(s.state.Tables, func(have snapshotTable) bool { return have.Name == name })
}
