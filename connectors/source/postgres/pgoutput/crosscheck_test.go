package pgoutput_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// crossWorkload makes every message of protocol versions 1 and 2.
const crossWorkload = `
	INSERT INTO t VALUES (1, 'a', NULL, '{1,2}'), (2, repeat('x', 100), 1.5, NULL);
	UPDATE t SET v = 'b' WHERE id = 1;
	UPDATE t SET id = 3 WHERE id = 2;
	DELETE FROM t WHERE id = 1;
	INSERT INTO f VALUES (1, 'full'); UPDATE f SET v = 'changed'; DELETE FROM f;
	INSERT INTO e VALUES ('sad');
	SELECT pg_logical_emit_message(true, 'prefix', 'content');
	TRUNCATE t, f;
	BEGIN; INSERT INTO t SELECT i, repeat('y', 100) FROM generate_series(10, 900) i;
	SAVEPOINT s; INSERT INTO t SELECT i, repeat('z', 100) FROM generate_series(1000, 1900) i; ROLLBACK TO s;
	INSERT INTO e VALUES ('ok'); COMMIT;
	BEGIN; INSERT INTO t SELECT i, repeat('n', 100) FROM generate_series(2000, 2900) i; ROLLBACK;
	SELECT pg_logical_emit_message(false, 'last', '');`

// TestAgreesWithPglogrepl decodes what a real server sends with this package and
// with jackc/pglogrepl.
func TestAgreesWithPglogrepl(t *testing.T) {
	for _, c := range []struct{ name, options, kinds string }{
		{"version 1", "proto_version '1'", "BCDIMRTUY"},
		{"version 2", "proto_version '2', streaming 'on'", "ABCDEIMRSTUYc"},
		{"binary", "proto_version '2', streaming 'on', binary 'true'", "ABCDEIMRSTUYc"},
	} {
		t.Run(c.name, func(t *testing.T) { crossCheck(t, c.options, c.kinds) })
	}
}

func crossCheck(t *testing.T, options, kinds string) {
	db := pgtest.Shared(t, pgtest.Default).Database(t)
	db.Exec(t, `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (id int PRIMARY KEY, v text, n numeric, a int[]);
		CREATE TABLE f (id int, v text); ALTER TABLE f REPLICA IDENTITY FULL; CREATE TABLE e (m mood); CREATE PUBLICATION p FOR ALL TABLES`)
	db.Exec(t, `ALTER DATABASE `+db.Name+` SET logical_decoding_work_mem = '64kB'`)
	slot := "cross_" + db.Name
	db.Exec(t, `SELECT pg_create_logical_replication_slot('`+slot+`', 'pgoutput')`)
	db.Exec(t, `INSERT INTO e VALUES ('ok')`) // a small transaction, which is not streamed
	for statement := range strings.SplitAfterSeq(crossWorkload, "COMMIT;") {
		db.Exec(t, statement)
	}
	conn, err := pgconn.Connect(t.Context(), db.ConnString()+"&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	err = pglogrepl.StartReplication(t.Context(), conn, slot, 0, pglogrepl.StartReplicationOptions{
		PluginArgs: append(strings.Split(options, ", "), "publication_names 'p'", "messages 'true'")})
	if err != nil {
		t.Fatal(err)
	}
	seen := compareStream(t, conn)
	for _, kind := range kinds {
		if seen[pgoutput.Kind(kind)] == 0 {
			t.Errorf("no message of kind %c came", kind)
		}
	}
}

// compareStream reads until the last message of crossWorkload.
func compareStream(t *testing.T, conn *pgconn.PgConn) map[pgoutput.Kind]int {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var d pgoutput.Decoder
	seen := make(map[pgoutput.Kind]int)
	inStream := false
	for {
		msg, err := conn.ReceiveMessage(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", seen, err)
		}
		data, ok := msg.(*pgproto3.CopyData)
		if !ok || data.Data[0] != pgoutput.FrameXLogData {
			continue
		}
		x, err := pgoutput.ParseXLogData(data.Data)
		if err != nil {
			t.Fatal(err)
		}
		theirFrame, err := pglogrepl.ParseXLogData(data.Data[1:])
		if err != nil || uint64(theirFrame.WALStart) != uint64(x.WALStart) || uint64(theirFrame.ServerWALEnd) != uint64(x.ServerWALEnd) ||
			theirFrame.ServerTime.UnixMicro() != pgoutput.UnixMicros(x.ServerTime) {
			t.Errorf("frames differ: %+v, %+v, error %v", x, theirFrame, err)
		}
		kind, err := d.Decode(x.Data)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := pglogrepl.ParseV2(x.Data, inStream)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := ours(&d, kind), them(theirs); got != want {
			t.Fatalf("%q:\n     ours %s\npglogrepl %s", x.Data, got, want)
		}
		inStream = d.InStream
		seen[kind]++
		if kind == pgoutput.KindMessage && string(d.Message.Prefix) == "last" {
			return seen
		}
	}
}

