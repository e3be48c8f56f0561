package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"millrace/cmd/internal/admin"
	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/metrics"
	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/rules"
	"millrace/emit/lake"
	"millrace/engine/replay"
	"millrace/ingest/geo"
	"millrace/ingest/salt"
	"millrace/internal/certs"
	"millrace/internal/front"
	"millrace/internal/kafka"
)

// The steps of a start, in the order that Run has them in. Each opens one thing for the steps behind it,
// and adds what closes it again. Those of stores, monitors and the public address are in steps_*.go.

func (s *server) openFolder(context.Context) error {
	dir, err := datadir.Open(s.o.Data)
	if errors.Is(err, datadir.ErrInUse) {
		return fmt.Errorf("%w; stop that one, or give this one a folder of its own with --data", err)
	}
	if err != nil {
		return err
	}
	s.dir = dir
	s.closers.add("data folder", dir.Close)
	return nil
}

func (s *server) openAdmin(context.Context) error {
	o := admin.Options{Addr: s.o.Admin, Roles: roles.All(), Fail: s.fail, Log: s.log}
	if s.o.AdminTLSCert != "" {
		pair, err := certs.Open(certs.Options{Cert: s.o.AdminTLSCert, Key: s.o.AdminTLSKey, Log: s.log})
		if err != nil {
			return fmt.Errorf("--admin-tls-cert, --admin-tls-key: %w", err)
		}
		s.adminCerts, o.TLS = pair, pair.Config()
	}
	p, err := admin.Open(o)
	if err != nil {
		return err
	}
	s.admin = p
	front.ReportDescriptors(s.log)
	s.closers.add("admin port", p.Close)
	registerBuild(p.Registry, &s.o)
	return nil
}

// openCertificate reads what the public address speaks TLS with, and follows its files and those of the
// operators' port.
func (s *server) openCertificate(context.Context) error {
	var pairs []*certs.Pair
	if s.adminCerts != nil {
		pairs = append(pairs, s.adminCerts)
	}
	if s.o.TLSCert != "" && (s.o.has(roles.Collect) || s.o.has(roles.Query)) {
		pair, err := certs.Open(certs.Options{Cert: s.o.TLSCert, Key: s.o.TLSKey, Log: s.log})
		if err != nil {
			return fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
		s.certs = pair
		pairs = append(pairs, pair)
	}
	for _, pair := range pairs {
		s.closers.add("certificate", inBackground(pair.Watch))
	}
	if len(pairs) > 0 {
		metrics.Certificates(s.admin.Registry, pairs)
	}
	return nil
}

// openPlaces reads the database of places, for the collector and for the names in answers.
func (s *server) openPlaces(context.Context) error {
	files := s.o.Access.GeoMMDB
	if len(files) == 0 || !s.o.has(roles.Collect) && !s.o.has(roles.Query) {
		return nil
	}
	db, err := geo.Open(files, geo.Options{Log: s.log})
	if err != nil {
		return fmt.Errorf("--geo-mmdb: %w", err)
	}
	s.places = db
	s.closers.add("geo database", db.Close)
	return nil
}

// openCluster finds the brokers: those that are given, or the embedded one. It makes the first request
// to those that are given: a cluster that can't be reached is an error within connectTime.
func (s *server) openCluster(ctx context.Context) error {
	if err := s.findCluster(); err != nil || s.cluster == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	n, err := partitionsOf(ctx, s.o.Kafka, s.cluster.Cluster)
	s.o.Kafka.Partitions = n
	return err
}

func (s *server) findCluster() (err error) {
	switch {
	case !s.o.usesKafka():
		return nil
	case len(s.o.Kafka.Brokers) > 0:
		s.cluster = givenCluster(s.o.Kafka, s.o.sessionTimeout(), s.log)
		metrics.Throttles(s.admin.Registry, s.cluster.Throttles)
		if security := s.o.Kafka.Security; security != nil {
			security.Log = s.log
			if security.SendsClearPassword() {
				s.log.Warn("the password or token for Kafka can be read on the network: use a listener with TLS, and --kafka-tls", "sasl", security.SASL)
			}
		}
		return nil
	}
	s.cluster, err = embeddedCluster(embedded{
		dir: s.dir, syncWrites: s.o.Kafka.SyncWrites, bucket: s.o.S3 != "", log: s.log,
	}, &s.closers)
	return err
}

// makeGuard makes the guard of what this process keeps of the log. The guard reads the stores,
// which are opened later, in checkLog.
func (s *server) makeGuard(context.Context) error {
	s.guard = newGuard(&kept{
		dir:        s.dir,
		roles:      s.o.Roles,
		influx:     s.o.Influx != "",
		bucket:     s.o.S3 != "",
		embedded:   len(s.o.Kafka.Brokers) == 0,
		names:      s.o.Kafka.Names,
		partitions: s.o.Kafka.Partitions,
		state:      s.state(),
		stores:     &s.stores,
		log:        s.log,
	}, s.cluster.clientOptions())
	s.background = &background{
		guard: s.guard, ready: s.admin.Ready, metrics: s.admin.Registry, closers: &s.closers, log: s.log,
	}
	return nil
}

// state is where and by which rules the engine's state is kept.
func (s *server) state() roles.State {
	return roles.State{Dir: s.dir.State(), Rules: s.o.Engine.Rules()}
}

// openTopics makes the topics that are missing.
func (s *server) openTopics(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, makeTime(s.o.Kafka.Partitions))
	defer cancel()
	if err := s.guard.CheckCluster(ctx); err != nil {
		return err
	}
	return s.cluster.ensure(ctx, topics(s.o.Kafka, s.o.Engine.Lateness, s.state().Life()), s.guard.StartAnew)
}

