package log

import (
	"fmt"

	"github.com/sluice-data/sluice/log/batch"
)

// eachBytes is how many bytes EachBatch reads at a time.
const eachBytes = 1 << 20

// EachBatch calls f for every batch from the log start offset to the high watermark of now, in order, until it returns an error. The
// bytes are f's until it returns. It is how coordinators read their topics. Errors as of [Partition.Read], and those of f.
func (p *Partition) EachBatch(f func(h *batch.Header, b []byte) error) error {
	if err := p.Err(); err != nil {
		return err
	}
	var buf []byte
	end := p.HighWatermark()
	for offset := p.LogStartOffset(); offset < end; {
		var err error
		if buf, err = p.Read(buf[:0], offset, eachBytes, end); err != nil {
			return err
		}
		if len(buf) == 0 {
			return fmt.Errorf("read at offset %d: nothing there below %d", offset, end)
		}
		for b := buf; len(b) > 0; {
			h, err := batch.Parse(b)
			if err != nil {
				return err
			}
			if err := f(&h, b[:h.Size()]); err != nil {
				return err
			}
			offset, b = h.LastOffset()+1, b[h.Size():]
		}
	}
	return nil
}
