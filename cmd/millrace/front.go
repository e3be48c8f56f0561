package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/demo"
	"millrace/cmd/internal/supervise"
	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/geo"
	"millrace/query"
)

// front is what the public address serves: the collector, the query API, or both.
type front struct {
	listener net.Listener
	server   *fasthttp.Server
	served   chan error
}

// inFlightTime is how long requests in flight may take once the listener is closed. Their beacons are in the hands of the
// collector then, whose Close waits for Kafka.
const inFlightTime = 4 * time.Second

// bindFront takes the public address, which nobody serves yet.
func (n *node) bindFront(context.Context) error {
	f := n.flags
	if !f.has(roleCollect) && !f.has(roleQuery) {
		return nil
	}
	ln, err := listen("--listen", f.Listen)
	if err != nil {
		return err
	}
	n.public = ln
	n.onStop("public address", func() error {
		ln.Close() // closed already, if it was served
		return nil
	})
	return nil
}

// openFront opens the collector and the query API and serves. Nobody is answered before everything behind is up.
func (n *node) openFront(ctx context.Context) error {
	f := n.flags
	if n.public == nil {
		return nil
	}
	handler := notFound
	if f.has(roleQuery) {
		api, err := n.newQuery()
		if err != nil {
			return err
		}
		handler = n.queryHandler(api)
	}
	server := &fasthttp.Server{
		Handler:               handler,
		ReadTimeout:           5 * time.Second,
		WriteTimeout:          time.Minute, // a large answer to a slow client
		IdleTimeout:           15 * time.Second,
		MaxRequestBodySize:    int(f.MaxBody),
		NoDefaultServerHeader: true,
		SecureErrorLogMessage: true,
		CloseOnShutdown:       true,
		Logger:                slog.NewLogLogger(n.log.Handler(), slog.LevelWarn),
	}
	if f.has(roleCollect) {
		c, err := n.openCollector(ctx)
		if err != nil {
			return err
		}
		n.onStop("collector", c.Close)
		server = c.Server(handler)
	}
	n.front = &front{listener: n.public, server: server, served: make(chan error, 1)}
	go func() { n.front.served <- server.Serve(n.public) }()
	n.onStop("listener", n.front.close)
	return nil
}

// close stops listening and waits for the requests in flight.
func (f *front) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), inFlightTime)
	defer cancel()
	err := f.server.ShutdownWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // slow clients are cut off; what they had sent is with the collector
	}
	f.listener.Close() // also where Serve had not begun yet
	return errors.Join(err, <-f.served)
}

// url is the address for a client on this machine.
func (f *front) url() string { return "http://" + loopbackOf(f.listener.Addr().String()) }

func (n *node) openCollector(ctx context.Context) (*ingest.Collector, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	return ingest.Open(ctx, n.collect)
}

// configureCollector makes the collector's options from flags and folder, and refuses those that won't do.
func (n *node) configureCollector(context.Context) error {
	if !n.flags.has(roleCollect) {
		return nil
	}
	o, err := n.collectorOptions()
	if err == nil {
		err = o.Validate()
	}
	if err != nil {
		return fmt.Errorf("start role %s: %w", roleCollect, err)
	}
	n.collect = *o
	return nil
}

func (n *node) collectorOptions() (*ingest.Options, error) {
	f := n.flags
	id, err := n.dir.CollectorID()
	if err != nil {
		return nil, err
	}
	secret, err := n.secret()
	if err != nil {
		return nil, err
	}
	sites, err := f.siteOptions()
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys("--write-keys", f.WriteKeys)
	if err != nil {
		return nil, err
	}
	proxies, err := f.proxies()
	if err != nil {
		return nil, err
	}
	o := &ingest.Options{
		Kafka:           n.clients,
		Partitions:      f.Partitions,
		CollectorID:     id,
		Secret:          secret,
		Sites:           sites.list,
		AnySite:         sites.any,
		HonourDNT:       f.HonourDNT,
		NoLoopbackTrust: !f.LoopbackTrust,
		TrustedProxies:  proxies,
		CountryHeader:   f.CountryHeader,
		RegionHeader:    f.RegionHeader,
		CityHeader:      f.CityHeader,
		Linger:          f.Linger,
		MaxBodyBytes:    int(f.MaxBody),
		MaxPendingBytes: int64(f.MaxPending),
		SiteRate:        f.SiteRate,
		AddressRate:     f.AddressRate,
		Log:             n.log,
		Metrics:         n.admin.registry,
	}
	if n.places != nil {
		o.Places = n.places
	}
	n.sayShards(sites.list)
	for _, k := range keys {
		o.WriteKeys = append(o.WriteKeys, ingest.WriteKey{Hash: k.hash, Sites: k.sites})
	}
	return o, nil
}

// openPlaces reads the database of places, for the collector and for the names in answers.
func (n *node) openPlaces(context.Context) error {
	f := n.flags
	if f.GeoMMDB == "" || !f.has(roleCollect) && !f.has(roleQuery) {
		return nil
	}
	db, err := geo.Open(f.GeoMMDB, geo.Options{Log: n.log})
	if err != nil {
		return fmt.Errorf("--geo-mmdb: %w", err)
	}
	n.places = db
	n.onStop("geo database", db.Close)
	return nil
}

