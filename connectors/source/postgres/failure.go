package postgres

import (
	"errors"
	"fmt"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtype"
)

// failed applies event.processing.failure.handling.mode to a change that cannot be
// made into a record: with warn and skip it is left out. A stale enum is not such a
// failure: the caller reads the catalog and tries again.
func (e *emitter) failed(t *table, err error) error {
	var stale *pgtype.StaleEnumError
	if errors.As(err, &stale) {
		return err
	}
	switch e.config.records.processing {
	case failureWarn:
		e.warnings.warn("a change cannot be made into a record and is left out", t.label, err)
		return nil
	case failureSkip:
		return nil
	}
	return fmt.Errorf("make a record of a change: %w", err)
}
