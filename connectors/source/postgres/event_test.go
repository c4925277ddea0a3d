package postgres

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

var update = flag.Bool("update", false, "write the expected records into testdata/events")

// TestEvents plays the scripts of testdata/events: lines of tables and changes, and
// after each "=>" the records that they make. See script.run for the commands.
func TestEvents(t *testing.T) {
	files, err := filepath.Glob("testdata/events/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { playFile(t, path) })
	}
}

func playFile(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for i, scenario := range strings.Split("\n"+string(text), "\n## ") {
		if i == 0 {
			got.WriteString(strings.TrimPrefix(scenario, "\n"))
			continue
		}
		title, body, _ := strings.Cut(scenario, "\n")
		if got.Len() > 0 {
			got.WriteString("\n")
		}
		fmt.Fprintf(&got, "## %s\n", title)
		s := newScript(t, title)
		s.play(&got, body)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != string(text) {
		t.Errorf("%s differs (write it anew with -update):\n%s", path, firstDifference(string(text), got.String()))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(g), len(w))
}

// script is the state of one scenario.
type script struct {
	t        *testing.T
	title    string
	settings map[string]string
	tables   map[string]*table
	infos    map[string]tableInfo
	// identities are the columns of replica identities that are not the primary key.
	identities map[string][]string
	emitter    *emitter
	batch      *connect.Batch
	origin     origin
	full       bool // show whole records
	schemas    bool // show the schemas of keys and values
	after      bool // show the schemas of keys and rows
	log        bytes.Buffer
}

func newScript(t *testing.T, title string) *script {
	return &script{t: t, title: title, tables: map[string]*table{}, infos: map[string]tableInfo{}, identities: map[string][]string{}, batch: connect.NewBatch(1000, 1<<20),
		settings: map[string]string{"database.hostname": "localhost", "database.user": "u", "database.dbname": "shop", "topic.prefix": "pre",
			"extended.headers.enabled": "false"}}
}

// clock is when all events of scripts happen.
var clock = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)

func (s *script) play(out *strings.Builder, body string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(body, "\n"), "\n") {
		if strings.HasPrefix(line, "=> ") || line == "=>" || strings.HasPrefix(line, "   ") {
			continue // written anew
		}
		fmt.Fprintln(out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s.batch.Reset()
		s.log.Reset()
		if err := s.run(line); err != nil {
			fmt.Fprintf(out, "=> error: %v\n", err)
		}
		for _, r := range s.batch.Records() {
			s.show(out, &r)
		}
		for l := range strings.Lines(s.log.String()) {
			fmt.Fprintf(out, "=> log: %s", l)
		}
	}
}

// run runs a command:
//
//	set name=value                   an option of the connector
//	show full | schemas | rows       what of records is shown: all, with schemas, with schemas of key and row
//	table schema.name(column type …) defines a table; after a type: ! not null, * of the primary key (*1 its first), + of a unique index, # of
//	                                 the replica identity (the primary key where no column has it), = default
//	relation schema.name(column type …) the same as a relation message: the catalog stays as it is
//	select schema.name               the table as a snapshot reads it
//	begin xid, commit                in the transaction log
//	insert, read marker              table row
//	update table [K|O row ->] row
//	delete table K|O|- row
//	truncate table, message [tx] prefix content, heartbeat, replay on|off
//
// A row is cells separated by |: ~ is null, ^ an unchanged TOASTed value.
func (s *script) run(line string) error {
	command, rest, _ := strings.Cut(line, " ")
	if s.emitter == nil && command != "set" && command != "show" {
		if err := s.start(); err != nil {
			return err
		}
	}
	s.origin.lsn += 16
	switch command {
	case "set":
		name, value, _ := strings.Cut(rest, "=")
		s.settings[name] = value
	case "show":
		s.full, s.schemas, s.after = rest == "full", rest == "schemas", rest == "rows"
	case "table":
		return s.define(rest)
	case "relation":
		return s.relation(rest)
	case "select":
		t, err := newTable(s.emitter.config, pgtype.NewCatalog(), s.infos[rest])
		s.tables[rest] = t
		return err
	case "begin":
		xid, _ := strconv.ParseUint(rest, 10, 32)
		s.origin.txID, s.origin.micros = uint32(xid), clock.Add(-time.Hour).UnixMicro()
		s.emitter.begin(s.batch, &s.origin)
	case "commit":
		s.emitter.commit(s.batch, &s.origin)
		s.origin.lastCommit, s.origin.txID = s.origin.lsn, 0
	case "replay":
		s.emitter.replay(rest == "on")
	case "heartbeat":
		s.emitter.heartbeat(s.batch)
	default:
		return s.change(command, rest)
	}
	return nil
}

func (s *script) start() error {
	cfg, err := Spec.Configure(s.settings)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	s.emitter, err = newEmitter(cfg.(*config), connect.SourceContext{Connector: "conn", Logger: log}, func() time.Time { return clock })
	return err
}

