package clients

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/ingest/protocol"
	"millrace/ingest/protocol/all"
)

// TestDocument holds that docs/trackers.md is Table.
func TestDocument(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "trackers.md")
	if *rewrite {
		if err := os.WriteFile(file, []byte(Document()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Document() {
		t.Error("docs/trackers.md is not what Table says: go test ./bench/verify/clients -rewrite")
	}
}

// TestTable holds that each client is whole: its package is pinned at the version that the table
// names, its script is there, its protocol is one, and no answer is left out.
func TestTable(t *testing.T) {
	pinned := map[string]map[string]string{"node": mustPinned(t, "node"), "browser": mustPinned(t, "browser")}
	for _, p := range Parts() {
		pinned["browser"][p.Name] = p.Version
	}
	scripts := map[string]bool{}
	for _, c := range Table() {
		if want := pinned[c.folder()][c.Name]; c.Version != want {
			t.Errorf("%s: version %q, and %s/package.json has %q", c.Name, c.Version, c.folder(), want)
		}
		if _, err := os.Stat(filepath.Join(c.folder(), c.Script)); err != nil {
			t.Error(err)
		}
		if scripts[c.slug()] {
			t.Errorf("%s: two scripts have the name %s", c.Name, c.slug())
		}
		scripts[c.slug()] = true
		if !slices.ContainsFunc(all.Protocols(), func(p protocol.Protocol) bool { return p.Name == c.Protocol }) {
			t.Errorf("%s: there is no protocol %q", c.Name, c.Protocol)
		}
		for _, a := range Answers() {
			cell, ok := c.Cells[a]
			if !ok {
				t.Errorf("%s: no cell for %s", c.Name, a)
			}
			want := 1
			if cell.Does == Final && a != Lost {
				want = 0
			}
			if c.ID != "" && cell.Counted != want {
				t.Errorf("%s, %s: events with ids are counted %d times, want %d", c.Name, a, cell.Counted, want)
			}
		}
	}
}

// TestLockFile holds that the lock files name the host of no registry.
func TestLockFile(t *testing.T) {
	for _, folder := range []string{"node", "browser", "../chromium/node"} {
		text, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"resolved"`) {
			t.Errorf(`%s/package-lock.json has "resolved": make it with npm install --omit-lockfile-registry-resolved`, folder)
		}
	}
}

// mustPinned returns the versions of a folder's package.json.
func mustPinned(t *testing.T, folder string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatalf("%s/package.json: %v", folder, err)
	}
	return p.Dependencies
}
