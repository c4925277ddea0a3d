package lint

import (
	"go/ast"
	"regexp"
	"strings"
)

// panics lists the files that may panic, and why: all are defects of the program
// that no input can cause. Everywhere else an error is returned.
var panics = map[string]string{
	"connect/connectjson/connectjson.go":           "a schema that is a literal",
	"connectors/source/postgres/literal.go":        "a schema that is a literal",
	"engine/configstore.go":                        "encoding a struct of strings",
	"engine/convert/infer.go":                      "a schema that is a literal",
	"engine/convert/registry.go":                   "a class that the caller has looked up",
	"engine/offsetstore.go":                        "encoding a string",
	"engine/rest/json.go":                          "encoding a struct of strings",
	"test/conformance/converters/generate/main.go": "encoding a string",
	"schemaregistry/protobuf/known.go":             "files that are part of the program",
	"schemaregistry/rest/json.go":                  "encoding a struct of strings",
	"schemaregistry/text.go":                       "reading back the JSON string that NewText wrote",
	"schemaregistry/record.go":                     "encoding a struct of strings",
	"engine/internal/enginetest/connectors.go":     "a connector that panics, for tests",
	"log/topicconfig.go":                           "a table of defaults that contradicts itself",
	"connect/def.go":                               "a wrong declaration of an option is a defect of the program",
	"connect/schema.go":                            "MustStruct is for literals in a program",
	"connect/value.go":                             "a cell read as another type is a connector's defect; a task's panic fails that task (I5)",
}

// prints lists the packages whose standard output is their purpose.
var prints = []string{"cmd/sluice", "internal/demo", "bench"}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

var skips = regexp.MustCompile(`^[tbf]\.(Skip|Skipf|SkipNow)$`)

func checkBanned(s *source) []finding {
	var found []finding
	add := func(n ast.Node, text string) { found = append(found, finding{s.path, s.line(n.Pos()), text}) }
	for _, spec := range s.ast.Imports {
		if spec.Path.Value == `"log"` {
			add(spec, "import log/slog, not log: loggers are handed in")
		}
	}
	for _, group := range s.ast.Comments {
		if unfinished.MatchString(group.Text()) {
			add(group, "unfinished work is no comment; finish it or say nothing")
		}
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				add(n, "no init functions: state is made where it is used")
			}
		case *ast.CallExpr:
			if why := bannedCall(s, callee(n)); why != "" {
				add(n, why)
			}
		}
		return true
	})
	return found
}

// callee returns a call's function as it is written, such as time.Sleep.
func callee(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

func bannedCall(s *source, name string) string {
	_, mayPanic := panics[s.path]
	switch {
	case name == "time.Sleep" && s.isTest():
		return "no sleeps in tests: wait for the condition"
	case skips.MatchString(name) && s.isTest():
		return "no skipped tests: fail, and say what is missing"
	case s.isTest():
		return ""
	case name == "panic" && !mayPanic:
		return "panic outside the allow list: return an error"
	case (strings.HasPrefix(name, "fmt.Print") || name == "print" || name == "println") && !underAny(s.pkg(), prints):
		return "standard output belongs to the command: return it or log it"
	}
	return ""
}
