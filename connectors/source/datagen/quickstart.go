package datagen

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// row is what a column's value is made from.
type row struct {
	n       int64 // its number, from 0
	random  rand.PCG
	batch   *connect.Batch
	scratch []byte
}

// below returns a number from 0 to n-1.
func (r *row) below(n uint64) int64 { return int64(r.random.Uint64() % n) }

// text returns prefix and a number from low to high.
func (r *row) text(prefix string, low, high uint64) connect.Value {
	r.scratch = append(r.scratch[:0], prefix...)
	r.scratch = strconv.AppendUint(r.scratch, low+uint64(r.below(high-low+1)), 10)
	return connect.StringValue(r.batch.Text(r.scratch))
}

func (r *row) oneOf(texts []string) connect.Value {
	return connect.StringValue(texts[r.below(uint64(len(texts)))])
}

// column is one field of a row.
type column struct {
	name   string
	schema *connect.Schema
	value  func(*row) connect.Value
}

func number64(name string, value func(*row) int64) column {
	return column{name, connect.Int64Schema, func(r *row) connect.Value { return connect.Int64Value(value(r)) }}
}

func number32(name string, value func(*row) int64) column {
	return column{name, connect.Int32Schema, func(r *row) connect.Value { return connect.Int32Value(int32(value(r))) }}
}

func numbered(name, prefix string, low, high uint64) column {
	return column{name, connect.StringSchema, func(r *row) connect.Value { return r.text(prefix, low, high) }}
}

func choice(name string, texts ...string) column {
	return column{name, connect.StringSchema, func(r *row) connect.Value { return r.oneOf(texts) }}
}

// epoch is the time of row 0 in milliseconds; the next row is up to a second later.
const epoch = 1_600_000_000_000

func rowTime(r *row) int64   { return epoch + r.n*1000 + r.below(1000) }
func rowNumber(r *row) int64 { return r.n }

func upTo(n uint64) func(*row) int64 { return func(r *row) int64 { return 1 + r.below(n) } }

// quickstart is a kind of row.
type quickstart struct {
	key     string // the field that is the key
	columns []column
}

// quickstarts are the kinds of rows by name. Names of fields are those that
// tutorials of Confluent's connector use.
func quickstarts() map[string]quickstart {
	return map[string]quickstart{
		"users": {"userid", []column{number64("registertime", rowTime), numbered("userid", "User_", 1, 9),
			numbered("regionid", "Region_", 1, 9), choice("gender", "MALE", "FEMALE", "OTHER")}},
		"pageviews": {"viewtime", []column{number64("viewtime", rowTime), numbered("userid", "User_", 1, 9),
			numbered("pageid", "Page_", 10, 99)}},
		"orders": {"orderid", []column{number64("ordertime", rowTime), number32("orderid", rowNumber),
			numbered("itemid", "Item_", 1, 999), {"orderunits", connect.Float64Schema, units}, {"address", addressSchema(), address}}},
		"ratings": {"rating_id", []column{number64("rating_id", rowNumber), number32("user_id", upTo(20)), number32("stars", upTo(5)),
			number32("route_id", upTo(9999)), number64("rating_time", rowTime), choice("channel", "web", "ios", "android"),
			choice("message", "on time", "late again", "friendly crew", "lost my luggage", "would fly again")}},
		"stock_trades": {"symbol", []column{choice("side", "BUY", "SELL"), number32("quantity", upTo(5000)),
			choice("symbol", "ALFA", "BETA", "DELT", "GAMM", "OMEG", "ZETA"), number32("price", upTo(1000)),
			numbered("account", "Account_", 1, 5), numbered("userid", "User_", 1, 9)}},
		"transactions": {"transaction_id", []column{number64("transaction_id", rowNumber), number64("card_id", upTo(1000)),
			numbered("user_id", "User_", 1, 99), number64("purchase_id", rowNumber), number32("store_id", upTo(20))}},
		"rows": {"id", []column{number64("id", rowNumber)}},
	}
}

func quickstartNames() []string { return slices.Sorted(maps.Keys(quickstarts())) }

func units(r *row) connect.Value { return connect.Float64Value(float64(1+r.below(99)) / 10) }

func addressSchema() *connect.Schema {
	return connect.MustStruct("datagen.address", connect.Field{Name: "city", Schema: connect.StringSchema},
		connect.Field{Name: "state", Schema: connect.StringSchema}, connect.Field{Name: "zipcode", Schema: connect.Int64Schema})
}

func address(r *row) connect.Value {
	cells := r.batch.Cells(3)
	cells[0], cells[1], cells[2] = r.text("City_", 1, 99), r.text("State_", 1, 50), connect.Int64Value(10000+r.below(90000))
	return connect.StructValue(cells)
}

// payload returns a column of random letters.
func payload(bytes int) column {
	return column{"payload", connect.StringSchema, func(r *row) connect.Value {
		const letters = "abcdefghijklmnopqrstuvwxyz012345" // 32: five bits each
		text := slices.Grow(r.scratch[:0], bytes)[:bytes]
		for i := 0; i < bytes; {
			for bits := r.random.Uint64(); bits != 0 && i < bytes; bits >>= 5 {
				text[i] = letters[bits&31]
				i++
			}
		}
		r.scratch = text
		return connect.StringValue(r.batch.Text(text))
	}}
}

// table is a quickstart with its schema.
type table struct {
	columns []column
	schema  *connect.Schema
	key     int // of columns; -1 when there is no such field
}

func newTable(name string, payloadBytes int, key string) *table {
	q := quickstarts()[name]
	t := &table{columns: q.columns}
	if payloadBytes > 0 {
		t.columns = append(t.columns, payload(payloadBytes))
	}
	if key == "" {
		key = q.key
	}
	var fields []connect.Field
	for _, c := range t.columns {
		fields = append(fields, connect.Field{Name: c.name, Schema: c.schema})
	}
	t.schema = connect.MustStruct("datagen."+name, fields...)
	t.key = t.schema.Index(key)
	return t
}

func (t *table) fieldNames() string {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// append adds row n of a task to the batch.
func (t *table) append(b *connect.Batch, r *row, seed, task uint64, n int64) *connect.Record {
	r.n, r.batch = n, b
	// The state begins with the seed, the task and the number, mixed by a few steps.
	r.random.Seed(seed^task*0x9e3779b97f4a7c15, uint64(n))
	r.random.Uint64()
	r.random.Uint64()
	cells := b.Cells(len(t.columns))
	for i := range t.columns {
		cells[i] = t.columns[i].value(r)
	}
	rec := b.Append()
	rec.KeySchema, rec.Key = t.columns[t.key].schema, cells[t.key]
	rec.ValueSchema, rec.Value = t.schema, connect.StructValue(cells)
	return rec
}
