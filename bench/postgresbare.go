package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// bare drains a slot without decoding anything: it counts the frames that are rows.
// That is the limit for anything that reads the stream.
func (p *postgres) bare(ctx context.Context, slot string, rows int) (time.Duration, error) {
	begin := time.Now()
	config, err := pgconn.ParseConfig(p.ConnString("postgres"))
	if err != nil {
		return 0, err
	}
	config.RuntimeParams["replication"] = "database"
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return 0, err
	}
	h, err := conn.Hijack()
	if err != nil {
		return 0, err
	}
	defer h.Conn.Close()
	query := "START_REPLICATION SLOT " + slot + " LOGICAL 0/0 (proto_version '1', publication_names 'dbz_publication', binary 'true')"
	message := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(4+len(query)+1))
	if _, err := h.Conn.Write(append(append(message, query...), 0)); err != nil {
		return 0, err
	}
	err = countRows(bufio.NewReaderSize(h.Conn, 1<<20), rows)
	return time.Since(begin), err
}

// countRows reads frames until there were so many inserts and updates.
func countRows(r *bufio.Reader, rows int) error {
	var head [5]byte
	for rows > 0 {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		n := int(binary.BigEndian.Uint32(head[1:])) - 4
		if head[0] == 'E' {
			text := make([]byte, n)
			_, err := io.ReadFull(r, text)
			return fmt.Errorf("the server says %q, %w", text, err)
		}
		// 'w', three positions of 8 bytes, then the message.
		if start, err := r.Peek(min(n, 26)); err != nil {
			return err
		} else if head[0] == 'd' && start[0] == 'w' && (start[25] == 'I' || start[25] == 'U') {
			rows--
		}
		if _, err := r.Discard(n); err != nil {
			return err
		}
	}
	return nil
}

// copyToNull is the limit for a snapshot.
func (p *postgres) copyToNull(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	_, err := p.conn.PgConn().CopyTo(ctx, io.Discard, "COPY mixed TO STDOUT (FORMAT binary)")
	return time.Since(begin), err
}
