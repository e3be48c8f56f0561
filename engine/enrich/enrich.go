package enrich

import (
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/site"
	"millrace/internal/spelling"
)

// Version is the version of the rules: rows of two builds with the same Version (and the same goals) are the same.
const Version = 8

// DefaultCacheSize is the number of user agents a Deriver remembers by default. A thousand cover nine tenths of
// the traffic of a busy site; sixteen thousand take about 5 MB, 11 MB if all are as long as can be.
const DefaultCacheSize = 16 << 10

// Sizes of the other caches: of what most events of a site have in common. At their longest, languages take 20 kB,
// hosts 1 MB and tags 5 MB.
const (
	languageCacheSize = 256
	hostCacheSize     = 2048
	tagCacheSize      = 1024
)

// Options of a Deriver. The zero value is ready.
type Options struct {
	// CacheSize is the number of user agents to remember, within a factor of two; 0 is DefaultCacheSize. It
	// changes no row.
	CacheSize int
	// Goals are the goals of the sites; nil for none. All Derivers may share one.
	Goals *Goals
}

// Deriver fills rows. It belongs to one goroutine.
type Deriver struct {
	tables    *tables
	goals     *Goals
	agents    cache[agent]
	languages cache[string]
	hosts     cache[source] // of referrers
	tags      cache[tag]
}

// New returns a Deriver. The first call in a process builds the shared tables, which takes some milliseconds.
func New(o Options) *Deriver {
	if o.CacheSize <= 0 {
		o.CacheSize = DefaultCacheSize
	}
	return &Deriver{
		tables:    sharedTables(),
		goals:     o.Goals,
		agents:    newCache[agent](o.CacheSize),
		languages: newCache[string](min(o.CacheSize, languageCacheSize)),
		hosts:     newCache[source](min(o.CacheSize, hostCacheSize)),
		tags:      newCache[tag](min(o.CacheSize, tagCacheSize)),
	}
}

// Row fills r from e, but for the dimensions of Origin. Strings of r may be views into strings of e, its Props may be those
// of e, and its Goals may be shared with other rows: they are valid as long as e's, and must not be changed.
func (d *Deriver) Row(e *event.Event, r *window.Row) {
	*r = window.Row{Visitor: e.Visitor}
	if e.Name == event.Pageview {
		r.Flags |= window.PageviewRow
	}
	of := d.goals.of(e.Site)
	if reason := botReason(e, d.agent(e.UA)); reason != "" && of.bots != site.BotsCounted {
		r.Flags |= window.BotRow
		if of.bots == site.BotsDropped {
			r.Flags |= window.UncountedRow
		}
		r.Dims[window.Reason] = reason
		return
	}
	host, path, _ := spelling.SplitURL(e.URL)
	if e.HashRoute {
		path = spelling.WithRoute(path, e.URL)
	}
	r.Dims[window.Page] = spelling.Value(of.spelling.Page(spelling.Path(path)))
	r.Dims[window.Hostname] = hostname(host)
	r.Dims[window.Name] = event.Pageview
	if r.Flags&window.PageviewRow != 0 {
		r.Dims[window.EntryPage] = r.Dims[window.Page]
	} else {
		r.Dims[window.Name] = value(e.Name)
	}
	if e.Currency != "" && of.takes(e.Currency) {
		r.Revenue, r.Paid = e.Amount, true
	}
	r.Props = props(e.Props)
	r.Goals = of.reached(r)
}

// Origin adds where the sender of e, which is no bot, came from and with what: the dimensions that an event has from
// the first of its visit. They are two thirds of the work, and most events do not need them.
func (d *Deriver) Origin(e *event.Event, r *window.Row) {
	host, _, query := spelling.SplitURL(e.URL)
	d.arrival(e, host, query, r)
	r.Dims[window.Country] = country(e.Country)
	r.Dims[window.Region] = region(e.Region)
	r.Dims[window.City] = city(e.City)
	r.Dims[window.Language] = d.language(e.Language)
	ag := d.agent(e.UA)
	r.Dims[window.Browser], r.Dims[window.BrowserVersion] = ag.browser, ag.browserVersion
	r.Dims[window.OS], r.Dims[window.OSVersion] = ag.os, ag.osVersion
	r.Dims[window.Device] = ag.device
	r.Dims[window.Screen] = screen(e.Screen)
}

// botReason returns why the sender of e is taken for a bot, "" if it is not.
func botReason(e *event.Event, ag *agent) string {
	if e.Bot != "" {
		return spelling.Value(e.Bot)
	}
	if e.FromServer() {
		return ""
	}
	return ag.bot
}

// agent returns what is known about a user agent, from the cache if it is there.
func (d *Deriver) agent(ua string) *agent {
	ua = ua[:min(len(ua), maxAgentLen)]
	if ag, ok := d.agents.get(ua); ok {
		return ag
	}
	return d.agents.put(ua, d.tables.parseAgent(ua))
}

// value returns what a text of a client is stored as: spelled, and kept apart from what stands for no value or for the rest.
func value(s string) string {
	v := spelling.Value(s)
	if v[0] != '(' || v == window.None && !strings.Contains(s, "none") { // nothing was left of s
		return v
	}
	return window.Literal(v)
}

// hostname returns the dimension of a host that SplitURL found.
func hostname(host string) string {
	host = spelling.WithoutWWW(host)
	if !spelling.ValidHost(host) {
		return window.None
	}
	return spelling.Value(host)
}
