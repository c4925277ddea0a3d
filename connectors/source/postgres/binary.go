package postgres

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

// textOnlyError says that a stream in binary form cannot be read: pgoutput sends all
// types in it that have one, and of some we know the text only.
type textOnlyError struct {
	table  tableName
	column string
}

func (e *textOnlyError) Error() string {
	return fmt.Sprintf("column %s of table %s can be read as text only", e.column, e.table)
}

// readsBinary returns a *textOnlyError for a table whose rows cannot be read in
// binary form.
func (t *table) readsBinary() error {
	for i := range t.columns {
		if c := &t.columns[i]; c.codec != nil && !c.codec.BinaryOK() {
			return &textOnlyError{t.name, c.name}
		}
	}
	return nil
}

// binary tells whether the stream is asked for values in binary form.
func (s *Source) binary() bool { return s.cfg.replication.binary && !s.text }

// takesText goes over to text for good when err asks for that. The stream has to
// begin anew then; what was read of it counts.
func (s *Source) takesText(err error) bool {
	var e *textOnlyError
	if !errors.As(err, &e) {
		return false
	}
	s.text = true
	s.log.Info("values are read as text", optBinary, true, "reason", e.Error())
	return true
}

// cellText returns a cell as text, "" for types that no signal has.
func cellText(c *column, cell pgoutput.Column) string {
	if cell.Kind != pgoutput.ColumnBinary {
		return string(cell.Data)
	}
	if c.codec == nil || !c.codec.BinaryOK() {
		return ""
	}
	v, err := c.codec.Binary(connect.NewBatch(1, 1), cell.Data)
	if err != nil {
		return ""
	}
	switch v.Type() {
	case connect.String:
		return string([]byte(v.Text())) // memory of its own
	case connect.Int16, connect.Int32, connect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	}
	return ""
}
