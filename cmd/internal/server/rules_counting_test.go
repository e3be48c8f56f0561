package server_test

import (
	"testing"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/rules"
	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
)

// TestCounting: since when an archive is counted by what it is, over restarts and changes.
func TestCounting(t *testing.T) {
	store := mustStore(t)
	open := func() *datadir.Dir {
		dir, err := datadir.Open(t.TempDir())
		must(t, err)
		t.Cleanup(func() { must(t, dir.Close()) })
		return dir
	}
	one, two := open(), open()
	f := func(dir *datadir.Dir, by string, r engine.Rules, now, want event.Time) {
		t.Helper()
		must(t, rules.LeaveCounting(t.Context(), store, dir, by, r, now))
		if c, found, err := rules.LoadCounting(t.Context(), store); err != nil || !found || c.By != by || c.Since != want {
			t.Errorf("%+v, %v, %v; want %s since %d", c, found, err, by, want)
		}
	}
	plain, late := engine.Rules{}, engine.Rules{Lateness: 2 * event.Hour}
	f(one, "a", plain, 100, 0) // the archive is empty
	f(two, "a", plain, 110, 0)
	f(one, "a", plain, 120, 0) // a restart
	f(one, "b", plain, 130, 130)
	f(two, "b", plain, 140, 140) // it has counted by the other until now
	f(one, "b", plain, 150, 140)
	f(one, "b", late, 160, 160)
	f(two, "b", late, 170, 170)
	f(open(), "b", late, 180, 170) // a process more
	must(t, lake.PutNote(t.Context(), store, "counting", "damaged"))
	f(one, "b", late, 190, 190)
	// An archive that was filled before anything was left with it may be of any build.
	store = mustStore(t)
	must(t, lake.NewImporter(store, "import-r0102030405ab").Close(t.Context()))
	f(open(), "b", late, 200, 200)
}
