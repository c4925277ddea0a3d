package lint

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sections are the headings of docs/compatibility.md with the folder of tests that
// are named without one.
var sections = map[string]string{"## Broker": "test/clients", "## Worker": "engine", "## S3 sink": "connectors/sink/s3"}

// namedTest matches a test on that page: a folder, from the root or from the
// section's, the function, a subtest.
var namedTest = regexp.MustCompile("`(?:([a-z0-9/]+) )?(Test\\w+)(?:/([^`]+))?`")

// TestNamedTestsExist wants every test that docs/compatibility.md names to exist.
func TestNamedTestsExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	all, folder, found := testsOf(sources(t)), "", 0
	for n, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "## ") {
			folder = sections[line]
		}
		for _, m := range namedTest.FindAllStringSubmatch(line, -1) {
			found++
			if !slices.ContainsFunc([]string{m[1], path.Join(folder, m[1])}, func(dir string) bool { return all[dir].has(m[2], m[3]) }) {
				t.Errorf("docs/compatibility.md:%d: there is no test %s", n+1, m[0])
			}
		}
	}
	if found < 100 {
		t.Errorf("found %d tests on the page", found)
	}
}

// tests are what one folder has of tests.
type tests struct {
	functions map[string]bool
	literals  []string // as the names of subtests have them
	folder    string
}

func testsOf(all []*source) map[string]*tests {
	byFolder := make(map[string]*tests)
	for _, s := range all {
		if !s.isTest() {
			continue
		}
		in := byFolder[s.pkg()]
		if in == nil {
			in = &tests{functions: make(map[string]bool), folder: s.pkg()}
			byFolder[s.pkg()] = in
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				in.functions[n.Name.Name] = n.Recv == nil
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && len(text) > 2 {
					in.literals = append(in.literals, strings.ReplaceAll(text, " ", "_"))
				}
			}
			return true
		})
	}
	return byFolder
}

// has tells whether a test function is there, and for a subtest a string or a file
// of testdata with its name, or a string that begins it.
func (t *tests) has(function, subtest string) bool {
	if t == nil || !t.functions[function] {
		return false
	}
	if subtest == "" || slices.ContainsFunc(t.literals, func(l string) bool { return l == subtest || strings.HasSuffix(l, "_") && strings.HasPrefix(subtest, l) }) {
		return true
	}
	return slices.ContainsFunc([]string{subtest + ".txt", "golden/" + subtest + ".txt.gz"}, func(file string) bool {
		_, err := os.Stat(filepath.Join(root, t.folder, "testdata", file))
		return err == nil
	})
}