func (s *script) change(command, rest string) error {
	name, args, _ := strings.Cut(rest, " ")
	if command == "message" {
		return s.message(rest)
	}
	t := s.tables[name]
	if t == nil {
		return fmt.Errorf("no table %q", name)
	}
	switch command {
	case "insert":
		return s.emitter.insert(s.batch, t, &s.origin, parseRow(args))
	case "read":
		marker, cells, _ := strings.Cut(args, " ")
		o := s.origin
		o.snapshot = markerOf(marker)
		return s.emitter.read(s.batch, t, &o, parseRow(cells))
	case "update":
		if old, is, ok := strings.Cut(args, " -> "); ok {
			return s.emitter.update(s.batch, t, &s.origin, old[0], parseRow(old[2:]), parseRow(is))
		}
		return s.emitter.update(s.batch, t, &s.origin, pgoutput.OldNone, nil, parseRow(args))
	case "delete":
		kind, cells, _ := strings.Cut(args, " ")
		if kind == "-" {
			return s.emitter.delete(s.batch, t, &s.origin, pgoutput.OldNone, nil)
		}
		return s.emitter.delete(s.batch, t, &s.origin, kind[0], parseRow(cells))
	case "truncate":
		return s.emitter.truncate(s.batch, t, &s.origin)
	}
	s.t.Fatalf("%s: no command %q", s.title, command)
	return nil
}

func (s *script) message(args string) error {
	o := s.origin
	rest, transactional := strings.CutPrefix(args, "tx ")
	if !transactional {
		o.txID = 0
	}
	prefix, content, _ := strings.Cut(rest, " ")
	return s.emitter.message(s.batch, &o, &pgoutput.Message{Transactional: transactional, LSN: o.lsn, Prefix: []byte(prefix), Content: []byte(content)})
}

func markerOf(text string) snapshotMarker {
	for i, m := range markerCells {
		if !m.IsNull() && m.Text() == text {
			return snapshotMarker(i)
		}
	}
	return notSnapshot
}

func parseRow(text string) row {
	var r row
	for cell := range strings.SplitSeq(text, "|") {
		switch cell {
		case "~":
			r = append(r, pgoutput.Column{Kind: pgoutput.ColumnNull})
		case "^":
			r = append(r, pgoutput.Column{Kind: pgoutput.ColumnUnchanged})
		default:
			r = append(r, pgoutput.Column{Kind: pgoutput.ColumnText, Data: []byte(cell)})
		}
	}
	return r
}

// typeOIDs are the types of scripts.
var typeOIDs = map[string]uint32{"bool": 16, "bytea": 17, "int8": 20, "int2": 21, "int4": 23, "text": 25, "json": 114, "bpchar": 1042, "varchar": 1043,
	"date": 1082, "timestamp": 1114, "timestamptz": 1184, "numeric": 1700, "float8": 701, "uuid": 2950, "tsquery": 3615, "int4[]": 1007, "text[]": 1009}

func (s *script) define(text string) error {
	name, info := s.parseTable(text)
	s.infos[name] = info
	return s.rebuild(name, info)
}

// relation gives the stream another structure than the catalog has.
func (s *script) relation(text string) error {
	name, info := s.parseTable(text)
	return s.rebuild(name, info)
}

func (s *script) rebuild(name string, info tableInfo) error {
	r := &pgoutput.Relation{OID: 1, Namespace: info.name.schema, Name: info.name.name, Identity: pgoutput.IdentityDefault}
	identity := s.identities[name]
	if identity == nil {
		identity = info.primaryKey
	}
	for _, c := range info.columns {
		if !c.Generated {
			r.Columns = append(r.Columns, pgoutput.RelationColumn{Key: slices.Contains(identity, c.Name), Name: c.Name, TypeOID: c.TypeOID, TypeMod: c.TypeMod})
		}
	}
	t, err := newStreamTable(s.emitter.config, pgtype.NewCatalog(), s.infos[name], r)
	if err == nil {
		s.tables[name] = t
	}
	return err
}

