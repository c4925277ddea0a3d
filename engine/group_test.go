package engine_test

import (
	"testing"
)

// TestWorkersAreAddedAndRemoved follows the work of three connectors through a
// group that grows, shrinks and loses workers, the leader among them.
func TestWorkersAreAddedAndRemoved(t *testing.T) {
	withCrew(t, 3, nil, func(t *testing.T, c *crew) {
		const tasks = 12
		for _, name := range []string{"a", "b", "c"} {
			c.must(c.follower(), "PUT /connectors/"+name+"/config "+configText(4), 201)
		}
		c.awaitSpread(tasks)
		before := c.runs.started()
		c.start("w4")
		c.awaitSpread(tasks)
		if moved := c.runs.since(before, "-"); moved != 3 {
			t.Errorf("a fourth worker made %d tasks move, want 3", moved)
		}
		before = c.runs.started()
		c.leave(c.follower())
		c.awaitSpread(tasks)
		if moved := c.runs.since(before, "-"); moved != 3 {
			t.Errorf("%d tasks moved from a worker that left, want 3", moved)
		}
		before = c.runs.started()
		c.kill(c.follower())
		c.awaitSpread(tasks)
		if moved := c.runs.since(before, "-"); moved != 4 {
			t.Errorf("%d tasks moved from a worker that was lost, want 4", moved)
		}
		c.kill(c.leader())
		c.awaitSpread(tasks)
		c.must(c.leader(), "DELETE /connectors/a", 204)
		c.awaitSpread(8)
	})
}
