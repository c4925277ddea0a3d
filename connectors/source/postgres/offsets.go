package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-data/sluice/connect"
)

// AlterOffsets implements connect.SourceOffsetAlterer: an offset that the source
// could not start from is refused. Debezium's are accepted. Nothing is kept
// elsewhere: whether the slot still has what follows is found out at the start.
func (c *config) AlterOffsets(_ context.Context, marks []connect.Mark) (bool, error) {
	for _, m := range marks {
		if !samePartition(m.Partition, c.topics.prefix) {
			return false, fmt.Errorf("the source partition %s is not this connector's, which is %s", m.Partition, sourcePartition(c.topics.prefix))
		}
		if m.Offset == nil {
			continue
		}
		p, err := parsePosition(m.Offset)
		if err != nil {
			return false, err
		}
		if p.start() == 0 && p.last.lsn == 0 {
			return false, fmt.Errorf("the offset %s has no lsn", m.Offset)
		}
	}
	return true, nil
}

func samePartition(partition json.RawMessage, prefix string) bool {
	var have map[string]string
	d := json.NewDecoder(bytes.NewReader(partition))
	return d.Decode(&have) == nil && len(have) == 1 && have["server"] == prefix
}
