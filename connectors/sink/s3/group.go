package s3

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/sink/s3/format"
)

// partition is what the sink keeps for a topic-partition.
type partition struct {
	connect.TopicPartition
	next     int64    // the offset after the last record taken; -1: unknown, as are the next three
	written  int64    // the offset after the last batch that Write is done with: nothing beyond it is offered
	durable  int64    // every record before it is in a complete object, or left out
	reported int64    // what is committed as far as we know
	open     *group   // gets the next record; nil before it
	rotated  []*group // in order; those that were offered come first
	saved    string   // the state that is committed; "" without one
	listText string   // what the last of lists has; "" when it was read
	lists    []string // objects that a committed state may name: states too large for a record
	left     leftovers
	offer    *offer // what the last Prepare returned; nil: nothing
	// failed are records of the batch that a Write could not end with: the same
	// Write comes again and has to name them too.
	failed []connect.RecordError
}

func newPartition(tp connect.TopicPartition, start int64) *partition {
	return &partition{TopicPartition: tp, next: start, written: start, durable: start, reported: start}
}

// advance moves durable over the complete groups at the head of rotated, never
// past an incomplete one (I2, I3).
func (p *partition) advance() {
	for len(p.rotated) > 0 && p.rotated[0].end <= p.written && p.rotated[0].complete() {
		p.durable = p.rotated[0].end
		p.rotated[0] = nil
		p.rotated = p.rotated[1:]
	}
	if p.idle() {
		p.durable = p.next // records left out leave nothing to wait for
	}
}

// idle tells whether all that was written is complete, or left out.
func (p *partition) idle() bool {
	return len(p.rotated) == 0 && p.open == nil && p.next <= p.written
}

// files returns all files that are not complete.
func (p *partition) files() []*file {
	var files []*file
	for _, g := range p.rotated {
		files = append(files, g.files...)
	}
	if p.open != nil {
		files = append(files, p.open.files...)
	}
	return files
}

// group has the files of a topic-partition between two rotations. They are rotated together, since the consumer offset that makes
// them visible stands for all records before it.
type group struct {
	cells   map[string]*cell // by encoded partition and what else divides files
	files   []*file          // of all cells
	end     int64            // the offset after its last record; set by rotate
	records int
	opened  time.Time // when the first record came
	last    time.Time // when the last one came
	due     time.Time // when rotate.schedule.interval.ms is over; zero: never
	timed   bool      // there is a record with a value: the next two are of such
	baseMs  int64     // the first one's time
	encoded string    // partition of the last one
	// sending counts the parts that are on their way, and one until the group is rotated: at 0 it can be offered. Workers count down.
	sending atomic.Int32
}

// cell has the files of one encoded partition: one for each part of records that is stored.
type cell struct {
	schema    *connect.Schema // of the values in it
	keySchema *connect.Schema
	plan      *projection // the last record's way to schema; nil: it had that schema
	files     []*file     // as Sink.parts
}

func newGroup(now time.Time) *group {
	g := &group{cells: make(map[string]*cell), opened: now, last: now}
	g.sending.Store(1)
	return g
}

func (g *group) complete() bool {
	for _, f := range g.files {
		if !f.complete {
			return false
		}
	}
	return true
}

func (g *group) sent() bool {
	for _, f := range g.files {
		if !f.sent() {
			return false
		}
	}
	return true
}

// ready tells whether the group can be offered; without offers, whether it is visible.
func (g *group) ready(offers bool) bool {
	if offers {
		return g.sent()
	}
	return g.complete()
}

// held is what the group has of the pool.
func (g *group) held() int {
	n := 0
	for _, f := range g.files {
		n += f.held()
	}
	return n
}

// largest is the file with most in memory that can be sent.
func (g *group) largest() *file {
	var found *file
	for _, f := range g.files {
		if found == nil || f.buf.capacity() > found.buf.capacity() {
			found = f
		}
	}
	return found
}

// part is what of the records is stored, and how.
type part struct {
	what   format.Part
	format format.Format
	suffix string // before the extension
}

// newParts lists what is stored; the values come last, so that they cannot appear without the rest.
func newParts(c *Config) ([]part, error) {
	var parts []part
	add := func(stored bool, what format.Part, class, suffix string) error {
		if !stored {
			return nil
		}
		f, err := c.newFormat(what, class)
		parts = append(parts, part{what, f, suffix})
		return err
	}
	if err := add(c.storeKeys, format.Keys, c.keysFormat, ".keys"); err != nil {
		return nil, err
	}
	if err := add(c.storeHeaders, format.Headers, c.headersFormat, ".headers"); err != nil {
		return nil, err
	}
	return parts, add(true, format.Values, c.formatClass, "")
}

// schemaDirectory names a schema in object names.
func schemaDirectory(s *connect.Schema) string {
	name := "null"
	if s != nil && s.Name() != "" {
		name = s.Name()
	}
	return "schema_name=" + name
}

// versionText is a schema's version in errors.
func versionText(s *connect.Schema) string {
	if s == nil {
		return "none"
	}
	return strconv.Itoa(s.Version())
}
