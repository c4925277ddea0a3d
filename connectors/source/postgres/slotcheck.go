package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-data/sluice/connect"
)

// resolve compares the stored position with the slot, and returns where to go on.
// gap says why changes in between are gone, "" when none are: the server itself
// would go on from wherever its slot is without a word.
func resolve(strategy string, p position, slot *slotInfo, server *serverInfo) (_ position, gap string) {
	if p.end == 0 && p.commit == 0 {
		p.end = slot.confirmed // an old offset of Debezium's, which confirmed it
	}
	switch start := p.start(); {
	case p.systemID != "" && p.systemID != server.systemID:
		return p, fmt.Sprintf("the server is another one, as after pg_upgrade or a restore: its system identifier is %s, the stored offset is of %s", server.systemID, p.systemID)
	case !slot.exists:
		return p, "it does not exist any more" + promotedWithout(&p, server)
	case slot.lost():
		return p, "the server has removed the WAL that it needs" + reasonOf(slot)
	case !server.standby && start > server.walEnd:
		return p, fmt.Sprintf("the stored offset %s is ahead of the server's WAL, which ends at %s: the server was restored from a backup, "+
			"or a standby took over that had not received everything", start, server.walEnd)
	case server.forked(&p, slot) != "":
		return p, server.forked(&p, slot)
	case slot.confirmed > start && (strategy == mismatchTrustSlot || strategy == mismatchTrustGreater):
		return moved(p, slot), ""
	case slot.confirmed > start:
		return p, fmt.Sprintf("it is at %s, beyond the stored offset %s: it was dropped and made anew, or advanced", slot.confirmed, start)
	case slot.confirmed < start && strategy == mismatchTrustSlot:
		return moved(p, slot), ""
	}
	return p, ""
}

// promotedWithout tells of a standby that took over without the slot.
func promotedWithout(p *position, server *serverInfo) string {
	if p.timeline == 0 || p.timeline == server.timeline {
		return ""
	}
	return ": a standby took over that did not have it (from PostgreSQL 17 on slot.failover=true and the standby's sync_replication_slots keep it)"
}

func moved(p position, slot *slotInfo) position {
	to := positionAt(slot.confirmed)
	to.systemID, to.timeline, to.lastCommit = p.systemID, p.timeline, p.lastCommit
	return to
}

func reasonOf(slot *slotInfo) string {
	switch slot.invalidation {
	case "":
		return " (wal_status is lost: max_slot_wal_keep_size was exceeded)"
	case "idle_timeout":
		return " (idle_timeout: nobody has read it for idle_replication_slot_timeout)"
	}
	return " (" + slot.invalidation + ")"
}

// gapError is what slot.lost.policy=fail says.
func gapError(cfg *config, p *position, gap string) error {
	return &connect.ConfigError{Option: optSlot, Reason: fmt.Sprintf("changes after %s are missing: the replication slot %s cannot be read on from there, %s. "+
		"Set %s to %s to read all tables again, or to %s to go on from what there is and accept the gap", p.start(), cfg.replication.slot, gap, optSlotLost, slotLostSnapshot, slotLostContinue)}
}

// slotState is what checkSlot has found.
type slotState struct {
	slot   slotInfo
	server serverInfo
	gap    string
}

// examine reads server and slot, and says whether they can be used at all.
func (s *Source) examine(ctx context.Context) (slotState, error) {
	var st slotState
	err := s.catalog.ask(ctx, func(ctx context.Context, conn *pgx.Conn) (err error) {
		if st.server, err = readServer(ctx, conn); err != nil {
			return err
		}
		st.slot, err = readSlot(ctx, conn, s.cfg.replication.slot, st.server.version)
		return err
	})
	if err != nil {
		return st, err
	}
	if err := st.server.check(); err != nil {
		return st, err
	}
	if err := st.slot.check(s.cfg.replication.slot, st.server.database, st.server.standby); err != nil {
		return st, err
	}
	conn, err := s.cfg.connectReplication(ctx)
	if err != nil {
		return st, err
	}
	defer closeConn(conn)
	err = within(ctx, s.cfg.connection.catalogTimeout(), func(ctx context.Context) error { return st.server.identify(ctx, conn) })
	if conn.IsClosed() || retriableState(sqlState(err)) {
		err = connect.Retriable(err)
	}
	return st, err
}
