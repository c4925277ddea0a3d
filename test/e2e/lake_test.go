package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// row is a row by the names of its columns, with every value as text; null is not there.
type row map[string]string

// lake is what Parquet objects with rows of change events make of tables.
type lake struct {
	tables map[string]map[string]row // by key
	ops    map[string]int
}

// newLake reads every object of a bucket in the order of the offsets.
func newLake(t *testing.T, bucket string) *lake {
	t.Helper()
	paths, err := filepath.Glob(bucket + "/topics/shop.public.*/partition=0/*.parquet")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	l := &lake{tables: map[string]map[string]row{}, ops: map[string]int{}}
	for _, path := range paths {
		topic, _, _ := strings.Cut(filepath.Base(path), "+")
		table := strings.TrimPrefix(topic, "shop.public.")
		if l.tables[table] == nil {
			l.tables[table] = map[string]row{}
		}
		for _, r := range parquetRows(t, path) {
			l.apply(table, r)
		}
	}
	return l
}

// apply does to a table what a change event did.
func (l *lake) apply(table string, r row) {
	l.ops[r["__op"]]++
	key := r.key(table)
	if r["__deleted"] == "true" {
		delete(l.tables[table], key)
		return
	}
	l.tables[table][key] = r
}

func (r row) key(table string) string {
	var parts []string
	for _, column := range shopKeys[table] {
		parts = append(parts, r[column])
	}
	return strings.Join(parts, " ")
}

// parquetRows reads an object whose columns are flat.
func parquetRows(t *testing.T, path string) []row {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	pf, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	columns := pf.Root().Columns()
	var all []row
	for _, group := range pf.RowGroups() {
		rows := group.Rows()
		for buf := make([]parquet.Row, 256); ; {
			n, err := rows.ReadRows(buf)
			for _, cells := range buf[:n] {
				all = append(all, textRow(columns, cells))
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		rows.Close()
	}
	return all
}

func textRow(columns []*parquet.Column, cells parquet.Row) row {
	r := row{}
	for _, v := range cells {
		if c := columns[v.Column()]; !v.IsNull() {
			r[c.Name()] = cellText(c, v)
		}
	}
	return r
}

// cellText is a value in the words of PostgreSQL's JSON.
func cellText(c *parquet.Column, v parquet.Value) string {
	if l := c.Type().LogicalType(); l != nil {
		decimal, ok := l.Value.(*format.DecimalType)
		if !ok {
			return timeText(v.String())
		}
		unscaled := new(big.Int).SetBytes(v.ByteArray()) // prices are not negative
		scale := int(decimal.Scale)
		digits := fmt.Sprintf("%0*s", scale+1, unscaled)
		return digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	return timeText(v.String())
}

// timeText gives times one form.
func timeText(s string) string {
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return s
}

// sameTables compares the lake with the tables.
func sameTables(t *testing.T, conn *pgx.Conn, l *lake) error {
	t.Helper()
	for table := range shopKeys {
		rows := tableRows(t, conn, table)
		if len(rows) != len(l.tables[table]) {
			return fmt.Errorf("%s has %d rows, the objects make up %d", table, len(rows), len(l.tables[table]))
		}
		for key, want := range rows {
			got := l.tables[table][key]
			for column, text := range want {
				have, ok := got[column]
				if !ok && column == "loyalty" {
					have = "0" // the object is older than the column: its default holds
				}
				if have != text {
					return fmt.Errorf("%s %s: %s is %q, the objects have %q", table, key, column, text, have)
				}
			}
			for column := range got {
				if _, ok := want[column]; !ok && !strings.HasPrefix(column, "__") {
					return fmt.Errorf("%s %s: the objects have %s = %q", table, key, column, got[column])
				}
			}
		}
	}
	return nil
}

// tableRows reads a table by its keys.
func tableRows(t *testing.T, conn *pgx.Conn, table string) map[string]row {
	t.Helper()
	rows, err := conn.Query(context.Background(), "SELECT to_jsonb(t)::text FROM "+table+" t")
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]row, len(texts))
	for _, text := range texts {
		var cells map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&cells); err != nil {
			t.Fatal(err)
		}
		r := row{}
		for column, v := range cells {
			if v != nil {
				r[column] = timeText(fmt.Sprint(v))
			}
		}
		all[r.key(table)] = r
	}
	return all
}