// siteOptions are what the collector is told of sites; any is true if it takes others too.
type siteOptions struct {
	list []ingest.Site
	any  bool
}

func (c *serveCommand) siteOptions() (siteOptions, error) {
	ids, any, err := c.siteList(c.Listen)
	if err != nil {
		return siteOptions{}, err
	}
	if c.Demo && !any {
		ids = append(slices.Clone(ids), demo.Sites()...)
	}
	for _, site := range slices.Sorted(maps.Keys(c.Shards)) {
		switch n := c.Shards[site]; {
		case event.ValidSite(site) != nil:
			return siteOptions{}, usagef("--shards: %w", event.ValidSite(site))
		case n < 1 || n > maxShards:
			return siteOptions{}, usagef("--shards: site %s: %d is not between 1 and %d", site, n, maxShards)
		case any:
			ids = append(ids, site)
		case !slices.Contains(ids, site):
			return siteOptions{}, usagef("--shards: %s is not among --sites", site)
		}
	}
	o := siteOptions{any: any}
	for _, id := range ids {
		o.list = append(o.list, ingest.Site{ID: id, HonourDNT: c.HonourDNT, Shards: c.Shards[id]})
	}
	return o, nil
}

// maxShards bounds --shards: the part that a visitor is in does not change with the day, so few visitors must not be in each.
const maxShards = 256

// sayShards tells how far each site is really spread: parts are dealt to partitions by a hash.
func (n *node) sayShards(sites []ingest.Site) {
	for _, s := range sites {
		if s.Shards <= 1 {
			continue
		}
		used := map[int32]bool{}
		for shard := range s.Shards {
			used[event.Partition(s.ID, shard, n.flags.Partitions)] = true
		}
		if int32(s.Shards) > n.flags.Partitions {
			n.log.Warn("a site has more shards than there are partitions", "site", s.ID, "shards", s.Shards, "partitions", n.flags.Partitions)
		}
		n.log.Info("site is spread", "site", s.ID, "shards", s.Shards, "over partitions", len(used))
	}
}

func (n *node) secret() ([]byte, error) {
	if n.flags.Secret == "" {
		return n.dir.Secret()
	}
	secret, err := datadir.ParseSecret(n.flags.Secret)
	if err != nil {
		return nil, usagef("--secret: %w", err)
	}
	return secret, nil
}

func (n *node) newQuery() (*query.Server, error) {
	f := n.flags
	def, zones, err := f.zones()
	if err != nil {
		return nil, err
	}
	o := query.Options{
		Reader:   n.stores.rollups(),
		DailyIDs: true,
		Logger:   n.log,
		TimeZone: func(site string) *time.Location {
			if z, ok := zones[site]; ok {
				return z
			}
			return def
		},
	}
	if n.places != nil {
		o.Places = n.places
	}
	if f.usesKafka() {
		o.Partitions = int(f.Partitions)
	}
	if o.Keys, err = f.queryKeyring(); err != nil {
		return nil, err
	}
	api, err := query.New(o)
	if err != nil {
		return nil, fmt.Errorf("start role %s: %w", roleQuery, err)
	}
	return api, nil
}

// queryHandler routes to the API. Where no keys are configured and the address is open to others, only this machine may ask:
// numbers are not public because nobody said so.
func (n *node) queryHandler(api *query.Server) fasthttp.RequestHandler {
	guarded := len(n.flags.QueryKeys) == 0 && !isLoopback(n.flags.Listen)
	return func(ctx *fasthttp.RequestCtx) {
		switch {
		case !query.Handles(string(ctx.Path())):
			notFound(ctx)
		case guarded && !n.isLocal(ctx):
			writeError(ctx, fasthttp.StatusUnauthorized, "No query keys are configured, so only the machine itself may ask. Start serve with --query-keys.")
		default:
			api.Handler(ctx)
		}
	}
}

// isLocal tells whether a request was made on this machine, and not passed on by a proxy.
func (n *node) isLocal(ctx *fasthttp.RequestCtx) bool {
	return n.flags.LoopbackTrust && ctx.RemoteIP().IsLoopback() && len(ctx.Request.Header.Peek("X-Forwarded-For")) == 0
}

// startDemo sends made-up traffic to the public address, as somebody else would.
func (n *node) startDemo(context.Context) error {
	if !n.flags.Demo {
		return nil
	}
	o := demo.Options{URL: n.front.url(), Rate: demoRate, Seed: uint64(time.Now().UnixNano()), Log: n.log}
	n.demo = supervise.Start(context.Background(), "demo", n.log, func(ctx context.Context) error { return demo.Run(ctx, o) })
	n.onStop("demo", func() error { n.demo.Stop(); return nil })
	return nil
}

// demoRate is in events a second: enough to see numbers move, too few to notice on the machine.
const demoRate = 4

func notFound(ctx *fasthttp.RequestCtx) {
	writeError(ctx, fasthttp.StatusNotFound, "There is nothing here. Beacons go to POST /v1/events or /api/event, questions to POST /api/v2/query.")
}

// writeError answers in the form of the query API's errors. The message needs no escaping.
func writeError(ctx *fasthttp.RequestCtx, status int, message string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBodyString(`{"error":"` + message + `"}` + "\n")
}
