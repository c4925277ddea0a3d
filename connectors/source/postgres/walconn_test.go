package postgres

import "testing"

// TestStreamStartsAfterAPing wants a replication connection to answer what SyncConn
// sends when pgconn has a reader in the background.
func TestStreamStartsAfterAPing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CREATE TABLE t (id int PRIMARY KEY)")
	r.open()
	r.stop()
	cfg := r.config()
	pc, err := cfg.connectReplication(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := startStream(t.Context(), pc, streamStart{slot: cfg.replication.slot, publication: cfg.replication.publication})
	if err != nil {
		t.Fatal(err)
	}
	w.close()
}
