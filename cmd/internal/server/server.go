package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/admin"
	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/lineage"
	"millrace/cmd/internal/stores"
	"millrace/cmd/internal/support"
	"millrace/ingest"
	"millrace/ingest/geo"
	"millrace/internal/certs"
	"millrace/internal/front"
)

// stopTime is how long a stop may take before Run gives up and returns an error.
const stopTime = 14 * time.Second

// Run starts a server, serves until ctx ends, drains and stops it. It returns nil after a clean
// stop, and the reason if the server could not start or go on.
func Run(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	s := newServer(o)
	err := s.start(ctx)
	if err == nil {
		if o.Up != nil {
			o.Up(s.up())
		}
		select {
		case <-ctx.Done():
			err = s.drain(context.Cause(ctx))
			s.log.Info("stopping")
		case err = <-s.failed:
		}
		if err != nil {
			s.log.Error("stopping: the process can't go on", "err", err)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	select {
	case stopErr := <-stopped:
		if err != nil {
			return err // what stop returns then is a consequence
		}
		return stopErr
	case <-time.After(stopTime):
		if err != nil {
			return err
		}
		return fmt.Errorf("not stopped within %v; nothing acknowledged is lost, the next start goes on where this one was", stopTime)
	}
}

// server is everything that Run has running. Only this file and the steps know it: what a step
// calls gets the few things that it needs.
type server struct {
	o   Options
	log *slog.Logger

	dir        *datadir.Dir
	admin      *admin.Port
	certs      *certs.Pair     // nil without --tls-cert
	adminCerts *certs.Pair     // nil without --admin-tls-cert
	listener   *front.Listener // on the public address; nil without Collect and Query
	places     *geo.DB         // nil without --geo-mmdb
	cluster    *cluster        // nil without a role that uses Kafka
	guard      *lineage.Guard
	collect    ingest.Options // of the collector, if there is one
	stores     stores.Set
	prober     *kgo.Client // tries Kafka; nil without a cluster
	background *background
	public     *public // nil without Collect and Query
	sites      *liveSites
	lines      *support.Lines // of the log, for the support bundle

	closers  closers
	failed   chan error // see fail
	draining atomic.Bool
}

func newServer(o Options) *server {
	var lines *support.Lines
	o.Log, lines = keepLines(o.Log)
	return &server{
		lines: lines,
		o:     o, log: o.Log, closers: closers{log: o.Log}, failed: make(chan error, 1),
		sites: newLiveSites(&o.Access, o.Log),
	}
}

// start brings everything up, or returns the first error; stop has to be called in both cases.
// Ctx ends only the start.
func (s *server) start(ctx context.Context) error {
	steps := []func(context.Context) error{
		// What can be refused by itself.
		s.openFolder, s.openAdmin, s.openCertificate, s.bindPublic, s.openPlaces,
		s.openCluster, s.makeGuard, s.configureCollector,
		// What the log is compared with, and the comparison.
		s.openTopics, s.openStores, s.openStoreSocket, s.openSupport, s.checkLog, s.openSalts,
		// What runs.
		s.startMonitors, s.startRetention, s.watchFolders, s.leaveRules, s.leaveCounting, s.startRoles, s.startAudit, s.openPublic, s.watchSites, s.startDemo,
	}
	for _, step := range steps {
		err := step(ctx)
		if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
			return errors.New("told to stop before everything was up")
		}
		if err != nil {
			return err
		}
	}
	s.admin.Ready.Start()
	return nil
}

// up returns what the caller of Run learns of a server that has started.
func (s *server) up() Up {
	u := Up{Data: s.dir.Path(), AdminURL: urlOf(s.admin.Addr()), DemoPast: hasPast(s.dir.Path())}
	if s.adminCerts != nil {
		u.AdminURL = "https" + strings.TrimPrefix(u.AdminURL, "http")
	}
	if s.public != nil {
		u.Listen = s.public.listener.Addr().String()
		u.URL = urlOf(u.Listen)
		if s.certs != nil {
			u.URL = "https" + strings.TrimPrefix(u.URL, "http")
		}
	}
	return u
}

// fail ends the server with an error, in the order of a clean stop. It is for what makes going on
// wrong; a second error is dropped.
func (s *server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// drain ends readiness and serves on until balancers have noticed. It returns early, with an
// error, if the server can't go on. Cause is why it stops.
func (s *server) drain(cause error) error {
	s.admin.Ready.Drain()
	wait := s.o.Drain
	if s.public == nil || wait == 0 || s.o.SkipDrain != nil && s.o.SkipDrain(cause) {
		return nil
	}
	s.draining.Store(true)
	s.log.Info("draining: not ready, and serving on", "for", wait)
	select {
	case <-time.After(wait):
		return nil
	case err := <-s.failed:
		return err
	}
}

// stop undoes start.
func (s *server) stop() error {
	if s.admin != nil {
		s.admin.Ready.Drain()
	}
	return s.closers.close()
}
