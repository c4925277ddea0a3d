package demo

import (
	"context"
	_ "embed" // the shop's tables are part of the binary
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/internal/pgserver"
)

// shopTables makes the tables of the shop with some rows.
//
//go:embed shop.sql
var shopTables string

// Sizes of the shop's first rows, as in shop.sql, and of the file of a supplier.
const (
	firstProducts    = 500
	supplierProducts = 20_000
)

// When the shop gets the file of a supplier and another column, in orders.
const (
	supplierAt = 60
	columnAt   = 120
)

// Shop is an online shop that keeps its data in PostgreSQL.
type Shop struct {
	Server *pgserver.Server
	// User owns the database Name, and Password is its password. It may replicate
	// and is no superuser.
	User, Name, Password string
	// Orders is how many are placed before the shop falls silent; 0: no end.
	Orders int
	// Interval is between two orders.
	Interval time.Duration
	// Say tells of what happens now and then; it may be nil.
	Say func(format string, args ...any)
}

// Create makes the role, the database and its tables.
func (s *Shop) Create(ctx context.Context) error {
	err := s.as(ctx, s.Server.ConnString(pgserver.User), func(c *pgx.Conn) error {
		role := pgx.Identifier{s.User}.Sanitize()
		// The password consists of letters and digits.
		if _, err := c.Exec(ctx, "CREATE ROLE "+role+" LOGIN REPLICATION PASSWORD '"+s.Password+"'"); err != nil {
			return err
		}
		_, err := c.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{s.Name}.Sanitize()+" OWNER "+role)
		return err
	})
	if err == nil {
		err = s.as(ctx, s.url(), func(c *pgx.Conn) error {
			_, err := c.PgConn().Exec(ctx, shopTables).ReadAll()
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("make the shop's database: %w", err)
	}
	return nil
}

func (s *Shop) url() string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", s.User, s.Password, s.Server.Port, s.Name)
}

// as runs do with a connection.
func (s *Shop) as(ctx context.Context, url string, do func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	err = do(c)
	return errors.Join(err, c.Close(context.WithoutCancel(ctx)))
}

// Run sells until ctx ends, after the last order without doing anything.
func (s *Shop) Run(ctx context.Context) error {
	err := s.as(ctx, s.url(), func(c *pgx.Conn) error { return s.sell(ctx, c) })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Shop) sell(ctx context.Context, c *pgx.Conn) error {
	tick := time.NewTicker(s.Interval)
	defer tick.Stop()
	for n := 1; s.Orders == 0 || n <= s.Orders; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.step(ctx, c, n); err != nil {
			return fmt.Errorf("order %d of the shop: %w", n, err)
		}
	}
	s.say("the shop has placed %d orders and is quiet from now on", s.Orders)
	<-ctx.Done()
	return nil
}

func (s *Shop) say(format string, args ...any) {
	if s.Say != nil {
		s.Say(format, args...)
	}
}

// step places the order n and does what else is due.
func (s *Shop) step(ctx context.Context, c *pgx.Conn, n int) error {
	if err := s.order(ctx, c); err != nil {
		return err
	}
	switch n {
	case supplierAt:
		return s.supplier(ctx, c)
	case columnAt:
		s.say("ALTER TABLE customers ADD COLUMN loyalty int NOT NULL DEFAULT 0")
		_, err := c.Exec(ctx, "ALTER TABLE customers ADD COLUMN loyalty int NOT NULL DEFAULT 0")
		return err
	}
	sql := chores[n%len(chores)]
	if n > columnAt && n%5 == 0 {
		sql = "UPDATE customers SET loyalty = loyalty + 10 WHERE id = (SELECT customer_id FROM orders ORDER BY id DESC LIMIT 1)"
	}
	_, err := c.Exec(ctx, sql)
	return err
}

// anyOrder is an order that was placed or paid of the last hundred.
const anyOrder = "(SELECT id FROM (SELECT id, status FROM orders ORDER BY id DESC LIMIT 100) o WHERE status <> 'shipped' ORDER BY random() LIMIT 1)"

// chores are done one after the other, one with each order.
var chores = []string{
	"UPDATE orders SET status = CASE status WHEN 'placed' THEN 'paid'::order_status ELSE 'shipped' END WHERE id = " + anyOrder,
	"UPDATE orders SET status = 'paid', note = note || ', paid by card' WHERE id = " + anyOrder,
	"UPDATE customers SET city = (ARRAY['Porto', 'Wien', 'Gdańsk', NULL])[1 + floor(random() * 4)] WHERE id = 1 + floor(random() * 200)",
	"DELETE FROM orders WHERE id = " + anyOrder, // the lines go with it
	"WITH c AS (INSERT INTO customers (name, email) VALUES ('New customer', '') RETURNING id) SELECT id FROM c",
	"UPDATE inventory SET quantity = quantity + 100, updated_at = now() WHERE product_id = (SELECT product_id FROM inventory ORDER BY quantity LIMIT 1)",
	"UPDATE products SET price = round(price * 1.01, 2) WHERE id = 1 + floor(random() * 500)",
}

// order places an order of one to four lines, in one transaction.
func (s *Shop) order(ctx context.Context, c *pgx.Conn) error {
	products := make([]int64, 1+rand.IntN(4))
	for i := range products {
		products[i] = 1 + rand.Int64N(firstProducts)
	}
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, "INSERT INTO orders (customer_id, note) VALUES ($1, 'order by web') RETURNING id", 1+rand.Int64N(200)).Scan(&id)
		if err != nil {
			return err
		}
		var b pgx.Batch
		b.Queue("INSERT INTO order_lines SELECT $1, row_number() OVER (), id, 1 + floor(random() * 3), price FROM products WHERE id = ANY($2)", id, products)
		b.Queue("UPDATE inventory i SET quantity = i.quantity - l.quantity, updated_at = now() FROM order_lines l WHERE l.order_id = $1 AND l.product_id = i.product_id", id)
		b.Queue("UPDATE orders SET total = (SELECT sum(quantity * price) FROM order_lines WHERE order_id = $1) WHERE id = $1", id)
		return tx.SendBatch(ctx, &b).Close()
	})
}

// supplier loads the file of a supplier, in one COPY.
func (s *Shop) supplier(ctx context.Context, c *pgx.Conn) error {
	start := time.Now()
	row := func(i int) ([]any, error) {
		price := float64(100+i%9900) / 100
		return []any{fmt.Sprintf("S-%06d", i), fmt.Sprintf("Product %d of the supplier", i), price}, nil
	}
	n, err := c.CopyFrom(ctx, pgx.Identifier{"products"}, []string{"sku", "name", "price"}, pgx.CopyFromSlice(supplierProducts, row))
	if err != nil {
		return err
	}
	s.say("a supplier's file: COPY of %d products in one transaction, %.2f s", n, time.Since(start).Seconds())
	return nil
}