// checkLog compares the log with what this process' roles keep of it.
func (s *server) checkLog(ctx context.Context) error { return s.guard.Check(ctx) }

// openSalts opens the salts of visitor ids, which the collectors of a cluster agree on, and has that
// of imports destroyed in time.
func (s *server) openSalts(ctx context.Context) error {
	s.background.keep("salt of imports", func(ctx context.Context) error {
		for {
			if err := salt.ExpireImport(s.dir.ImportSalt(), time.Now()); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Hour):
			}
		}
	})
	if !s.o.has(roles.Collect) {
		return nil
	}
	o := salt.Options{Path: s.dir.Salts(), Collector: s.collect.CollectorID, Log: s.log}
	if len(s.o.Kafka.Brokers) > 0 {
		o.Kafka, o.Topic = s.cluster.clientOptions(), s.o.Kafka.Names.Of(salt.Topic)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	k, err := salt.Open(ctx, o)
	if err != nil {
		return fmt.Errorf("start role %s: %w", roles.Collect, err)
	}
	s.closers.add("salts", k.Close)
	s.admin.Ready.AddWhy("salts", k.Err)
	s.collect.Salts = k
	return nil
}

// startRoles starts the roles that run in the background: archive, process and emit.
func (s *server) startRoles(context.Context) error {
	s.closers.add("processors", s.background.stop)
	var groups []func(context.Context)
	headroom := metrics.NewHeadroom()
	for _, r := range []struct {
		role string
		task func(roles.Common) (roles.Task, error)
	}{{roles.Archive, s.archive}, {roles.Process, s.process}, {roles.Emit, s.emit}} {
		if !s.o.has(r.role) {
			continue
		}
		var reading kafka.Reading
		t, err := r.task(roles.Common{
			Cluster: s.cluster.Cluster, Prober: s.prober, Partitions: s.o.Kafka.Partitions, Reading: &reading,
			Metrics: s.admin.Registry, Log: s.log,
		})
		if err != nil {
			return fmt.Errorf("start role %s: %w", r.role, err)
		}
		s.background.start(t, func(ctx context.Context) error { return reading.Check(ctx, s.prober) })
		groups = append(groups, func(ctx context.Context) {
			headroom.Keep(ctx, t.Group, func(ctx context.Context) (map[int32]time.Duration, error) {
				return kafka.Headroom(ctx, s.prober, t.Group, t.Topic, s.o.Kafka.Retention, time.Now())
			})
		})
	}
	if len(groups) > 0 {
		s.admin.Registry.MustRegister(headroom)
		s.closers.add("headroom", inBackground(func(ctx context.Context) {
			var wg sync.WaitGroup
			for _, keep := range groups {
				wg.Go(func() { keep(ctx) })
			}
			wg.Wait()
		}))
	}
	if len(s.background.tasks) > 0 {
		s.background.keep("watch", s.guard.Watch)
	}
	return nil
}

func (s *server) archive(c roles.Common) (roles.Task, error) {
	o := roles.ArchiveOptions{
		Common: c, Lake: s.stores.Lake, Sole: len(s.o.Kafka.Brokers) == 0,
		Every: s.o.ArchiveEvery, SilentAfter: s.o.Engine.SilentAfter,
	}
	if s.o.Access.Sites != nil {
		o.Retain = &lake.RetainOptions{
			Retention: func() lake.Retention { return retentionOf(s.sites.get()) },
			Reach:     replay.HitsReach(s.state().Rules) + s.state().Rules.WithDefaults().Lateness,
			Busy:      func(ctx context.Context) (string, error) { return offline.Busy(ctx, s.stores.Lake) },
		}
	}
	if s.o.Hits {
		o.Hits = &roles.HitsOptions{
			Rules: s.state().Rules, NewDeriver: s.o.Engine.NewDeriver, By: rules.CountedBy(s.o.Version, s.o.Access.Sites),
		}
	}
	return roles.NewArchive(o)
}

func (s *server) process(c roles.Common) (roles.Task, error) {
	return roles.NewProcess(roles.ProcessOptions{
		Common: c, State: s.state(), NewDeriver: s.o.Engine.NewDeriver, Standby: s.o.Engine.Standby,
	}), nil
}

func (s *server) emit(c roles.Common) (roles.Task, error) {
	if s.stores.Influx != nil {
		return roles.NewEmitInflux(c, s.stores.Influx)
	}
	return roles.NewEmitLocal(c, s.stores.Local)
}
