package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// timelineEnd is where the WAL of a timeline ends: a standby was promoted there, or a
// backup was restored up to there, and the next timeline goes on.
type timelineEnd struct {
	timeline int32
	at       pgoutput.LSN
}

// maxTimelines is of how many timelines the end is kept (I5): one more for each
// failover, the latest ones count.
const maxTimelines = 10_000

// readHistory asks for the timelines that led to the server's. The first has none
// before it.
func readHistory(ctx context.Context, conn *pgconn.PgConn, timeline int32) ([]timelineEnd, error) {
	if timeline <= 1 {
		return nil, nil
	}
	row, err := oneRow(ctx, conn, "TIMELINE_HISTORY "+strconv.Itoa(int(timeline)), 2)
	if err != nil {
		return nil, err
	}
	return parseHistory(row[1])
}

// parseHistory reads a history file: lines of a timeline, the LSN of its end and a
// reason, separated by tabs.
func parseHistory(text string) ([]timelineEnd, error) {
	var ends []timelineEnd
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("the line %.100q of a timeline's history has no LSN", line)
		}
		timeline, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("the line %.100q of a timeline's history does not begin with a number", line)
		}
		at, err := pgoutput.ParseLSN(fields[1])
		if err != nil {
			return nil, err
		}
		ends = append(ends, timelineEnd{int32(timeline), at})
	}
	return ends[max(0, len(ends)-maxTimelines):], nil
}

// forked says why a position is not in the server's history, or nothing. Another server
// has taken over at the end of the position's timeline: what was read beyond that
// is not there, and other changes may have the same LSNs.
//
// A slot that was confirmed beyond that end was read on this server already: that is
// how it is after a standby was promoted whose own slot was read.
func (s *serverInfo) forked(p *position, slot *slotInfo) string {
	if p.timeline == 0 || p.timeline == s.timeline {
		return ""
	}
	for _, e := range s.history {
		if e.timeline != p.timeline {
			continue
		}
		if p.start() <= e.at || slot.confirmed > e.at {
			return ""
		}
		return fmt.Sprintf("the stored offset %s is beyond %s, where the server's timeline %d left timeline %d of the offset: "+
			"a standby took over that had not received everything, or a backup was restored, and what was read after %s is not in this server",
			p.start(), e.at, s.timeline, p.timeline, e.at)
	}
	why := ""
	if s.historyError != nil {
		why = fmt.Sprintf(" (%v)", s.historyError)
	}
	return fmt.Sprintf("the stored offset %s is of timeline %d, which is not in the history of the server's timeline %d%s", p.start(), p.timeline, s.timeline, why)
}
