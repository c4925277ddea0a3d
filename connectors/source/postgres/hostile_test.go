package postgres

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// xlog makes the protocol's message around a message of pgoutput.
func xlog(walStart byte, data string) []byte {
	frame := append(append([]byte{pgoutput.FrameXLogData, 0, 0, 0, 0, 0, 0, 0, walStart}, make([]byte, 16)...), data...)
	return message('d', frame)
}

// FuzzStream gives a source the bytes of a hostile server (I5): whatever they are,
// it ends with an error or without one, and what it has read stays in order. No
// table is captured, so that no catalog is asked.
func FuzzStream(f *testing.F) {
	begin, commit := "B\x00\x00\x00\x00\x00\x00\x00\x50\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x02\xd7", "C\x00\x00\x00\x00\x00\x00\x00\x00\x50\x00\x00\x00\x00\x00\x00\x00\x60\x00\x00\x00\x00\x00\x00\x00\x01"
	relation := "R\x00\x00\x40\x01public\x00t\x00d\x00\x01\x01id\x00\x00\x00\x00\x17\xff\xff\xff\xff"
	insert := "I\x00\x00\x40\x01N\x00\x01t\x00\x00\x00\x011"
	emitted := "M\x01\x00\x00\x00\x00\x00\x00\x00\x40p\x00\x00\x00\x00\x02in"
	streamedRow := "I\x00\x00\x02\xd7\x00\x00\x40\x01N\x00\x01t\x00\x00\x00\x011"
	streamedRelation := "R\x00\x00\x02\xd7" + relation[1:]
	end := "c\x00\x00\x02\xd7\x00\x00\x00\x00\x00\x00\x00\x00\x50\x00\x00\x00\x00\x00\x00\x00\x60\x00\x00\x00\x00\x00\x00\x00\x01"
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	f.Add(join(xlog(0x40, begin), xlog(0, relation), xlog(0x40, insert), xlog(0x41, emitted), xlog(0x60, commit)))
	f.Add(join(xlog(0, "S\x00\x00\x02\xd7\x01"), xlog(0, streamedRelation), xlog(0x30, streamedRow), xlog(0, "E"), xlog(0, "A\x00\x00\x02\xd7\x00\x00\x02\xd8"), xlog(0x60, end)))
	f.Add(join(message('d', append([]byte{'k'}, make([]byte, 17)...)), message('E', []byte("SERROR\x00C57P01\x00Mbye\x00\x00"))))
	f.Add(join(xlog(0x40, "T\x00\x00\x00\x01\x00\x00\x00\x40\x01"), message('N', nil), message('c', nil)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := hostileSource(t)
		w := &walConn{asked: make(chan struct{}, 1)}
		w.feed = newFeed(bytes.NewReader(data), w.peek)
		defer w.feed.close()
		s.stream = &stream{src: s, wal: w, feedback: &feedback{}, tables: map[uint32]*streamTable{}, spill: newSpill(t.TempDir(), 1<<20)}
		defer s.stream.spill.close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		b := newBatchOf(100)
		for at := s.pos.start(); ; at = s.pos.start() {
			b.Reset()
			if _, err := s.stream.fill(ctx, b); err != nil {
				break
			}
			if s.pos.start() < at {
				t.Fatalf("the position goes back from %s to %s", at, s.pos.start())
			}
			if err := w.feed.wait(ctx, nil); err != nil {
				t.Fatal("the end of the connection is not noticed")
			}
		}
	})
}

func hostileSource(t *testing.T) *Source {
	r := &rig{t: t, settings: map[string]string{"database.hostname": "db", "database.user": "u", "database.dbname": "shop", "topic.prefix": "pre",
		"table.include.list": "public.none", optTransaction: "true"}}
	s := r.config().Source().(*Source)
	s.log = slog.New(slog.DiscardHandler)
	var err error
	if s.emitter, err = newEmitter(s.cfg, connect.SourceContext{Logger: s.log}, time.Now); err != nil {
		t.Fatal(err)
	}
	s.pos = positionAt(1)
	return s
}
