package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module's folder, seen from this package.
const root = "../.."

// A source is one parsed Go file of the module.
type source struct {
	path string // slash-separated, relative to the module's folder
	fset *token.FileSet
	ast  *ast.File
	text string
}

func (s *source) pkg() string          { return path.Dir(s.path) }
func (s *source) isTest() bool         { return strings.HasSuffix(s.path, "_test.go") }
func (s *source) line(p token.Pos) int { return s.fset.Position(p).Line }

// parse makes a source of a file's text.
func parse(name, text string) (*source, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	return &source{path: name, fset: fset, ast: f, text: text}, err
}

// sources parses every Go file of the module that is not under testdata.
func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(p) != ".go" {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(rel), string(text))
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d Go files, want the whole module", len(all))
	}
	return all
}

// A finding is a broken rule at a line of a file.
type finding struct {
	path string
	line int
	text string
}

// rules are checked file by file.
var rules = map[string]func(*source) []finding{
	"imports":   checkImports,
	"banned":    checkBanned,
	"documents": checkDocs,
	"sizes":     checkSizes,
}

func TestRules(t *testing.T) {
	all := sources(t)
	for name, check := range rules {
		t.Run(name, func(t *testing.T) {
			for _, s := range all {
				for _, f := range check(s) {
					t.Errorf("%s:%d: %s", f.path, f.line, f.text)
				}
			}
		})
	}
}

// TestPackageComments wants one package comment in every package that is not
// only tests.
func TestPackageComments(t *testing.T) {
	has := map[string]bool{}
	for _, s := range sources(t) {
		if !s.isTest() {
			has[s.pkg()] = has[s.pkg()] || s.ast.Doc != nil
		}
	}
	for pkg, ok := range has {
		if !ok {
			t.Errorf("%s: no package comment", pkg)
		}
	}
}
