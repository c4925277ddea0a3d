package lint

import (
	"go/ast"
	"go/token"
	"strings"
)

const (
	maxFileLines = 800
	maxFuncLines = 100
)

func checkSizes(s *source) []finding {
	var found []finding
	if n := strings.Count(s.text, "\n"); n > maxFileLines {
		found = append(found, finding{s.path, n, "the file is longer than 800 lines"})
	}
	for _, d := range s.ast.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && s.line(f.End())-s.line(f.Pos()) > maxFuncLines {
			found = append(found, finding{s.path, s.line(f.Pos()), f.Name.Name + " is longer than 100 lines"})
		}
	}
	return found
}

func checkDocs(s *source) []finding {
	if s.isTest() {
		return nil
	}
	var found []finding
	want := func(n ast.Node, name string, docs ...*ast.CommentGroup) {
		if !ast.IsExported(name) {
			return
		}
		for _, d := range docs {
			if d != nil {
				return
			}
		}
		found = append(found, finding{s.path, s.line(n.Pos()), "exported " + name + " has no comment"})
	}
	for _, d := range s.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if public(d) {
				want(d, d.Name.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				wantSpec(want, d, spec)
			}
		}
	}
	return found
}

// wantSpec wants a comment at a type, and at a constant or variable or the
// group that it stands in.
func wantSpec(want func(ast.Node, string, ...*ast.CommentGroup), d *ast.GenDecl, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		doc := d.Doc
		if d.Lparen != token.NoPos {
			doc = nil
		}
		want(spec, spec.Name.Name, doc, spec.Doc, spec.Comment)
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			want(spec, name.Name, d.Doc, spec.Doc, spec.Comment)
		}
	}
}

// standard methods say with their names what they do.
var standard = map[string]bool{"String": true, "Error": true, "Unwrap": true, "Is": true, "Len": true, "Less": true, "Swap": true}

// public reports whether a function, or a method and its receiver, is exported.
func public(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return f.Name.IsExported()
	}
	t := f.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if g, ok := t.(*ast.IndexExpr); ok {
		t = g.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported() && f.Name.IsExported() && !standard[f.Name.Name]
}
