package postgres

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// The groups of a form.
const (
	groupConnection  = "Connection"
	groupReplication = "Replication"
	groupFilters     = "Filters"
	groupSnapshot    = "Snapshot"
	groupSignals     = "Signals and Notifications"
	groupTopics      = "Topics"
	groupTypes       = "Types"
	groupRecords     = "Records"
	groupUnused      = "Without Effect"
)

// group gives the options of one group their group, and a width by their type
// where none is given.
func group(name string, options ...connect.Option) []connect.Option {
	for i := range options {
		o := &options[i]
		o.Group = name
		if o.Width == connect.WidthNone {
			o.Width = widthOf(o.Var)
		}
	}
	return options
}

func widthOf(target any) connect.Width {
	switch target.(type) {
	case *[]string:
		return connect.WidthLong
	case *string, *connect.Secret:
		return connect.WidthMedium
	}
	return connect.WidthShort
}

// atLeast is the check of a number's option.
func atLeast[T int | int16 | int64 | time.Duration](v *T, lowest T) func() error {
	return func() error {
		if *v >= lowest {
			return nil
		}
		if d, ok := any(lowest).(time.Duration); ok {
			return fmt.Errorf("it must be at least %d", d.Milliseconds())
		}
		return fmt.Errorf("it must be at least %d", lowest)
	}
}

// refuse is the check of an option whose feature needs code of the user's in Java.
func refuse(value *string, remedy string) func() error {
	return func() error {
		if *value == "" {
			return nil
		}
		return errors.New(remedy)
	}
}
