package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/cmd/internal/audit"
	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/metrics"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// registerBuild registers the metric of the build and of what it counts by.
func registerBuild(r prometheus.Registerer, o *Options) {
	sum := sha256.Sum256(engine.EncodeRules(o.Engine.Rules()))
	sites := ""
	if o.Access.Sites != nil {
		sites = o.Access.Sites.CountedBy()
	}
	metrics.Build(r, o.Version, rules.Revision(), hex.EncodeToString(sum[:4]), sites)
}

// leaveCounting leaves with an archive what the engine counts by from now on. An archive that is
// away is tried again until the closers stop it.
func leaveCounting(ctx context.Context, archive blob.Store, dir *datadir.Dir, by string, own engine.Rules, closers *closers, log *slog.Logger) {
	now := event.TimeOf(time.Now())
	try := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, archiveWait)
		defer cancel()
		return rules.LeaveCounting(ctx, archive, dir, by, own, now)
	}
	err := try(ctx)
	if err == nil {
		return
	}
	log.Warn("the self-audit waits until the archive has what is counted by", "err", err)
	closers.add("what is counted by", inBackground(func(ctx context.Context) {
		t := time.NewTicker(rules.WatchEvery)
		defer t.Stop()
		for err != nil {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				err = try(ctx)
			}
		}
	}))
}

// startAudit compares the rollup store with the archive, slowly, all day. The role archive does it,
// if this process has a rollup store or the address of one; with a local store, which no other
// process can read, the process that has it does.
func (s *server) startAudit(context.Context) error {
	reads := s.o.has(roles.Archive) || s.stores.Local != nil && s.o.S3 != ""
	if s.o.AuditShare == 0 || !reads {
		return nil
	}
	set := s.stores
	if set.Local == nil && set.Influx == nil {
		if s.o.Influx == "" {
			s.log.Info("no self-audit: this process has the archive and no rollup store; --influx gives it one")
			return nil
		}
		var err error
		if set.Influx, err = stores.OpenInfluxReader(s.o.Influx); err != nil {
			return err
		}
		s.closers.add("InfluxDB of the self-audit", set.Influx.Reader.Close)
	}
	if set.Lake == nil {
		var err error
		if set.Lake, err = stores.OpenLake(s.o.S3, ""); err != nil {
			return err
		}
	}
	a := audit.New(audit.Options{
		Stores: set, Bucket: s.o.S3 != "", Share: s.o.AuditShare,
		By: rules.CountedBy(s.o.Version, s.o.Access.Sites), NewDeriver: s.o.Engine.NewDeriver,
		KeptFrom: s.sites.keptFrom(),
		Metrics:  s.admin.Registry, Log: s.log,
	})
	s.admin.Ready.Remark("audit", a.Note)
	s.background.keep("self-audit", a.Run)
	return nil
}
