package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"millrace/internal/site"
)

// TestGoalsOf: a process that only answers queries, and was given no goals, does not know of any
// that there are none.
func TestGoalsOf(t *testing.T) {
	f := func(file string, counts, known bool, want ...string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "sites.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		sites, _, err := site.NewSource(site.Config{File: path, Listen: "127.0.0.1:0"}).Read()
		if err != nil {
			t.Fatal(err)
		}
		goals := goalsOf(newLiveSites(&AccessOptions{Sites: sites}, slog.New(slog.DiscardHandler)), counts)
		if (goals != nil) != known {
			t.Fatalf("%s, counts %v: known %v, want %v", file, counts, goals != nil, known)
		}
		if known && !slices.Equal(goals("a.example"), want) {
			t.Errorf("%s: %q, want %q", file, goals("a.example"), want)
		}
	}
	const none, one = "sites: {a.example: {}}", "sites: {a.example: {goals: [{name: Order, event: purchase}]}}"
	f(none, false, false)
	f(none, true, true)
	f(one, false, true, "Order")
	f(one, true, true, "Order")
}
