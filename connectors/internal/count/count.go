// Package count is what sources share that invent their records: each task counts
// in a source partition of its own, and partition and offset are objects of one
// number, as {"task.id":0} and {"current.iteration":17}.
package count

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// Fields are the names of the number of a partition and of an offset.
type Fields struct{ Partition, Offset string }

// Check returns what is wrong with marks that are to be set. One without an offset
// passes whatever its partition is, so that rubbish can be removed.
func (f Fields) Check(marks []connect.Mark) error {
	for _, m := range marks {
		if m.Offset == nil {
			continue
		}
		if _, err := Number(m.Partition, f.Partition); err != nil {
			return fmt.Errorf("the partition: %w", err)
		}
		if _, err := Number(m.Offset, f.Offset); err != nil {
			return fmt.Errorf("the offset: %w", err)
		}
	}
	return nil
}

// Number returns a field of a partition or an offset, which must be a number from 0
// on. Other fields are left alone: the original connectors have some.
func Number(object json.RawMessage, field string) (int64, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return 0, fmt.Errorf("read %.80s: %w", object, err)
	}
	n, err := strconv.ParseInt(string(fields[field]), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%.80s needs the field %q with a number from 0 on", object, field)
	}
	return n, nil
}

// Object returns a partition or an offset.
func Object(field string, n int64) json.RawMessage {
	return append(strconv.AppendInt([]byte(`{"`+field+`":`), n, 10), '}')
}

// Tasks are the settings of tasks that differ in nothing but their number.
func Tasks(n int) []map[string]string {
	tasks := make([]map[string]string, n)
	for i := range tasks {
		tasks[i] = map[string]string{}
	}
	return tasks
}