func (s *script) parseTable(text string) (string, tableInfo) {
	name, columns, ok := strings.Cut(text, "(")
	if !ok {
		s.t.Fatalf("%s: %q is not a table", s.title, text)
	}
	schema, table, _ := strings.Cut(name, ".")
	delete(s.identities, name)
	info := tableInfo{oid: 1, name: tableName{schema, table}, kind: 'r', identity: pgoutput.IdentityDefault}
	for column := range strings.SplitSeq(strings.TrimSuffix(columns, ")"), ", ") {
		if column == "" {
			continue
		}
		words := strings.Fields(column)
		c := pgtype.Column{Name: strings.Trim(words[0], `"`), TypeMod: -1}
		base, mod, limited := strings.Cut(strings.TrimSuffix(words[1], ")"), "(")
		if limited {
			n, _ := strconv.Atoi(mod)
			if base == "numeric" {
				n <<= 16
			}
			c.TypeMod = int32(n) + 4
		}
		if c.TypeOID = typeOIDs[base]; c.TypeOID == 0 {
			s.t.Fatalf("%s: no type %q", s.title, words[1])
		}
		for _, w := range words[2:] {
			switch {
			case w == "!":
				c.NotNull = true
			case strings.HasPrefix(w, "*"):
				c.NotNull = true
				place := len(info.primaryKey)
				if n, err := strconv.Atoi(w[1:]); err == nil {
					place = min(n-1, place)
				}
				info.primaryKey = slices.Insert(info.primaryKey, place, c.Name)
			case w == "+":
				info.uniqueIndex = append(info.uniqueIndex, c.Name)
			case w == "#":
				s.identities[name] = append(s.identities[name], c.Name)
			case w == "generated":
				c.Generated = true
			case strings.HasPrefix(w, "="):
				c.HasDefault, c.Default = true, w[1:]
			}
		}
		info.columns = append(info.columns, c)
	}
	return name, info
}

// show writes a record.
func (s *script) show(out *strings.Builder, r *connect.Record) {
	fmt.Fprintf(out, "=> %s key=%s", r.Topic, s.json(r.KeySchema, r.Key))
	if r.Partition != connect.AnyPartition {
		fmt.Fprintf(out, " partition=%d", r.Partition)
	}
	for _, h := range r.Headers {
		value := s.json(h.Schema, h.Value)
		if strings.HasSuffix(h.Key, ".runId") {
			value = strconv.Itoa(len(value)) + " characters"
		}
		fmt.Fprintf(out, " %s=%s", h.Key, value)
	}
	fmt.Fprintln(out)
	if s.schemas {
		s.showSchema(out, "key", r.KeySchema)
		s.showSchema(out, "value", r.ValueSchema)
	}
	if s.after && r.ValueSchema != nil {
		s.showSchema(out, "key", r.KeySchema)
		s.showSchema(out, "row", r.ValueSchema.Fields()[envelopeAfter].Schema)
	}
	if r.Value.IsNull() {
		fmt.Fprintf(out, "   %s\n", "null")
		return
	}
	if s.full || r.ValueSchema.Index("after") < 0 {
		fmt.Fprintf(out, "   %s\n", s.json(r.ValueSchema, r.Value))
		return
	}
	cells := r.Value.Cells()
	fmt.Fprintf(out, "   %s %s -> %s", cells[envelopeOp].Text(), s.field(r, envelopeBefore), s.field(r, envelopeAfter))
	if m := cells[envelopeSource].Cells()[sourceSnapshot]; !m.IsNull() {
		fmt.Fprintf(out, " snapshot=%s", m.Text())
	}
	if !cells[envelopeTransaction].IsNull() {
		fmt.Fprintf(out, " %s", s.field(r, envelopeTransaction))
	}
	fmt.Fprintln(out)
}

func (s *script) field(r *connect.Record, i int) string {
	return s.json(r.ValueSchema.Fields()[i].Schema, r.Value.Cells()[i])
}

func (s *script) json(schema *connect.Schema, v connect.Value) string {
	text, err := connectjson.Append(nil, schema, v, connectjson.Options{})
	if err != nil {
		s.t.Errorf("%s: a record is not what its schema says: %v", s.title, err)
	}
	return string(text)
}

func (s *script) showSchema(out *strings.Builder, what string, schema *connect.Schema) {
	fmt.Fprintf(out, "   %s schema: ", what)
	describeSchema(out, schema)
	fmt.Fprintln(out)
}

func describeSchema(out *strings.Builder, s *connect.Schema) {
	if s == nil {
		out.WriteString("none")
		return
	}
	out.WriteString(s.Type().String())
	if s.Name() != "" {
		fmt.Fprintf(out, " %s", s.Name())
	}
	if s.Version() != 0 {
		fmt.Fprintf(out, " v%d", s.Version())
	}
	if s.Optional() {
		out.WriteString(" optional")
	}
	if def, ok := s.Default(); ok {
		fmt.Fprintf(out, " default=%s", def)
	}
	for _, name := range s.ParameterNames() {
		value, _ := s.Parameter(name)
		fmt.Fprintf(out, " %s=%s", name, value)
	}
	if s.Doc() != "" {
		fmt.Fprintf(out, " doc=%q", s.Doc())
	}
	for i, f := range s.Fields() {
		out.WriteString([]string{"{", "; "}[min(i, 1)] + f.Name + " ")
		describeSchema(out, f.Schema)
		if i == len(s.Fields())-1 {
			out.WriteString("}")
		}
	}
	if s.Value() != nil {
		out.WriteString(" of ")
		describeSchema(out, s.Value())
	}
}
