// Command docgen writes the reference of the built-in connectors from their
// definitions, with the argument transforms that of transforms and predicates, with
// options that of the options that every connector has, with converters that of
// converters: `make docs` puts them into docs/connectors.md, docs/transforms.md,
// docs/options.md and docs/converters.md.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connectors"
)

func main() {
	page := func(w io.Writer) error { return write(w, connectors.Plugins()) }
	switch {
	case len(os.Args) > 1 && os.Args[1] == "transforms":
		page = writeTransforms
	case len(os.Args) > 1 && os.Args[1] == "options":
		page = writeOptions
	case len(os.Args) > 1 && os.Args[1] == "converters":
		page = writeConverters
	}
	if err := page(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

const intro = `# Connectors

Generated from the definitions in the code by ` + "`make docs`" + `: do not edit.
`

// write writes a section for each plugin.
func write(w io.Writer, plugins []connect.Spec) error {
	var b strings.Builder
	b.WriteString(intro)
	for _, spec := range plugins {
		plugin(&b, spec)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func plugin(b *strings.Builder, spec connect.Spec) {
	config := spec.New()
	kind := "sink"
	if _, ok := config.(connect.SourceConfig); ok {
		kind = "source"
	}
	fmt.Fprintf(b, "\n## %s (%s)\n\n%s\n\n", spec.Class, kind, spec.Doc)
	for _, alias := range spec.Aliases {
		fmt.Fprintf(b, "Stands in for `%s`.\n", alias)
	}
	var d connect.Def
	config.Define(&d)
	for _, group := range groups(d.Options()) {
		fmt.Fprintf(b, "\n### %s\n\n| Option | Type | Default | Meaning |\n|---|---|---|---|\n", group)
		for _, o := range d.Options() {
			if o.Group == group {
				option(b, &o)
			}
		}
	}
}

// groups returns the groups in the order in which they come first.
func groups(options []connect.Option) []string {
	var names []string
	for _, o := range options {
		if !slices.Contains(names, o.Group) {
			names = append(names, o.Group)
		}
	}
	return names
}

func option(b *strings.Builder, o *connect.Option) {
	def := "`" + o.Default + "`"
	switch {
	case o.Required:
		def = "required"
	case o.NoDefault || o.Default == "":
		def = ""
	}
	text := o.Doc
	if len(o.OneOf) > 0 {
		text += " One of `" + strings.Join(o.OneOf, "`, `") + "`."
	}
	if len(o.Aliases) > 0 {
		text += " Older: `" + strings.Join(o.Aliases, "`, `") + "`."
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", o.Name, o.Type(), def, cell(text))
}

// cell makes text fit into a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}
