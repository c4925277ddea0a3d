package engine

import "context"

// BelieveToLead makes a worker believe that it leads its group.
func BelieveToLead(w *Worker) {
	p, _ := w.group.current()
	p.leader = true
	w.group.setPlace(p)
}

// ClaimConfigTopic does what a leader does first.
func ClaimConfigTopic(ctx context.Context, w *Worker) error { return w.stores.lead.claim(ctx) }
