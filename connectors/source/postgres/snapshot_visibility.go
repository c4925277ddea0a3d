package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxRunning bounds the transactions that a snapshot may list, and so the size of
// an offset (I5). A snapshot with more is not resumed but begun again.
const maxRunning = 4096

// visibility says which transactions a snapshot sees: those below xmin, and those
// below xmax that are not running. The ids are 64 bits wide, as in pg_snapshot.
type visibility struct {
	xmin, xmax uint64
	running    []uint64 // ascending, from xmin up to xmax
}

// parseVisibility reads the text of a pg_snapshot, "xmin:xmax:xip,xip,…".
func parseVisibility(text string) (v visibility, err error) {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 {
		return v, fmt.Errorf("snapshot %q is not of the form xmin:xmax:xip_list", clip(text))
	}
	if v.xmin, err = strconv.ParseUint(parts[0], 10, 64); err == nil {
		v.xmax, err = strconv.ParseUint(parts[1], 10, 64)
	}
	for id := range strings.SplitSeq(parts[2], ",") {
		if err != nil || id == "" {
			continue
		}
		var xid uint64
		xid, err = strconv.ParseUint(id, 10, 64)
		v.running = append(v.running, xid)
	}
	if err == nil && (v.xmin > v.xmax || !slices.IsSorted(v.running)) {
		err = fmt.Errorf("its ids are out of order")
	}
	if err != nil {
		return v, fmt.Errorf("read snapshot %q: %w", clip(text), err)
	}
	return v, nil
}

// clip shortens what an error quotes.
func clip(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}

// sees tells whether a transaction is visible, provided that it was committed.
func (v *visibility) sees(xid uint64) bool {
	if xid < v.xmin {
		return true
	}
	if xid >= v.xmax {
		return false
	}
	_, running := slices.BinarySearch(v.running, xid)
	return !running
}

// widen gives a 32-bit id of the stream the epoch of a snapshot that was taken at
// most 2³¹ transactions before or after it.
func (v *visibility) widen(xid uint32) uint64 {
	return v.xmax + uint64(int64(int32(xid-uint32(v.xmax))))
}

// precedes tells whether the transaction with a 32-bit id that a later snapshot
// sees is one that v does not see. Beyond 2³² transactions it may say so of one
// that is very old.
func (v *visibility) precedes(xid uint32, later *visibility) bool {
	if uint64(uint32(later.xmax)-xid) <= later.xmax-v.xmax {
		return true
	}
	return slices.ContainsFunc(v.running, func(running uint64) bool { return uint32(running) == xid })
}

// ambiguous tells whether a 32-bit xmin may stand for more than one transaction
// when a later snapshot reads: the server has assigned more ids than fit, or too
// many since v.
func (v *visibility) ambiguous(later *visibility) bool {
	return later.xmax >= 1<<32 || later.xmax < v.xmax || later.xmax-v.xmax >= 1<<31
}

// condition is the SQL condition that v sees a row's xmin, for a later snapshot
// that is not ambiguous. An age counts back from now: one between 0 and that of
// xmax belongs to a transaction that began after v. Frozen rows of old clusters
// have the greatest age there is.
func (v *visibility) condition() string {
	since := func(xid uint64) string {
		return fmt.Sprintf("age(xmin) BETWEEN 0 AND age('%d'::xid)", uint32(xid))
	}
	if len(v.running) == 0 {
		return "NOT (" + since(v.xmax) + ")"
	}
	ids := make([]string, len(v.running))
	for i, xid := range v.running {
		ids[i] = strconv.FormatUint(uint64(uint32(xid)), 10)
	}
	return fmt.Sprintf("(NOT (%s) OR NOT (%s) AND xmin <> ALL ('{%s}'::xid[]))",
		since(v.xmin), since(v.xmax), strings.Join(ids, ","))
}
