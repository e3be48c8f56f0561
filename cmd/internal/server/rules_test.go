package server

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/engine/event"
)

// TestLeaveRules: a process that counts for another one's archive leaves its rules there, and one
// that has no archive does not make one.
func TestLeaveRules(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "lake")
	f := func(of []string, s3 string, lateness time.Duration, want event.Time) {
		t.Helper()
		s := newServer(Options{Roles: of, S3: s3, Engine: EngineOptions{Grace: time.Second, Lateness: lateness}, Log: slog.New(slog.DiscardHandler)})
		if err := s.leaveRules(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		store, err := stores.OpenLake("", folder)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := rules.Load(t.Context(), store); err != nil || r.Lateness != want {
			t.Errorf("%v with %q: lateness %v, %v; want %v", of, s3, r.Lateness, err, want)
		}
	}
	f([]string{roles.Process}, "", 6*time.Hour, event.Hour)
	f([]string{roles.Collect, roles.Query}, folder, 6*time.Hour, event.Hour)
	f([]string{roles.Process}, folder, 6*time.Hour, 6*event.Hour)
}
