package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-data/sluice/internal/demo"
)

// demoRotate is after how many ms an object is complete.
const demoRotate = "3000"

// printChanges prints in what the connectors differ from the examples.
func (d *demonstration) printChanges() {
	var names []string
	examples := d.world.connectors()
	for _, e := range examples {
		names = append(names, e.file)
	}
	fmt.Fprintf(d.out, "\nThe connectors are examples/configs/%s with these changes:\n", strings.Join(names, " and "))
	for _, e := range examples {
		for _, change := range e.changes {
			value := change[1]
			if change[0] == "aws.secret.access.key" || change[0] == "database.password" {
				value = "[hidden]" // I6, as an example
			}
			fmt.Fprintf(d.out, "  %s = %s\n", change[0], value)
		}
	}
	fmt.Fprintf(d.out, "\nCtrl-C ends the demo. Times are since its start.\n\n")
}

// farewell says what is left.
func (d *demonstration) farewell() {
	if d.keep == "" {
		fmt.Fprintln(d.out, "\nStopping. Nothing is left behind.")
		return
	}
	fmt.Fprintf(d.out, "\nStopping. %s\n\n  sluice server --data-dir %s", d.world.kept(), filepath.Join(d.dir, "data"))
	for _, e := range d.world.connectors() {
		fmt.Fprintf(d.out, " %s", filepath.Join(d.dir, e.file))
	}
	fmt.Fprint(d.out, "\n\n")
}

// say prints a line with the time since the start.
func (d *demonstration) say(format string, args ...any) {
	d.printing.Lock()
	defer d.printing.Unlock()
	fmt.Fprintf(d.out, "%6.2f s  %s\n", time.Since(d.start).Seconds(), fmt.Sprintf(format, args...))
}

// objectWatcher tells of each object of the bucket once.
type objectWatcher struct {
	*demonstration
	found func(o demo.Object, rows int64)
}

func (w *objectWatcher) run(ctx context.Context) error {
	seen := map[string]bool{}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		objects, err := w.store.Objects(w.world.bucket())
		if err != nil {
			return err
		}
		for _, o := range objects {
			if seen[o.Key] || !strings.HasPrefix(o.Key, "topics/") { // the sink has some of its own
				continue
			}
			seen[o.Key] = true
			rows, err := w.store.Rows(w.world.bucket(), o.Key)
			if err != nil {
				return err
			}
			w.found(o, rows)
		}
	}
}
