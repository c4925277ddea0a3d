package s3

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttest"
)

func TestConformance(t *testing.T) {
	srv := newServer(t)
	connecttest.Spec(t, Spec, settings(srv, map[string]string{"flush.size": "10"}))
	for name, changes := range map[string]map[string]string{
		"rotating by count": {"flush.size": "10", "rotate.max.age.ms": "30"},
		"rotating by age":   {"rotate.max.age.ms": "20"},
	} {
		t.Run(name, func(t *testing.T) {
			connecttest.Sink(t, fixture(changes))
		})
	}
}

// fixture returns a sink that writes JSON lines to a server of its own.
func fixture(changes map[string]string) connecttest.NewSinkFixture {
	return func(t testing.TB) connecttest.SinkFixture {
		srv := newServer(t)
		return connecttest.SinkFixture{
			Spec:     Spec,
			Settings: settings(srv, changes),
			Fill: func(b *connect.Batch, r *connect.Record, n int) {
				r.Value = connect.MapValue(b.Cells(2))
				cells := r.Value.Cells()
				cells[0], cells[1] = connect.StringValue("n"), connect.Int64Value(int64(n))
			},
			Visible: func() []int { return visibleNumbers(t, srv) },
		}
	}
}

// visibleNumbers reads the lines of all objects in the order of their keys, which
// is that of their start offsets.
func visibleNumbers(t testing.TB, srv *server) []int {
	t.Helper()
	numbers := []int{}
	bodies := srv.objects(t)
	for _, key := range slices.Sorted(maps.Keys(bodies)) {
		for line := range bytes.Lines(bodies[key]) {
			var record struct{ N int }
			if err := json.Unmarshal(line, &record); err != nil {
				t.Fatalf("object %s has the line %q: %v", key, line, err)
			}
			numbers = append(numbers, record.N)
		}
	}
	return numbers
}
