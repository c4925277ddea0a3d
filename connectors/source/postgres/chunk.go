package postgres

import (
	"fmt"
	"strings"
)

// relation is something that a snapshot reads on its own: a table, one partition
// of it, or all of what is not kept in pages. Several relations may make one table.
type relation struct {
	oid     uint32
	name    tableName
	table   *table
	columns []selection
	// override is the SELECT that replaces the relation.
	override string
	// paged relations have row versions at places (ctid); others are read in one
	// piece.
	paged bool
	only  bool // FROM ONLY: without the tables that inherit
	pages uint32
	file  uint32  // relfilenode
	rows  float64 // the planner's estimate, -1: unknown
	// toasted: the stream may leave out values, which a resumed snapshot has to
	// read. long is the condition that a row has such values.
	toasted     bool
	long        string
	lastOfTable bool // among the relations of its table
	// rewritten: the relation's row in pg_class is younger than the snapshot.
	rewritten bool
}

// piece is a part of a relation that one statement reads.
type piece struct {
	rel       *relation
	after     tid    // rows behind this place; the zero value: from the start
	to        uint32 // rows of pages before this one; 0: to the end
	condition string // "": all rows
	// again reads rows that were handed over before, with their values out of
	// line. It moves no position.
	again bool
	last  bool // of its relation
}

// sql is the statement that reads the piece. Its first column is the place of
// the row, for paged relations.
func (p *piece) sql() string {
	return "COPY (" + p.query() + ") TO STDOUT (FORMAT binary)"
}

func (p *piece) query() string {
	r := p.rel
	var list []string
	if r.paged {
		list = append(list, "ctid")
	}
	for _, c := range r.columns {
		name := quoteIdent(c.name)
		if c.text {
			name += "::text"
		}
		list = append(list, name)
	}
	from := quoteTable(r.name.schema, r.name.name)
	if r.override != "" {
		from = "(" + r.override + ") AS t"
	} else if r.only {
		from = "ONLY " + from
	}
	var where []string
	if p.after != (tid{}) {
		where = append(where, fmt.Sprintf("ctid > '%s'::tid", p.after))
	}
	if p.to != 0 {
		where = append(where, fmt.Sprintf("ctid < '(%d,0)'::tid", p.to))
	}
	if p.condition != "" {
		where = append(where, p.condition)
	}
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + from
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql
}

// binaryForms tells for each column of the statement's answer whether it is in
// binary form.
func (r *relation) binaryForms() []bool {
	var forms []bool
	if r.paged {
		forms = append(forms, true)
	}
	for _, c := range r.columns {
		forms = append(forms, !c.text)
	}
	return forms
}

// Limits of the pages that a piece has: one statement each costs about a
// millisecond, and a worker that reads ahead waits when its memory is full.
const (
	minPiecePages = 64
	maxPiecePages = 1024
)

// piecePages is how many pages have about the number of rows wanted.
func (r *relation) piecePages(wanted int) uint32 {
	if r.rows <= 0 || r.pages == 0 {
		return maxPiecePages
	}
	pages := float64(wanted) * float64(r.pages) / r.rows
	return uint32(min(max(pages, minPiecePages), maxPiecePages))
}

// snapshotPlan is what is left to read, and under which conditions. It does not
// change while it is carried out.
type snapshotPlan struct {
	relations []*relation
	rows      int // of a piece, about
	// resumed: the rows belong to a snapshot that is lost. exact: xmin tells
	// what that one sees, see visibility.ambiguous.
	resumed, exact bool
	seen           visibility
	// relation and place are those of the last row that was handed over.
	relation uint32
	place    tid
}

// pieces calls yield with all that is to be read, in order.
func (p *snapshotPlan) pieces(yield func(piece) bool) {
	for _, r := range p.relations {
		if !p.piecesOf(r, yield) {
			return
		}
	}
}

// piecesOf are those of one relation. It has one at least, so that its end is
// noticed.
func (p *snapshotPlan) piecesOf(r *relation, yield func(piece) bool) bool {
	if !r.paged {
		return yield(piece{rel: r, last: true})
	}
	next := piece{rel: r, condition: p.condition(r)}
	begun := p.begun(r)
	if begun {
		next.after = p.place
	}
	step := r.piecePages(p.rows)
	for next.after.page+step < r.pages && next.after.page+step >= step {
		next.to = next.after.page + step
		if !yield(next) {
			return false
		}
		next.after = tid{next.to, 0}
	}
	next.to = 0 // to the end, wherever that is by now
	if !begun || !r.toasted {
		next.last = true
		return yield(next)
	}
	return yield(next) && yield(p.completion(r))
}

// begun tells whether the relation was read in part, and goes on there. That says
// nothing when its rows may have other places now.
func (p *snapshotPlan) begun(r *relation) bool {
	return p.resumed && !r.rewritten && r.oid == p.relation
}

// condition leaves out what the stream brings anyway. Changed rows with long
// values are read all the same, since the stream may not have these.
func (p *snapshotPlan) condition(r *relation) string {
	if !p.resumed || !p.exact || r.rewritten {
		return ""
	}
	sees := p.seen.condition()
	if r.toasted {
		return "(" + sees + " OR " + r.long + ")"
	}
	return sees
}

// completion is the piece with changed rows whose new versions are at places that
// were read before they got there.
func (p *snapshotPlan) completion(r *relation) piece {
	c := piece{rel: r, to: p.place.page + 1, condition: r.long, again: true, last: true}
	if p.exact {
		c.condition = "NOT " + p.seen.condition() + " AND " + r.long
	}
	return c
}
