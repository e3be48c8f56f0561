package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/cmd/internal/metrics"
	"millrace/cmd/internal/roles"
	"millrace/engine/event"
	"millrace/ingest"
	"millrace/internal/front"
	"millrace/query"
)

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
	s.admin.Ready.Remark("sites file", s.sites.remark)
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
	archive, err := s.archiveOfHits()
	if err != nil {
		return nil, fmt.Errorf("start role %s: %w", roles.Query, err)
	}
	if archive != nil {
		hits, err := hitsOf(archive, s.o.Kafka.Partitions, s.o.Engine.Rules())
		if err != nil {
			return nil, fmt.Errorf("start role %s: %w", roles.Query, err)
		}
		o.Alike, o.KeptFrom = alikeIn(archive), keptIn(archive)
		o.Hits, o.VisitLength = hits, s.o.Engine.Rules().Visits().WithDefaults().MaxLength
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
