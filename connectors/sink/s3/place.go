package s3

import (
	"context"
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/sink/s3/format"
)

// place is where the record in hand goes.
type place struct {
	encoded   []byte // partition: the directory below the topic's
	key       []byte // of the cell: encoded, and the schemas with schema.rotation=separate
	timeMs    int64  // by which it is partitioned
	tombstone bool   // it has no value to write
}

// tombstoneKey begins the cell's key of records without a value: a value may have their directory too, and needs a file for it.
const tombstoneKey = 1

// locate finds the record's place.
func (s *Sink) locate(p *partition, r *connect.Record) error {
	at := &s.place
	at.tombstone, at.timeMs, at.encoded = r.Value.IsNull(), 0, at.encoded[:0]
	if at.tombstone {
		at.encoded = append(at.encoded, s.config.tombstoneDir...)
		at.key = append(append(at.key[:0], tombstoneKey), at.encoded...)
		return nil
	}
	var err error
	if s.partitioner.Timed() {
		if at.timeMs, err = s.partitioner.Time(r); err != nil {
			return err
		}
	}
	if s.config.schemaAffix == affixPrefix {
		at.encoded = append(append(at.encoded, schemaDirectory(r.ValueSchema)...), s.config.directoryDelim...)
	}
	if at.encoded, err = s.partitioner.Append(at.encoded, r, p.Partition, at.timeMs); err != nil {
		return err
	}
	if s.config.schemaAffix == affixSuffix {
		at.encoded = append(append(at.encoded, s.config.directoryDelim...), schemaDirectory(r.ValueSchema)...)
	}
	at.key = append(at.key[:0], at.encoded...)
	if s.config.schemaRotation == rotationSeparate {
		at.key = strconv.AppendInt(append(at.key, 0), int64(s.schemas.number(r.ValueSchema)), 10)
		if s.config.keySchemas() {
			at.key = strconv.AppendInt(append(at.key, 0), int64(s.schemas.number(r.KeySchema)), 10)
		}
	}
	return nil
}

// cellFor returns the cell of the record in hand. A new one is not in a group yet: openCell puts it there once the record is sure to go
// into it. It rotates the partition's files when they cannot have the record.
func (s *Sink) cellFor(p *partition, r *connect.Record) (c *cell, isNew bool, err error) {
	if p.open != nil {
		if c := p.open.cells[string(s.place.key)]; c != nil {
			fits, err := s.fits(c, r)
			if fits || err != nil {
				return c, false, err
			}
			s.rotate(p)
		} else if most := s.config.maxOpenFiles; most > 0 && len(p.open.cells) >= most {
			s.rotate(p)
		}
	}
	c, err = s.newCell(p.TopicPartition, r)
	return c, true, err
}

func (s *Sink) newCell(tp connect.TopicPartition, r *connect.Record) (*cell, error) {
	c := &cell{schema: r.ValueSchema, keySchema: r.KeySchema, files: make([]*file, len(s.parts))}
	for i, p := range s.parts {
		if p.what == format.Values && s.place.tombstone {
			continue
		}
		w, err := p.format.NewWriter(r)
		if err != nil {
			return nil, err
		}
		key := s.objectKey(tp, string(s.place.encoded), &s.parts[i], r.Offset)
		if err := checkKey(key); err != nil {
			return nil, err
		}
		c.files[i] = &file{key: key, writer: w}
	}
	return c, nil
}

// openCell puts a new cell into the partition's group, with a name for each of its files.
func (s *Sink) openCell(p *partition, c *cell, r *connect.Record) {
	if p.open == nil {
		p.open = newGroup(s.now())
		p.open.due = s.rotation.next(p.open.opened)
		s.askAt(s.rotation.ends(p.open))
	}
	p.open.cells[string(s.place.key)] = c
	for _, f := range c.files {
		if f != nil {
			f.first = r.Offset
			f.up, f.group = newUpload(s.ctx, f.key), p.open
			p.open.files = append(p.open.files, f)
		}
	}
}

