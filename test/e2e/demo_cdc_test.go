package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shopKeys are the tables of the demo's shop and the columns of their keys.
var shopKeys = map[string][]string{"customers": {"id"}, "products": {"id"}, "inventory": {"product_id"}, "orders": {"id"}, "order_lines": {"order_id", "line"}}

// shopOrders are enough for the file of the supplier and the new column.
const shopOrders = "150"

var (
	demoPostgres = regexp.MustCompile(`PGPASSFILE=(\S+) psql -h 127\.0\.0\.1 -p (\d+)`)
	demoObjects  = regexp.MustCompile(`bucket shop-lake, as files in (\S+)`)
)

// cdcDemo is a running demo.
type cdcDemo struct {
	*process
	tmp string // what it makes its folders in
}

// startCDCDemo starts the demo of the shop and waits until it is introduced.
func startCDCDemo(t *testing.T, args ...string) *cdcDemo {
	t.Helper()
	d := &cdcDemo{tmp: openDir(t)}
	if err := os.Chmod(d.tmp, 0o755); err != nil { // PostgreSQL is not root
		t.Fatal(err)
	}
	var err error
	if d.process, err = spawn([]string{"TMPDIR=" + d.tmp}, os.Getenv(envBinary), append([]string{"demo", "cdc"}, args...)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.running() {
			d.kill()
		}
		if t.Failed() {
			t.Log(tail(d.out.String(), 60))
		}
	})
	d.prints(t, "Ctrl-C ends the demo")
	return d
}

// prints waits until the demo has printed a text.
func (d *cdcDemo) prints(t *testing.T, text string) {
	t.Helper()
	eventually(t, func() error {
		if !d.running() {
			t.Fatalf("the demo has ended with code %d", d.cmd.ProcessState.ExitCode())
		}
		if !strings.Contains(d.out.String(), text) {
			return fmt.Errorf("the demo does not print %q", text)
		}
		return nil
	})
}

// postgres is the port of the shop's server.
func (d *cdcDemo) postgres(t *testing.T) (passFile, address string) {
	t.Helper()
	found := demoPostgres.FindStringSubmatch(d.out.String())
	if found == nil {
		t.Fatal("the demo does not print how to reach PostgreSQL")
	}
	return found[1], "127.0.0.1:" + found[2]
}

// shop connects to the shop's database as the demo says.
func (d *cdcDemo) shop(t *testing.T) *pgx.Conn {
	t.Helper()
	passFile, address := d.postgres(t)
	conn, err := pgx.Connect(t.Context(), "postgres://sluice@"+address+"/shop?sslmode=disable&passfile="+passFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// TestDemoCDC runs the shop to its last order and wants the objects to make up its
// tables, whatever was inserted, changed, deleted, loaded and altered, and nothing to
// be left after Ctrl-C.
func TestDemoCDC(t *testing.T) {
	d := startCDCDemo(t, "--orders", shopOrders)
	conn := d.shop(t)
	d.prints(t, "the shop has placed "+shopOrders+" orders")
	found := demoObjects.FindStringSubmatch(d.out.String())
	if found == nil {
		t.Fatal("the demo does not print where the objects are")
	}
	eventually(t, func() error { return sameTables(t, conn, newLake(t, found[1])) })
	lake := newLake(t, found[1])
	for _, op := range []string{"r", "c", "u", "d"} {
		if lake.ops[op] == 0 {
			t.Errorf("no object has a row with the op %s", op)
		}
	}
	if n := lake.ops["c"]; n < 20_000 {
		t.Errorf("%d rows were inserted, want those of the supplier's file", n)
	}
	d.wantLines(t)
	t.Logf("%v rows in the objects, %d MB resident", lake.ops, d.residentMB(t))
	d.ends(t)
}

// wantLines wants events of each kind and objects to be shown, and the first event in
// time.
func (d *cdcDemo) wantLines(t *testing.T) {
	t.Helper()
	lines := demoLine.FindAllStringSubmatch(d.out.String(), -1)
	if len(lines) == 0 {
		t.Fatal("no records are shown")
	}
	first, _ := strconv.ParseFloat(lines[0][1], 64)
	t.Logf("first record after %.2f s", first)
	if first > maxFirstChange {
		t.Errorf("first record after %.2f s, want at most %.0f", first, maxFirstChange)
	}
	for _, want := range []string{`@0  r {"`, `  u {"`, `  c {"`, `  d {"`, "  tombstone", `"loyalty":`, "schema shop.public.customers-value has a new version", "database.password = [hidden]", " change events, "} {
		d.prints(t, want)
	}
}

// maxFirstChange is generous: the machine of a test makes a database and starts a
// server beside other tests.
const maxFirstChange = 60.0

// ends ends the demo with Ctrl-C and wants nothing to be left.
func (d *cdcDemo) ends(t *testing.T) {
	t.Helper()
	_, address := d.postgres(t)
	d.signal(syscall.SIGINT)
	if code := d.exit(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("PostgreSQL still runs")
	}
	if left, _ := os.ReadDir(d.tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestDemoCDCKilled wants PostgreSQL to end with a demo that is killed.
func TestDemoCDCKilled(t *testing.T) {
	d := startCDCDemo(t, "--format", "json")
	_, address := d.postgres(t)
	d.prints(t, " s  object topics/shop.public.orders/partition=0/shop.public.orders+0+0000000000.json")
	d.kill()
	eventually(t, func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil
		}
		conn.Close()
		return fmt.Errorf("PostgreSQL still listens on %s", address)
	})
}