func ours(d *pgoutput.Decoder, kind pgoutput.Kind) string {
	at := func(micros int64) string { return fmt.Sprint(pgoutput.UnixMicros(micros)) }
	switch kind {
	case pgoutput.KindBegin:
		return fmt.Sprint("begin ", d.Begin.FinalLSN, at(d.Begin.CommitTime), d.Begin.Xid)
	case pgoutput.KindCommit, pgoutput.KindStreamCommit:
		c := d.Commit
		return fmt.Sprint("commit ", c.Xid, c.Flags, c.CommitLSN, c.EndLSN, at(c.CommitTime))
	case pgoutput.KindRelation:
		text := fmt.Sprint("relation ", d.Relation.Xid, d.Relation.OID, d.Relation.Namespace, d.Relation.Name, d.Relation.Identity)
		for _, c := range d.Relation.Columns {
			text += fmt.Sprint(" ", c.Key, c.Name, c.TypeOID, c.TypeMod)
		}
		return text
	case pgoutput.KindType:
		return fmt.Sprint("type ", d.Type.Xid, d.Type.OID, d.Type.Namespace, d.Type.Name)
	case pgoutput.KindInsert, pgoutput.KindUpdate, pgoutput.KindDelete:
		c := d.Change
		return fmt.Sprint("change ", c.Xid, c.Relation, c.OldKind, show(c.Old), show(c.New))
	case pgoutput.KindTruncate:
		return fmt.Sprint("truncate ", d.Truncate.Xid, d.Truncate.Options, d.Truncate.Relations)
	case pgoutput.KindMessage:
		m := d.Message
		return fmt.Sprint("message ", m.Xid, m.Transactional, m.LSN, string(m.Prefix), string(m.Content))
	case pgoutput.KindStreamStart:
		return fmt.Sprint("start ", d.StreamStart.Xid, d.StreamStart.First)
	case pgoutput.KindStreamStop:
		return "stop"
	case pgoutput.KindStreamAbort:
		return fmt.Sprint("abort ", d.StreamAbort.Xid, d.StreamAbort.SubXid)
	}
	return "unknown"
}

func them(m pglogrepl.Message) string {
	tuple := func(t *pglogrepl.TupleData) string {
		var row pgoutput.Tuple
		if t != nil {
			for _, c := range t.Columns {
				row = append(row, pgoutput.Column{Kind: c.DataType, Data: c.Data})
			}
		}
		return show(row)
	}
	switch m := m.(type) {
	case *pglogrepl.BeginMessage:
		return fmt.Sprint("begin ", pgoutput.LSN(m.FinalLSN), fmt.Sprint(m.CommitTime.UnixMicro()), m.Xid)
	case *pglogrepl.CommitMessage:
		return fmt.Sprint("commit ", 0, m.Flags, pgoutput.LSN(m.CommitLSN), pgoutput.LSN(m.TransactionEndLSN), fmt.Sprint(m.CommitTime.UnixMicro()))
	case *pglogrepl.StreamCommitMessageV2:
		return fmt.Sprint("commit ", m.Xid, m.Flags, pgoutput.LSN(m.CommitLSN), pgoutput.LSN(m.TransactionEndLSN), fmt.Sprint(m.CommitTime.UnixMicro()))
	case *pglogrepl.RelationMessageV2:
		text := fmt.Sprint("relation ", m.Xid, m.RelationID, m.Namespace, m.RelationName, m.ReplicaIdentity)
		for _, c := range m.Columns {
			text += fmt.Sprint(" ", c.Flags == 1, c.Name, c.DataType, c.TypeModifier)
		}
		return text
	case *pglogrepl.TypeMessageV2:
		return fmt.Sprint("type ", m.Xid, m.DataType, m.Namespace, m.Name)
	case *pglogrepl.InsertMessageV2:
		return fmt.Sprint("change ", m.Xid, m.RelationID, 0, tuple(nil), tuple(m.Tuple))
	case *pglogrepl.UpdateMessageV2:
		return fmt.Sprint("change ", m.Xid, m.RelationID, m.OldTupleType, tuple(m.OldTuple), tuple(m.NewTuple))
	case *pglogrepl.DeleteMessageV2:
		return fmt.Sprint("change ", m.Xid, m.RelationID, m.OldTupleType, tuple(m.OldTuple), tuple(nil))
	case *pglogrepl.TruncateMessageV2:
		return fmt.Sprint("truncate ", m.Xid, m.Option, m.RelationIDs)
	case *pglogrepl.LogicalDecodingMessageV2:
		return fmt.Sprint("message ", m.Xid, m.Transactional, pgoutput.LSN(m.LSN), m.Prefix, string(m.Content))
	case *pglogrepl.StreamStartMessageV2:
		return fmt.Sprint("start ", m.Xid, m.FirstSegment == 1)
	case *pglogrepl.StreamStopMessageV2:
		return "stop"
	case *pglogrepl.StreamAbortMessageV2:
		return fmt.Sprint("abort ", m.Xid, m.SubXid)
	}
	return fmt.Sprintf("%T", m)
}

// BenchmarkPglogrepl is what BenchmarkDecodeRow is compared with.
func BenchmarkPglogrepl(b *testing.B) {
	data := mixedRow()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pglogrepl.ParseV2(data, false); err != nil {
			b.Fatal(err)
		}
	}
}