// fits tells whether the files of a cell can have the record, and finds its way to their schema. Keys are not made to fit, whatever
// schema.compatibility says of values.
func (s *Sink) fits(c *cell, r *connect.Record) (bool, error) {
	if s.config.keySchemas() && r.KeySchema != c.keySchema && !sameForFiles(r.KeySchema, c.keySchema, false) {
		return false, nil
	}
	if s.place.tombstone || r.ValueSchema == c.schema {
		c.plan = nil
		return true, nil
	}
	if c.plan != nil && c.plan.from == r.ValueSchema {
		return true, nil
	}
	c.plan = nil
	if s.config.compatibility == compatibilityNone {
		return sameForFiles(r.ValueSchema, c.schema, s.config.lines()), nil
	}
	return s.evolve(c, r.ValueSchema)
}

// sameForFiles tells whether values of both schemas can be in one file. Lines of JSON or bytes do not care for a schema that says nothing
// but the type: then text, numbers and raw JSON may alternate.
func sameForFiles(a, b *connect.Schema, lines bool) bool {
	if lines && plain(a) && plain(b) {
		return true
	}
	return a != nil && b != nil && a.Equal(b)
}

func plain(s *connect.Schema) bool { return s == nil || s.Type() <= connect.Bytes }

// evolve decides by the versions of schemas (schema.compatibility).
func (s *Sink) evolve(c *cell, from *connect.Schema) (bool, error) {
	level := s.config.compatibility
	for _, schema := range []*connect.Schema{from, c.schema} {
		if schema == nil || schema.Version() == 0 {
			return false, fmt.Errorf("Schema version required for %s compatibility; the value's schema has none, the file's has version %s", level, versionText(c.schema))
		}
	}
	newer := from.Version() > c.schema.Version()
	if from.Version() != c.schema.Version() && newer != (level == compatibilityForward) {
		return false, nil
	}
	plan, err := newProjection(from, c.schema)
	if err != nil {
		return false, fmt.Errorf("write version %d of schema %s into a file of version %d: %w", from.Version(), from.Name(), c.schema.Version(), err)
	}
	c.plan = plan
	return true, nil
}

// room waits until the lines of the record in hand fit in its files and in the pool, and
// makes it so: by sending what is in memory (I5). With nothing left to send the
// record is let in, whatever its size. It returns the record's cell, which is another one when its files had to be sent.
func (s *Sink) room(ctx context.Context, p *partition, c *cell, r *connect.Record, isNew bool) (*cell, error) {
	for s.steps >= maxOps || !s.pool.fits(s.growth(c)) {
		open := p.open
		s.relieve(s.growth(c))
		if p.open != open && !isNew {
			var err error
			if c, isNew, err = s.cellFor(p, r); err == nil {
				err = s.encode(c, r)
			}
			if err != nil {
				return nil, &refusedError{err}
			}
		}
		if s.steps == 0 {
			break
		}
		if err := s.await(ctx); err != nil {
			return nil, err
		}
	}
	if isNew {
		s.openCell(p, c, r)
	}
	return c, nil
}

// growth is what the pool has to hand out for the lines of the record in hand.
func (s *Sink) growth(c *cell) int {
	n := 0
	for i, f := range c.files {
		switch {
		case f == nil:
		case f.up == nil:
			n += max(len(s.lines[i]), firstBufferBytes)
		default:
			n += s.config.growth(f, len(s.lines[i]))
		}
	}
	return n
}

// maxSchemas is how many schemas have a number (I5).
const maxSchemas = 10_000

// schemaNumbers tells equal schemas from different ones.
type schemaNumbers struct {
	byPointer map[*connect.Schema]int
	known     []*connect.Schema
}

// number is the same for equal schemas. After very many schemas it starts anew, which divides files once more.
func (n *schemaNumbers) number(s *connect.Schema) int {
	if i, ok := n.byPointer[s]; ok {
		return i
	}
	if len(n.byPointer) >= maxSchemas || n.byPointer == nil {
		n.byPointer, n.known = make(map[*connect.Schema]int), nil
	}
	for i, k := range n.known {
		if s != nil && k != nil && k.Equal(s) {
			n.byPointer[s] = i
			return i
		}
	}
	n.known = append(n.known, s)
	n.byPointer[s] = len(n.known) - 1
	return len(n.known) - 1
}
