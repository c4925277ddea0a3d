package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/schemaregistry"
)

// errIncompatible ends a command that has found schemas that do not get along, and has said so.
var errIncompatible = errors.New("schemas are not compatible")

// schemaCheck tells whether a schema could be the next version.
func schemaCheck(c *schemaCall) error {
	if err := c.want(2, 1000); err != nil {
		return err
	}
	if !c.files() {
		return c.checkSubject()
	}
	level, err := schemaregistry.ParseCompatibility(c.level)
	if err != nil {
		return usageError{err}
	}
	p, parsed, err := c.parseFiles(c.args...)
	if err != nil {
		return err
	}
	earlier := parsed[1:]
	if !level.Transitive() {
		earlier = earlier[len(earlier)-1:]
	}
	for i := len(earlier) - 1; i >= 0; i-- {
		found, err := schemaregistry.Differences(p, level, parsed[0], earlier[i])
		if err != nil {
			return err
		}
		if len(found) > 0 {
			fmt.Fprintf(c.stdout, "%s is not compatible with %s at level %s\n", c.args[0], c.args[len(c.args)-len(earlier)+i], level)
			explain(c.stdout, found)
			return errIncompatible
		}
	}
	fmt.Fprintf(c.stdout, "%s is compatible at level %s\n", c.args[0], level)
	return nil
}

// checkSubject asks the registry.
func (c *schemaCall) checkSubject() error {
	if err := c.want(2, 2); err != nil {
		return err
	}
	s, err := c.fromFile(c.args[1])
	if err != nil {
		return err
	}
	v, err := c.client.CheckCompatibility(c.params(sr.Verbose), c.args[0], -2, s)
	switch {
	case err != nil:
		return err
	case v.Is:
		fmt.Fprintf(c.stdout, "%s could be the next version of %s\n", c.args[1], c.args[0])
		return nil
	}
	fmt.Fprintf(c.stdout, "%s is not compatible with %s\n", c.args[1], c.args[0])
	for _, m := range v.Messages {
		fmt.Fprintln(c.stdout, "  "+m)
	}
	return errIncompatible
}

// explain prints differences, each with what to do about it.
func explain(w io.Writer, found []schemaregistry.Difference) {
	for _, d := range found {
		reader := "readers with the old schema"
		if d.NewReads {
			reader = "readers with the new schema"
		}
		fmt.Fprintf(w, "  %s: %s at %s\n    %s\n", reader, d.Type, d.Path, d.Fix)
	}
}

// schemaDiff compares two versions in both directions.
func schemaDiff(c *schemaCall) error {
	if err := c.want(2, 3); err != nil {
		return err
	}
	p, older, newer, err := c.pair()
	if err != nil {
		return err
	}
	found, err := schemaregistry.Differences(p, schemaregistry.Full, newer, older)
	switch {
	case err != nil:
		return err
	case len(found) > 0:
		explain(c.stdout, found)
		return errIncompatible
	case newer.Canonical() == older.Canonical():
		fmt.Fprintln(c.stdout, "the same schema")
	default:
		fmt.Fprintln(c.stdout, "different schemas that read each other's data")
	}
	return nil
}

// pair returns two schemas, of files or of a subject.
func (c *schemaCall) pair() (p schemaregistry.Provider, older, newer schemaregistry.Schema, err error) {
	if len(c.args) == 2 {
		p, both, err := c.parseFiles(c.args[1], c.args[0])
		if err != nil {
			return nil, nil, nil, err
		}
		return p, both[1], both[0], nil
	}
	p, older, err = c.fetch(c.args[0], c.args[1])
	if err != nil {
		return nil, nil, nil, err
	}
	other, newer, err := c.fetch(c.args[0], c.args[2])
	if err == nil && other.Type() != p.Type() {
		err = errTypes
	}
	return p, older, newer, err
}

// schemaSetLevel sets a level, or tells which versions would not have passed it.
func schemaSetLevel(c *schemaCall) error {
	if err := c.want(1, 2); err != nil {
		return err
	}
	level, err := schemaregistry.ParseCompatibility(c.args[0])
	if err != nil {
		return usageError{err}
	}
	c.args = c.args[1:]
	if c.dryRun {
		return c.dryRunLevel(level)
	}
	var l sr.CompatibilityLevel
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return err
	}
	set := c.client.SetCompatibility(c.ctx, sr.SetCompatibility{Level: l}, c.args...)[0]
	if set.Err != nil {
		return set.Err
	}
	fmt.Fprintf(c.stdout, "the level is %s\n", set.Level)
	return nil
}

// dryRunLevel compares the versions of subjects with those before them.
func (c *schemaCall) dryRunLevel(level schemaregistry.Compatibility) error {
	subjects := c.args
	if len(subjects) == 0 {
		var err error
		if subjects, err = c.client.Subjects(c.ctx); err != nil {
			return err
		}
	}
	bad := 0
	for _, subject := range subjects {
		n, err := c.dryRunSubject(level, subject)
		if err != nil {
			return fmt.Errorf("subject %s: %w", subject, err)
		}
		bad += n
	}
	fmt.Fprintf(c.stdout, "%d subjects, %d versions would not have passed level %s\n", len(subjects), bad, level)
	if bad > 0 {
		return errIncompatible
	}
	return nil
}

func (c *schemaCall) dryRunSubject(level schemaregistry.Compatibility, subject string) (bad int, err error) {
	numbers, err := c.client.SubjectVersions(c.ctx, subject)
	if err != nil {
		return 0, err
	}
	var earlier []schemaregistry.Schema
	var types []string
	for i, number := range numbers {
		p, next, err := c.fetch(subject, strconv.Itoa(number))
		if err != nil {
			return bad, err
		}
		for j := len(earlier) - 1; j >= 0 && (j == len(earlier)-1 || level.Transitive()); j-- {
			if types[j] != p.Type() && level != schemaregistry.None {
				fmt.Fprintf(c.stdout, "%s version %d is %s and version %d %s\n", subject, numbers[i], p.Type(), numbers[j], types[j])
				bad++
				break
			}
			found, err := schemaregistry.Differences(p, level, next, earlier[j])
			if err != nil {
				return bad, err
			}
			if len(found) > 0 {
				fmt.Fprintf(c.stdout, "%s version %d would not get along with version %d\n", subject, numbers[i], numbers[j])
				explain(c.stdout, found)
				bad++
				break
			}
		}
		earlier, types = append(earlier, next), append(types, p.Type())
	}
	return bad, nil
}

// notFound tells whether a registry has said that there is none.
func notFound(err error) bool {
	var e *sr.ResponseError
	return errors.As(err, &e) && e.StatusCode == http.StatusNotFound
}
