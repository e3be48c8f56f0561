package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/cmd/internal/metrics"
	"millrace/cmd/internal/rules"
	"millrace/emit/lake"
	"millrace/emit/lake/hitread"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/blob"
	"millrace/internal/front"
	"millrace/internal/local"
	"millrace/internal/site"
	"millrace/query"
	"millrace/query/statsapi"
)

// queryHandler returns the handler of the query API for options that lack those of access.
// Loopback is AccessOptions.LoopbackTrust.
//
// Where no keys are configured only this machine may query, whatever the address: numbers are not
// public because no one has set a key, and a proxy on this machine makes a loopback address a
// public one.
func queryHandler(sites *liveSites, loopback bool, o query.Options, m *metrics.Queries) (fasthttp.RequestHandler, error) {
	o.DailyIDs = true
	o.TimeZone = func(id string) *time.Location { return sites.get().Of(id).TimeZone }
	o.KeptFrom = latest(sites.keptFrom(), o.KeptFrom)
	o.Sites = sites.known
	o.Reached = sites.reached
	executor, err := query.New(o)
	if err != nil {
		return nil, err
	}
	api := statsapi.Options{Executor: executor, Sites: sites.list, Currency: func(id string) string { return sites.get().Of(id).Currency }, Rows: m.Rows, Logger: o.Logger}
	api.Segments = func(id string) (list []statsapi.Segment) {
		for _, s := range sites.get().Of(id).Segments {
			list = append(list, statsapi.Segment{ID: s.ID, Name: s.Name, Filters: s.Filters})
		}
		return list
	}
	open, err := statsapi.New(api)
	if err != nil {
		return nil, err
	}
	api.Keys = sites
	keyed, err := statsapi.New(api)
	if err != nil {
		return nil, err
	}
	if s := sites.get(); len(s.QueryKeys) == 0 && !s.OpenQueries && !loopback {
		o.Logger.Warn("no one may query: there are no --query-keys, and --no-loopback-trust keeps this machine out too")
	}
	local := localOnly(loopback, open.Handler)
	return measured(m, func(ctx *fasthttp.RequestCtx) {
		switch s := sites.get(); {
		case len(s.QueryKeys) > 0:
			keyed.Handler(ctx)
		case s.OpenQueries:
			open.Handler(ctx)
		default:
			local(ctx)
		}
	}), nil
}

// hitsOf returns what reads the hits of an archive. Partitions is 0 if it is not known.
func hitsOf(archive blob.Store, partitions int32, rules engine.Rules) (*hitread.Archive, error) {
	visits := rules.Visits().WithDefaults()
	return hitread.New(hitread.Options{
		Store: archive, Lister: hitread.NewPublished(archive, engine.EventsTopic, partitions), VisitLength: visits.MaxLength, VisitSettles: visits.Timeout + visits.Lateness,
		Imported: importedIn(archive),
	})
}

// importedIn returns a function that reports whether an archive has imported files, as of a minute ago at most, that are none of those
// which have hits. While the archive does not answer they are what they were.
func importedIn(archive blob.Store) func(ctx context.Context, withHits []string) bool {
	var mu sync.Mutex
	var topics []string
	var looked time.Time
	return func(ctx context.Context, withHits []string) bool {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(looked) >= time.Minute {
			if now, err := lake.Imports(ctx, archive); err == nil {
				topics, looked = now, time.Now()
			}
		}
		return lake.Lacks(withHits, topics)
	}
}

// alikeIn returns a function that reports whether the rollups and the hits of an archive are of one generation from a time on, as of a
// minute ago at most. While the archive does not answer they are not known to be.
func alikeIn(archive blob.Store) func(context.Context, event.Time) bool {
	var mu sync.Mutex
	var alike bool
	var since event.Time
	var looked time.Time
	return func(ctx context.Context, from event.Time) bool {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(looked) >= time.Minute {
			var err error
			since, alike, err = rules.AlikeSince(ctx, archive)
			if alike = alike && err == nil; ctx.Err() == nil {
				looked = time.Now()
			}
		}
		return alike && since <= from
	}
}

// goalsOf returns the names of a site's goals, by which a filter of another one is refused: nil where
// they are not known. Counts says that the process counts, and so has what there is; one that only
// answers may have been given none.
func goalsOf(sites *liveSites, counts bool) func(site string) []string {
	given := slices.ContainsFunc(sites.get().All(), func(s site.Site) bool { return len(s.Goals) > 0 })
	if !counts && !given {
		return nil
	}
	return func(id string) []string {
		var names []string
		for _, g := range sites.get().Of(id).Goals {
			names = append(names, g.Name)
		}
		return names
	}
}

// endpoints are the names in metrics of what queries are sent to.
var endpoints = map[string]string{
	statsapi.PathQuery: "query", statsapi.PathRealtime: "realtime", statsapi.PathSites: "sites", statsapi.PathOpenAPI: "openapi",
	statsapi.PathAggregate: "aggregate", statsapi.PathTimeseries: "timeseries", statsapi.PathBreakdown: "breakdown",
}

// measured counts what a handler answers. Requests that Handles does not know are none of it.
func measured(m *metrics.Queries, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		began := time.Now()
		next(ctx)
		if name := endpoints[string(ctx.Path())]; name != "" {
			m.Answered(name, ctx.Response.StatusCode(), time.Since(began))
		}
	}
}

// localOnly lets this machine alone query, and no client at all if it is not trusted.
func localOnly(trust bool, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if refusal := refuseQuery(local.Fasthttp(ctx), trust); refusal != "" {
			writeError(ctx, fasthttp.StatusUnauthorized, refusal)
			return
		}
		next(ctx)
	}
}

// refuseQuery returns why a query without keys is refused, "" if it is not.
func refuseQuery(found local.Finding, trust bool) string {
	switch {
	case !trust:
		return "No query keys are configured, and --no-loopback-trust is set, so no one may query. Start serve with --query-keys."
	case found != local.Yes:
		return "No query keys are configured, so only the machine itself may query, and " + found.String() + ". Start serve with --query-keys."
	}
	return ""
}

// routes returns the public server's options with its routes: queries go to api, which is
// nil without that role, and by what the collector puts before it.
func routes(api fasthttp.RequestHandler) front.ServerOptions {
	handler := func(ctx *fasthttp.RequestCtx) {
		if api == nil || !statsapi.Handles(string(ctx.Path())) {
			notFound(ctx)
			return
		}
		api(ctx)
	}
	return front.ServerOptions{
		Name:    "public",
		Handler: handler,
		// The handler answers at once what takes no body, or has a larger one than any query.
		Expect: func(ctx *fasthttp.RequestCtx) bool {
			if string(ctx.Path()) == statsapi.PathQuery && ctx.IsPost() && ctx.Request.Header.ContentLength() <= statsapi.MaxBody {
				return true
			}
			handler(ctx)
			return false
		},
		WriteTimeout: time.Minute, // a large answer to a slow client
	}
}

// notFound lets pages read the answer: a snippet with a wrong address finds out so.
func notFound(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
	writeError(ctx, fasthttp.StatusNotFound, "There is nothing here. Beacons go to POST /v1/events or to the path of a tracker, such as /api/event, queries to POST /api/v2/query.")
}

// writeError answers in the form of the query API's errors. The message needs no escaping.
func writeError(ctx *fasthttp.RequestCtx, status int, message string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBodyString(`{"error":"` + message + `"}` + "\n")
}
