package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/cmd/internal/admin"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/stores"
	"millrace/internal/blob"
	"millrace/internal/site"
)

// TestWhoAudits: a process that has the archive and a rollup store, and no other.
func TestWhoAudits(t *testing.T) {
	folder, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := func(o Options, archive blob.Store, want bool, say string) {
		t.Helper()
		var text bytes.Buffer
		o.Log = slog.New(slog.NewTextHandler(&text, nil))
		o.Access.Sites = &site.Sites{}
		s := newServer(o)
		s.admin = &admin.Port{Registry: prometheus.NewRegistry(), Ready: admin.NewReadiness(roles.All())}
		s.background = &background{ready: s.admin.Ready, metrics: s.admin.Registry, closers: &s.closers, log: s.log}
		s.stores = stores.Set{Lake: archive}
		if err := s.startAudit(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := s.admin.Registry.Gather()
		if err != nil || len(all) > 0 != want || !strings.Contains(text.String(), say) {
			t.Errorf("%v of %s: %d metrics, %v, want any: %v; log %q", o.Roles, o.Influx, len(all), err, want, text.String())
		}
		if err := s.closers.close(); err != nil {
			t.Error(err)
		}
	}
	const influx = "http://127.0.0.1:1/none"
	f(Options{Roles: []string{roles.Archive}, Influx: influx, AuditShare: 0.5}, folder, true, "")
	f(Options{Roles: []string{roles.Archive}, Influx: influx}, folder, false, "")
	f(Options{Roles: []string{roles.Archive}, AuditShare: 0.5}, folder, false, "no self-audit")
	f(Options{Roles: []string{roles.Collect, roles.Query}, Influx: influx, S3: folder.String(), AuditShare: 0.5}, nil, false, "")
}
