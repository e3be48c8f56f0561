package millrace_test

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "millrace"

// leaves import nothing of Millrace but each other, downwards; everything may import them.
var leaves = []string{"engine/event", "engine/sketch", "engine/wire", "engine/window", "engine/delta", "engine/visit", "engine/dedup"}

// imports is the import table: what each part may import of Millrace. A part is a folder with all below it that is no part
// itself; a part may always import itself. internal may be imported by all but the leaves.
//
// The middle parts (engine, state, ingest, emit, query) are not in each other's rows: each declares the two or three
// methods it needs of another, and cmd plugs them together.
var imports = map[string][]string{
	"engine/event":  nil,
	"engine/sketch": nil,
	"engine/wire":   nil,
	"engine/window": {"engine/event", "engine/sketch", "engine/wire"},
	"engine/delta":  {"engine/event", "engine/sketch", "engine/window", "engine/wire"},
	"engine/visit":  {"engine/event", "engine/sketch", "engine/window", "engine/wire"},
	"engine/dedup":  {"engine/event", "engine/wire"},

	"engine/facts":  {"internal"},
	"engine":        {"engine/facts", "internal"},
	"engine/replay": {"engine", "engine/facts", "internal"},
	"state":         {"internal"},
	"ingest":        {"internal"},
	"emit/influx":   {"internal"},
	"emit/local":    {"internal"},
	"emit/parquet":  {"internal"},
	"query":         {"internal"},
	"query/influx":  {"internal"},
	"internal":      nil,

	"bench": {"engine", "engine/facts", "engine/replay", "state", "ingest", "emit/influx", "emit/local", "emit/parquet", "query", "query/influx", "internal"},
	"cmd":   {"engine", "engine/facts", "engine/replay", "state", "ingest", "emit/influx", "emit/local", "emit/parquet", "query", "query/influx", "internal", "bench"},
}

// partOf returns the part a package belongs to, "" if it is in none.
func partOf(pkg string) string {
	for ; pkg != "."; pkg = path.Dir(pkg) {
		if _, ok := imports[pkg]; ok {
			return pkg
		}
	}
	return ""
}

func mayImport(from, to string) bool {
	return from == to || slices.Contains(imports[from], to) ||
		(slices.Contains(leaves, to) && !slices.Contains(leaves, from))
}

// TestImports holds the import table of the code. Tests may import what they like, except that nothing imports cmd.
func TestImports(t *testing.T) {
	checked := 0
	eachGoFile(t, func(file string, f *ast.File) {
		pkg := filepath.ToSlash(filepath.Dir(file))
		from := partOf(pkg)
		if from == "" && pkg != "." {
			t.Errorf("%s: the folder is in no row of the import table", file)
			return
		}
		test := strings.HasSuffix(file, "_test.go")
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			target, ours := strings.CutPrefix(name, module+"/")
			if !ours {
				continue
			}
			checked++
			to := partOf(target)
			if test && to != "cmd" && to != "" || mayImport(from, to) {
				continue
			}
			t.Errorf("%s imports %s: %q may not import %q", file, target, from, to)
		}
	})
	if checked < 20 {
		t.Errorf("only %d imports were looked at: does the test see the code?", checked)
	}
}

// TestPackageDocs wants a doc.go with a package comment in each package. A helper program may have its comment anywhere.
func TestPackageDocs(t *testing.T) {
	documented, packages := map[string]bool{}, map[string]bool{}
	eachGoFile(t, func(file string, f *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		dir := filepath.Dir(file)
		packages[dir] = true
		if f.Doc != nil && (filepath.Base(file) == "doc.go" || f.Name.Name == "main") {
			documented[dir] = true
		}
	})
	for dir := range packages {
		if !documented[dir] {
			t.Errorf("%s has no doc.go with a package comment", dir)
		}
	}
}

// eachGoFile parses the imports and the package comment of every Go file of the module.
func eachGoFile(t *testing.T, fn func(file string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); file != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || nestedModule(file)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		if !ignored(f) {
			fn(file, f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// nestedModule tells whether the folder is a module of its own.
func nestedModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// ignored tells whether a file is marked "//go:build ignore": a program beside a package.
func ignored(f *ast.File) bool {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if expr, err := constraint.Parse(c.Text); err == nil && expr.String() == "ignore" {
				return true
			}
		}
	}
	return false
}
