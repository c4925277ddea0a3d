package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluice-data/sluice/engine/transform"
)

const transformsIntro = `# Transforms and predicates

Generated from the definitions in the code by ` + "`make docs`" + `: do not edit.

A connector names its transforms in ` + "`transforms`" + ` and its predicates in ` + "`predicates`" + `. The options below stand behind
` + "`transforms.<alias>.`" + ` or ` + "`predicates.<alias>.`" + `, beside ` + "`type`" + `, which is the class. A transform also has ` + "`predicate`" + `, the alias of the
predicate that chooses its records, and ` + "`negate`" + `, for those that it does not hold for.
`

// writeTransforms writes a section for each transform and predicate.
func writeTransforms(w io.Writer) error {
	var b strings.Builder
	b.WriteString(transformsIntro)
	for _, p := range transform.Plugins() {
		fmt.Fprintf(&b, "\n## %s (%s)\n\n%s\n", p.Class, p.Kind, p.Doc)
		options := p.Options()
		if len(options) == 0 {
			continue
		}
		b.WriteString("\n| Option | Type | Default | Meaning |\n|---|---|---|---|\n")
		for i := range options {
			option(&b, &options[i])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
