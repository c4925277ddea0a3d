package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/schemaregistry"
)

// maxExportLine bounds a line of an export: a schema is at most a record, and JSON may escape each byte.
const maxExportLine = 8 << 20

// restoreTimeout bounds a change of a subject's mode behind an import.
const restoreTimeout = 10 * time.Second

// schemaExport prints versions in an order in which they can be imported.
func schemaExport(c *schemaCall) error {
	if err := c.want(0, 1); err != nil {
		return err
	}
	all, err := c.versions()
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b versionJSON) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Subject, b.Subject), a.Version-b.Version)
	})
	out := bufio.NewWriter(c.stdout)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for _, v := range inOrder(all) {
		if err := lines.Encode(v); err != nil {
			return err
		}
	}
	subjects := make(map[string]bool)
	for _, v := range all {
		subjects[v.Subject] = true
	}
	for _, subject := range slices.Sorted(maps.Keys(subjects)) {
		if err := c.exportConfig(lines, subject); err != nil {
			return err
		}
	}
	if c.global {
		if err := c.exportConfig(lines, ""); err != nil {
			return err
		}
	}
	return out.Flush()
}

// inOrder has each version behind those that it refers to, which may have higher ids: each context counts its own, and an import takes any.
func inOrder(all []versionJSON) (ordered []versionJSON) {
	key := func(subject string, version int) string { return subject + " " + strconv.Itoa(version) }
	at := make(map[string]int, len(all))
	for i, v := range all {
		at[key(v.Subject, v.Version)] = i
	}
	taken := make([]bool, len(all))
	var take func(i int)
	take = func(i int) {
		if taken[i] {
			return
		}
		taken[i] = true
		v := schemaregistry.Version{Name: schemaregistry.ParseName(all[i].Subject)}
		_ = json.Unmarshal(all[i].References, &v.References) // what cannot be read is refused where it is imported
		for _, ref := range v.QualifiedReferences() {
			if j, ok := at[key(ref.Subject, ref.Version)]; ok {
				take(j)
			}
		}
		ordered = append(ordered, all[i])
	}
	for i := range all {
		take(i)
	}
	return ordered
}

// configJSON is a line with the settings of a subject, or of all that have none.
type configJSON struct {
	Subject string         `json:"subject,omitempty"`
	Config  map[string]any `json:"config"`
}

// configPath is where the settings of a subject are, "" for those of all.
func configPath(subject string) string {
	if subject == "" {
		return "/config"
	}
	return "/config/" + url.PathEscape(subject)
}

// exportConfig prints the settings of a subject if it has any, in the form in which they are set.
func (c *schemaCall) exportConfig(lines *json.Encoder, subject string) error {
	config := make(map[string]any)
	err := c.client.Do(c.ctx, "GET", configPath(subject), nil, &config)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the settings of subject %s: %w", subject, err)
	}
	if level, ok := config["compatibilityLevel"]; ok { // its other name in answers
		config["compatibility"] = level
		delete(config, "compatibilityLevel")
	}
	return lines.Encode(configJSON{subject, config})
}

// importConfigs sets settings. Those of all subjects are taken over only when that is asked for.
func (c *schemaCall) importConfigs(configs []configJSON) (n int, err error) {
	for _, config := range configs {
		if config.Subject == "" && !c.global {
			continue
		}
		if err := c.client.Do(c.ctx, "PUT", configPath(config.Subject), config.Config, nil); err != nil {
			return n, fmt.Errorf("import the settings of subject %s: %w", config.Subject, err)
		}
		n++
	}
	return n, nil
}

// schemaImport registers versions under their ids. Subjects are in mode IMPORT meanwhile, and get back what they had.
func schemaImport(c *schemaCall) (err error) {
	if err := c.want(1, 1); err != nil {
		return err
	}
	all, configs, err := readExport(c.args[0])
	if err != nil {
		return err
	}
	modes := make(map[string]*sr.Mode) // what each subject had; nil for none of its own
	defer func() {
		for subject, mode := range modes {
			err = errors.Join(err, c.restoreMode(subject, mode))
		}
	}()
	for _, v := range inOrder(all) {
		if _, ok := modes[v.Subject]; !ok {
			if modes[v.Subject], err = c.importMode(v.Subject); err != nil {
				delete(modes, v.Subject)
				return err
			}
		}
		if err := c.importVersion(v); err != nil {
			return fmt.Errorf("import version %d of subject %s: %w", v.Version, v.Subject, err)
		}
	}
	set, err := c.importConfigs(configs)
	if err == nil {
		fmt.Fprintf(c.stdout, "%d versions of %d subjects were imported, and %d settings\n", len(all), len(modes), set)
	}
	return err
}

func readExport(path string) (all []versionJSON, configs []configJSON, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read export: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxExportLine)
	for n := 1; lines.Scan(); n++ {
		var config configJSON
		if json.Unmarshal(lines.Bytes(), &config) == nil && config.Config != nil {
			configs = append(configs, config)
			continue
		}
		var v versionJSON
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil || v.Subject == "" || v.ID < 1 || v.Version < 1 {
			return nil, nil, fmt.Errorf("%s line %d: it is not an exported version with subject, version and id", path, n)
		}
		all = append(all, v)
	}
	return all, configs, lines.Err()
}

// importMode prepares a subject and returns the mode that it had.
func (c *schemaCall) importMode(subject string) (*sr.Mode, error) {
	had := c.client.Mode(c.ctx, subject)[0]
	if had.Err != nil && !notFound(had.Err) {
		return nil, had.Err
	}
	ctx := c.ctx
	if c.forced {
		ctx = c.params(sr.Force)
	}
	set := c.client.SetMode(ctx, sr.ModeImport, subject)[0]
	if set.Err != nil {
		return nil, fmt.Errorf("set mode IMPORT for subject %s (--force imports into subjects that have schemas): %w", subject, set.Err)
	}
	if had.Err != nil {
		return nil, nil
	}
	return &had.Mode, nil
}

// restoreMode also does so when the command was interrupted: a subject that stays in mode IMPORT takes no schemas of others.
func (c *schemaCall) restoreMode(subject string, had *sr.Mode) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), restoreTimeout)
	defer cancel()
	if had == nil {
		err = c.client.ResetMode(ctx, subject)[0].Err
	} else {
		err = c.client.SetMode(ctx, *had, subject)[0].Err
	}
	if err != nil {
		return fmt.Errorf("subject %s stays in mode IMPORT: %w; set its mode by PUT /mode/%s", subject, err, url.PathEscape(subject))
	}
	return nil
}

func (c *schemaCall) importVersion(v versionJSON) error {
	path := "/subjects/" + url.PathEscape(v.Subject) + "/versions"
	if err := c.client.Do(c.ctx, "POST", path, v, nil); err != nil {
		return err
	}
	if !v.Deleted {
		return nil
	}
	err := c.client.Do(c.ctx, "DELETE", path+"/"+strconv.Itoa(v.Version), nil, nil)
	var e *sr.ResponseError
	if errors.As(err, &e) && e.ErrorCode == schemaregistry.CodeVersionSoftDeleted {
		return nil
	}
	return err
}
