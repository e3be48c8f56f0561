package offline

import (
	"fmt"
	"testing"

	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
)

// TestAheadOfLateness: beside an InfluxDB what a serve may still fire again is left to it, by the
// rules that it runs with.
func TestAheadOfLateness(t *testing.T) {
	const complete event.Time = 20_000 * 24 * event.Hour
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// As a build before has left it, which is read as what an archiver writes.
	key := fmt.Sprintf("_progress/%s-0-%020d.json", engine.EventsTopic, 10)
	text := fmt.Sprintf(`{"version":1,"topic":%q,"partition":0,"partitions":1,"nextOffset":10,"low":%d}`, engine.EventsTopic, complete)
	if err := store.Put(t.Context(), key, []byte(text)); err != nil {
		t.Fatal(err)
	}
	f := func(k window.Kind, before event.Time, want bool) {
		t.Helper()
		s := Use(nil, stores.Set{Lake: store})
		r, err := s.base(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Ahead(k, "a.example", complete-before-k.Length()); got != want {
			t.Errorf("a window of %v that ended %d ms before the archive does: %v, want %v", k, int64(before), got, want)
		}
	}
	f(window.Minute, 0, true)
	f(window.Minute, event.Hour, true)
	f(window.Minute, event.Hour+3*event.Minute, false)
	f(window.Hour, 2*event.Hour, false)
	if err := rules.Leave(t.Context(), store, engine.Rules{Lateness: 6 * event.Hour}); err != nil {
		t.Fatal(err)
	}
	f(window.Minute, event.Hour+3*event.Minute, true)
	f(window.Hour, 6*event.Hour, true)
	f(window.Visits, 6*event.Hour, true)
	f(window.Minute, 6*event.Hour+3*event.Minute, false)
}
