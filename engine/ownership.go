package engine

import "github.com/sluice-data/sluice/engine/cluster"

// ownership is what a worker runs of that which the config topic asks for: all of
// it when it is alone, else what the leader of the group has assigned.
type ownership struct {
	all        bool
	leader     bool // this worker looks after what has no owner
	generation int  // of the group; statuses carry it
	connectors map[string]bool
	tasks      map[string]map[int]bool // by connector
}

// aloneOwnership is that of a worker that shares its group.id with nobody.
func aloneOwnership() ownership { return ownership{all: true, leader: true} }

func newOwnership(a cluster.Assignment) ownership {
	o := ownership{leader: a.IsLeader, generation: int(a.Generation), connectors: make(map[string]bool), tasks: make(map[string]map[int]bool)}
	for _, name := range a.Connectors {
		o.connectors[name] = true
	}
	for _, id := range a.Tasks {
		if o.tasks[id.Connector] == nil {
			o.tasks[id.Connector] = make(map[int]bool)
		}
		o.tasks[id.Connector][id.Task] = true
	}
	return o
}

// connector tells whether the connector's instance is this worker's.
func (o *ownership) connector(name string) bool { return o.all || o.connectors[name] }

func (o *ownership) task(id TaskID) bool { return o.all || o.tasks[id.Connector][id.Task] }

// anyOf tells whether a connector or one of its tasks is this worker's.
func (o *ownership) anyOf(name string) bool {
	return o.all || o.connectors[name] || len(o.tasks[name]) > 0
}

// remove takes a part away.
func (o *ownership) remove(connectors []string, tasks []cluster.TaskID) {
	for _, name := range connectors {
		delete(o.connectors, name)
	}
	for _, id := range tasks {
		delete(o.tasks[id.Connector], id.Task)
	}
}

// names returns the connectors of which anything is this worker's.
func (o *ownership) names() map[string]bool {
	names := make(map[string]bool)
	for name := range o.connectors {
		names[name] = true
	}
	for name := range o.tasks {
		names[name] = true
	}
	return names
}
