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
var leaves = []string{"engine/event", "engine/sketch", "engine/wire", "engine/window", "engine/delta", "engine/visit", "engine/dedup", "engine/hits"}

// imports is the import table: what each part may import of Millrace. A part is a folder with all below it that is no part
// itself; a part may always import itself. internal may be imported by all but the leaves.
//
// The middle parts (engine, state, ingest, emit, query) are not in each other's rows: each declares the two or three
// methods it needs of another, and cmd plugs them together.
var imports = map[string][]string{
	"engine/wire":   nil,
	"engine/event":  {"engine/wire"},
	"engine/sketch": nil,
	"engine/window": {"engine/event", "engine/sketch", "engine/wire"},
	"engine/delta":  {"engine/event", "engine/sketch", "engine/window", "engine/wire"},
	"engine/visit":  {"engine/event", "engine/sketch", "engine/window", "engine/wire"},
	"engine/dedup":  {"engine/event", "engine/wire"},
	"engine/hits":   {"engine/event", "engine/visit", "engine/window"},

	"engine/enrich": {"internal"},
	"engine":        {"engine/enrich", "internal"},
	"engine/replay": {"engine", "engine/enrich", "internal"},
	"state":         {"internal"},

	"ingest/identity": {"internal"},
	"ingest/geo":      {"ingest/identity", "internal"},
	"ingest/salt":     {"ingest/identity", "internal"},
	"ingest/protocol": {"ingest/identity", "internal"},
	"ingest/arrivals": {"ingest/protocol", "internal"},
	"ingest/client":   nil, // other programs import it
	"ingest/spool":    nil,
	"ingest":          {"ingest/arrivals", "ingest/identity", "ingest/protocol", "ingest/spool", "internal"},
	"ingest/importer": {"ingest/identity", "ingest/protocol", "internal"},

	"emit":            {"internal"},
	"emit/influx":     {"emit", "internal"},
	"emit/local":      {"emit", "internal"},
	"emit/lake":       {"internal"},
	"emit/readertest": {"query", "query/statsapi", "internal"},
	"query":           {"internal"},
	"query/statsapi":  {"query", "internal"},
	"internal":        nil,

	"bench":        append(slices.Clone(middle), "internal"),
	"bench/verify": append(slices.Clone(middle), "bench", "internal"),
	"cmd":          append(slices.Clone(middle), "bench", "internal"),

	"cmd/millrace-verify": append(slices.Clone(middle), "bench", "bench/verify", "cmd", "internal"),
}

// middle are the parts between the leaves and the programs.
var middle = []string{
	"engine", "engine/enrich", "engine/replay", "state", "ingest", "ingest/identity", "ingest/protocol", "ingest/spool", "ingest/geo", "ingest/salt",
	"ingest/importer", "emit", "emit/influx", "emit/local", "emit/lake", "query", "query/statsapi",
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

// TestBinary holds that nothing that proves or tests is linked into the program that users run: no harness of
// bench/verify, no server that a test starts, and no package that knows package testing.
func TestBinary(t *testing.T) {
	imported := map[string][]string{} // packages of the module and what else they import, by folder
	eachGoFile(t, func(file string, f *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imported[pkg] = append(imported[pkg], name)
		}
	})
	linked := map[string]bool{}
	var link func(pkg string)
	link = func(pkg string) {
		if linked[pkg] {
			return
		}
		linked[pkg] = true
		for _, name := range imported[pkg] {
			if name == "testing" {
				t.Errorf("%s is linked into cmd/millrace and imports testing", pkg)
			}
			if target, ours := strings.CutPrefix(name, module+"/"); ours {
				link(target)
			}
		}
	}
	link("cmd/millrace")
	for pkg := range linked {
		if partOf(pkg) == "bench/verify" || strings.HasSuffix(pkg, "test") || strings.HasPrefix(pkg, "internal/services") {
			t.Errorf("%s is linked into cmd/millrace", pkg)
		}
	}
	if !linked["engine"] || !linked["bench"] {
		t.Errorf("%d packages are linked into cmd/millrace: does the test see the code?", len(linked))
	}
}

// TestProtocols: by name a protocol is known to the list of them alone, and Millrace's own to the
// importer too, which reads its events from files. The list is known to programs, and to what kills
// a collector.
func TestProtocols(t *testing.T) {
	const folder, list = "ingest/protocol/", "ingest/protocol/all"
	checked := 0
	eachGoFile(t, func(file string, f *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			target, ours := strings.CutPrefix(name, module+"/")
			switch {
			case !ours || !strings.HasPrefix(target, folder):
				continue
			case pkg == list, pkg == "ingest/importer" && target == folder+"v1", target == list && (partOf(pkg) == "cmd" || partOf(pkg) == "bench/verify"):
				checked++
				continue
			}
			t.Errorf("%s imports %s", file, target)
		}
	})
	if checked < 5 {
		t.Errorf("only %d imports of protocols were looked at: does the test see the code?", checked)
	}
}

// TestProtocolTests: the tests of a protocol link no collector, which costs more than all that they
// test; their scripts are played by those of the list.
func TestProtocolTests(t *testing.T) {
	const folder, list = "ingest/protocol/", "ingest/protocol/all"
	checked := 0
	eachGoFile(t, func(file string, f *ast.File) {
		pkg := filepath.ToSlash(filepath.Dir(file))
		if !strings.HasPrefix(pkg, folder) || pkg == list {
			return
		}
		checked++
		for _, spec := range f.Imports {
			if name, err := strconv.Unquote(spec.Path.Value); err != nil || name == module+"/ingest" || name == module+"/"+list {
				t.Errorf("%s imports %s (%v): what needs a collector is a script, see %s", file, name, err, list)
			}
		}
	})
	if checked < 40 {
		t.Errorf("only %d files of protocols were looked at: does the test see the code?", checked)
	}
}

// TestClient: the package for other programs brings nothing along but the standard library, and no
// part of Millrace is written for it.
func TestClient(t *testing.T) {
	checked := 0
	eachGoFile(t, func(file string, f *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		ours := filepath.ToSlash(filepath.Dir(file)) == "ingest/client"
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(name, "/")
			if ours && (strings.Contains(first, ".") || first == module) || !ours && name == module+"/ingest/client" {
				t.Errorf("%s imports %s", file, name)
			}
			if ours {
				checked++
			}
		}
	})
	if checked < 5 {
		t.Errorf("only %d imports of the client were looked at: does the test see the code?", checked)
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
