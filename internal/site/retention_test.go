package site

import (
	"path/filepath"
	"testing"
	"time"

	"millrace/engine/event"
)

// TestKeptFrom: numbers are kept of so many days before the site's own today.
func TestKeptFrom(t *testing.T) {
	s := mustRead(t, Config{File: mustWriteFile(t, filepath.Join(t.TempDir(), "sites.yaml"),
		"any_site: true\ndefaults: {retention: 30d}\nsites:\n  a.example: {time_zone: Europe/Berlin, retention: 1d}\n"+
			"  b.example: {retention: forever}\n  c.example: {time_zone: America/New_York, retention: 8d}\n")})
	f := func(id, now, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		var from event.Time
		if want != "" {
			first, err := time.Parse(time.RFC3339, want)
			if err != nil {
				t.Fatal(err)
			}
			from = event.TimeOf(first)
		}
		if got := s.KeptFrom(id, at); got != from {
			t.Errorf("%s at %s: kept from %s, want %s", id, now, got, from)
		}
	}
	f("a.example", "2026-07-15T21:59:59Z", "2026-07-14T00:00:00+02:00")
	f("a.example", "2026-07-15T22:00:00Z", "2026-07-15T00:00:00+02:00") // its midnight
	f("b.example", "2026-07-15T12:00:00Z", "")
	f("c.example", "2026-11-05T12:00:00Z", "2026-10-28T00:00:00-04:00") // summer time has ended since
	f("other.example", "2026-07-15T00:00:00Z", "2026-06-15T00:00:00Z")
	if !s.Expire() || mustRead(t, Config{Sites: []string{"a.example"}}).Expire() {
		t.Error("which sites expire")
	}
}
