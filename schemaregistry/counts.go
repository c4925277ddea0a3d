package schemaregistry

// Counts says how much there is.
type Counts struct {
	Registered, Deleted map[string]int // versions, by type
	Subjects            int            // with a version that is not deleted
}

// Counts counts what has been read so far; every type that can be registered is in it.
func (r *Registry) Counts() Counts {
	c := Counts{Registered: make(map[string]int), Deleted: make(map[string]int)}
	for _, t := range r.Types() {
		c.Registered[t], c.Deleted[t] = 0, 0
	}
	r.state.mu.RLock()
	defer r.state.mu.RUnlock()
	for _, sub := range r.state.subjects {
		live := 0
		for _, v := range sub.versions {
			if v.deleted {
				c.Deleted[v.entry.typ]++
			} else {
				c.Registered[v.entry.typ]++
				live = 1
			}
		}
		c.Subjects += live
	}
	return c
}
