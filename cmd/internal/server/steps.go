package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"

	"millrace/cmd/internal/admin"
	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/metrics"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/stores"
	"millrace/cmd/internal/storesocket"
	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/geo"
	"millrace/ingest/salt"
	"millrace/internal/blob"
	"millrace/internal/certs"
	"millrace/internal/front"
	"millrace/internal/kafka"
	"millrace/query"
)

// The steps of a start, in their order. Each opens one thing for the steps behind it, and adds what
// closes it again.

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

// bindPublic takes the public address; connections wait in the kernel until openPublic.
func (s *server) bindPublic(context.Context) error {
	if !s.o.has(roles.Collect) && !s.o.has(roles.Query) {
		return nil
	}
	ln, err := front.Bind("--listen", s.o.Listen)
	if err != nil {
		return err
	}
	s.listener = front.Listen(ln, front.ListenerOptions{
		Name: "public", MaxConns: front.MaxConns(), LazyDeadlines: s.certs == nil, Log: s.log, Metrics: s.admin.Front,
	})
	s.admin.Ready.AddWhy("listener", s.listener.Err)
	s.closers.add("public address", s.listener.Close)
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

// configureCollector makes the collector's options, and refuses those that the collector would
// refuse.
func (s *server) configureCollector(context.Context) error {
	if !s.o.has(roles.Collect) {
		return nil
	}
	o, err := collectorOptions(&s.o.Access, &s.o.Collector, s.o.Kafka.Names, s.dir)
	if err == nil {
		o.Kafka, o.Partitions = s.cluster.collects, s.o.Kafka.Partitions
		o.Topic = s.o.Kafka.Names.Of(event.Topic)
		o.Log, o.Metrics = s.log, s.admin.Registry
		if s.places != nil {
			o.Places = s.places
		}
		reportShards(s.o.Access.Sites.Named(), o.Partitions, s.log)
		reportTrust(s.o.Access.TrustedProxies, s.log)
		o.Salts = noSalts{} // until openSalts
		err = o.Validate()
	}
	if err != nil {
		return fmt.Errorf("start role %s: %w", roles.Collect, err)
	}
	s.collect = *o
	return nil
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

// openStores opens what this process' roles need. Remote stores are not contacted: that one of
// them is away for now is no reason not to take beacons.
func (s *server) openStores(ctx context.Context) (err error) {
	if s.o.has(roles.Archive) {
		if s.stores.Lake, err = stores.OpenLake(s.o.S3, s.dir.Lake()); err != nil {
			return err
		}
	}
	switch {
	case !s.o.has(roles.Emit) && !s.o.has(roles.Query):
		return nil
	case s.o.Influx != "":
		s.stores.Influx, err = openInflux(s.o.Influx, s.cluster, &s.closers, s.log)
	default:
		s.stores.Local, err = openLocal(ctx, s.dir.Rollups(), s.stores.Lake, &s.closers, s.log)
	}
	return err
}

// openStoreSocket lets import and replay run beside this process, on its rollup store if it has
// one.
func (s *server) openStoreSocket(context.Context) error {
	var store storesocket.Store
	if s.stores.Local != nil {
		store = s.stores.Local
	}
	socket, err := storesocket.Listen(stores.Socket(s.dir.Path()), stores.Build(s.o.Version), store)
	if socket != nil {
		s.closers.add("rollup store's socket", socket.Close)
	}
	return err
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

// startMonitors probes Kafka, the embedded broker's files and the rollup store that is queried, for
// as long as the process runs.
func (s *server) startMonitors(context.Context) error {
	if s.cluster != nil && s.cluster.check != nil {
		s.background.monitor("log", nil, 0, s.cluster.check)
	}
	if s.cluster != nil {
		client, err := kgo.NewClient(s.cluster.clientOptions()...)
		if err != nil {
			return fmt.Errorf("connect to Kafka: %w", err)
		}
		s.prober = client
		s.closers.add("prober", func() error { client.Close(); return nil })
		// The collector knows itself how Kafka takes its records, and what goes on without it.
		var of []string
		for _, role := range []string{roles.Process, roles.Emit, roles.Archive} {
			if s.o.has(role) {
				of = append(of, role)
			}
		}
		if len(of) > 0 {
			s.background.monitor("kafka", of, away, s.probeKafka(client, of))
		}
	}
	switch {
	case !s.o.has(roles.Query):
	case s.stores.Influx != nil:
		s.background.monitor(roles.Query, []string{roles.Query}, away, s.stores.Influx.Reader.Check)
	default:
		s.background.monitor(roles.Query, []string{roles.Query}, 0, s.stores.Local.Check)
	}
	return nil
}

// watchFolders ends the process when a folder that it can't do without is removed under it.
func (s *server) watchFolders(context.Context) error {
	var looks []look
	if s.cluster != nil && len(s.o.Kafka.Brokers) == 0 {
		looks = append(looks, brokerFolder(s.dir.Broker(), s.guard.StartAnew))
	}
	if s.stores.Local != nil {
		looks = append(looks, rollupsFolder(s.dir.Rollups()))
	}
	if len(looks) > 0 {
		s.background.keep("folders", func(ctx context.Context) error { return watchFolders(ctx, looks, s.fail) })
	}
	return nil
}

// probeKafka returns a probe of the brokers and of the rights that roles need: a role whose right to
// read is taken away while it runs would only wait, and report nothing.
func (s *server) probeKafka(client *kgo.Client, of []string) func(context.Context) error {
	var uses []kafka.Use
	for _, role := range of {
		uses = append(uses, roles.Uses(role, s.o.Kafka.Names)...)
	}
	return func(ctx context.Context) error {
		if err := client.Ping(ctx); err != nil {
			return s.cluster.Explain(ctx, err)
		}
		return kafka.CheckUses(ctx, client, uses...)
	}
}

// leaveRules leaves the engine's rules with the archive. A role that counts has another process
// archive, perhaps: it leaves them too, if it was given that archive's address.
func (s *server) leaveRules(ctx context.Context) error {
	archive, err := s.archiveOfRules()
	if archive != nil {
		leaveRules(ctx, archive, s.o.Engine.Rules(), &s.closers, s.log)
	}
	return err
}

// leaveCounting leaves with the archive what a role that counts counts by, likewise.
func (s *server) leaveCounting(ctx context.Context) error {
	if !s.o.has(roles.Process) {
		return nil
	}
	archive, err := s.archiveOfRules()
	if archive != nil {
		leaveCounting(ctx, archive, s.dir, countedBy(s.o.Version, s.o.Access.Sites), s.o.Engine.Rules(), &s.closers, s.log)
	}
	return err
}

// archiveOfRules returns the archive of this process, or the one whose address a role that counts
// was given; nil if there is none.
func (s *server) archiveOfRules() (blob.Store, error) {
	if s.stores.Lake != nil || !s.o.has(roles.Process) || s.o.S3 == "" {
		return s.stores.Lake, nil
	}
	return stores.OpenLake(s.o.S3, "")
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
	return roles.NewArchive(roles.ArchiveOptions{
		Common: c, Lake: s.stores.Lake, Sole: len(s.o.Kafka.Brokers) == 0,
		Every: s.o.ArchiveEvery, SilentAfter: s.o.Engine.SilentAfter,
	})
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

// openPublic opens the collector and the query API, and begins to answer: everything behind them
// is up.
func (s *server) openPublic(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	var c lateCollector // set before a request is answered
	api, err := s.openQuery(ctx, &c)
	if err != nil {
		return err
	}
	o := routes(api)
	o.MaxBody, o.Draining = int(s.o.Collector.MaxBody), &s.draining
	o.Log, o.Metrics = s.log, s.admin.Front
	s.public = &public{listener: s.listener, served: make(chan error, 1)}
	if s.certs != nil {
		s.public.listener = front.TLS(s.listener, s.certs.Config())
	}
	if !s.o.has(roles.Collect) {
		s.public.server = front.NewServer(o)
	} else {
		ctx, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		if s.o.lacksSecret() {
			s.log.Warn(string(noSecret))
		}
		if c.Collector, err = ingest.Open(ctx, s.collect); err != nil {
			return err
		}
		s.closers.add("collector", c.Close)
		s.sites.collector = c.Collector
		s.admin.Ready.AddWhy(roles.Collect, c.Health)
		s.admin.Ready.Note(roles.Collect, c.Note)
		s.admin.Handle("GET /arrivals", c.Arrivals())
		s.public.server = c.Server(o)
	}
	go s.public.serve(s.fail)
	s.closers.add("listener", s.public.close)
	return nil
}

// watchSites follows the file of sites, if there is one.
func (s *server) watchSites(context.Context) error {
	if s.o.Access.SitesFile == nil {
		return nil
	}
	s.sites.register(s.admin.Registry)
	s.closers.add("sites file", inBackground(s.sites.watch))
	return nil
}

// openQuery returns the handler of the query API, nil without that role.
func (s *server) openQuery(ctx context.Context, c *lateCollector) (fasthttp.RequestHandler, error) {
	if !s.o.has(roles.Query) {
		return nil, nil
	}
	o := query.Options{
		Reader: s.stores.Rollups(), Goals: goalsOf(s.sites, s.o.has(roles.Process)), Late: c.late, Began: event.TimeOf(time.Now()),
		Lateness: msec(s.o.Engine.Lateness), Logger: s.log,
	}
	if s.places != nil {
		o.Places = s.places
	}
	if s.cluster != nil {
		o.Partitions = int(s.o.Kafka.Partitions)
	}
	h, err := queryHandler(s.sites, s.o.Access.LoopbackTrust, o, metrics.NewQueries(s.admin.Registry, slices.Sorted(maps.Values(endpoints))...))
	if err != nil {
		return nil, fmt.Errorf("start role %s: %w", roles.Query, err)
	}
	roles.WarnOfFuture(ctx, s.stores.Rollups(), s.log)
	return h, nil
}

// startDemo sends made-up traffic to the public address, as another program would, and makes up a
// past.
func (s *server) startDemo(context.Context) error {
	if !s.o.Demo {
		return nil
	}
	s.background.keep("demo", demoTraffic(urlOf(s.public.listener.Addr().String()), s.log))
	if !s.o.has(roles.Archive) || !s.o.has(roles.Emit) || !s.o.has(roles.Query) {
		s.log.Info("no past is made up for the demo: it needs the roles archive, emit and query in one process")
		return nil
	}
	p, err := s.past(time.Now())
	if err != nil {
		return err
	}
	s.closers.add("demo history", inBackground(p.run))
	return nil
}

// past returns the past of a demo that starts now.
func (s *server) past(now time.Time) (*past, error) {
	secret, err := secretOf(&s.o.Access, s.dir)
	if err != nil {
		return nil, err
	}
	p := newPast(now)
	p.dir, p.stores, p.secret, p.sites, p.log = s.dir, &s.stores, secret, s.o.Access.Sites, s.log
	p.lateness, p.newDeriver = s.o.Engine.Lateness, s.o.Engine.NewDeriver
	return p, nil
}
