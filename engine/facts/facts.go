package facts

import (
	"strings"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/engine/window"
)

// Version is the version of the rules: rows of two builds with the same Version are the same.
const Version = 2

// DefaultCacheSize is the number of user agents a Deriver remembers by default. A thousand cover nine tenths of
// the traffic of a busy site; sixteen thousand take about 4 MB, 10 MB if all are as long as can be.
const DefaultCacheSize = 16 << 10

// Options of a Deriver. The zero value is ready.
type Options struct {
	// CacheSize is the number of user agents to remember, within a factor of two; 0 is DefaultCacheSize. It
	// changes no row.
	CacheSize int
}

// Deriver fills rows. It belongs to one goroutine.
type Deriver struct {
	tables    *tables
	agents    cache[agent]
	languages cache[string]
}

// New returns a Deriver. The first call in a process builds the shared tables, which takes some milliseconds.
func New(o Options) *Deriver {
	if o.CacheSize <= 0 {
		o.CacheSize = DefaultCacheSize
	}
	return &Deriver{
		tables:    sharedTables(),
		agents:    newCache[agent](o.CacheSize),
		languages: newCache[string](min(o.CacheSize, 256)),
	}
}

// Row fills r from e. Strings of r may be views into strings of e and are valid as long as those.
func (d *Deriver) Row(e *event.Event, r *window.Row) {
	*r = window.Row{Visitor: e.Visitor}
	if e.Name == event.Pageview {
		r.Flags |= window.PageviewRow
	}
	ag := d.agent(e.UA)
	if reason := botReason(e, ag); reason != "" {
		r.Flags |= window.BotRow
		r.Dims[window.Reason] = reason
		return
	}
	host, path, query := splitURL(e.URL)
	r.Dims[window.Page] = clean(path)
	r.Dims[window.Source], r.Dims[window.Referrer] = d.tables.arrival(e, host, query)
	r.Dims[window.Country] = country(e.Country)
	r.Dims[window.Language] = d.language(e.Language)
	r.Dims[window.Browser] = ag.browser
	r.Dims[window.OS] = ag.os
	r.Dims[window.Device] = ag.device
	r.Dims[window.Name] = clean(e.Name)
}

// botReason returns why the sender of e is taken for a bot, "" if it is not.
func botReason(e *event.Event, ag agent) string {
	if e.Bot != "" {
		return clean(e.Bot)
	}
	if strings.HasSuffix(e.Client, ".server") {
		return ""
	}
	return ag.bot
}

// agent returns what is known about a user agent, from the cache if it is there.
func (d *Deriver) agent(ua string) agent {
	ua = ua[:min(len(ua), maxAgentLen)]
	if ag, ok := d.agents.get(ua); ok {
		return ag
	}
	ag := d.tables.parseAgent(ua)
	d.agents.put(ua, ag)
	return ag
}

// clean is window.Clean for strings that may be not even valid UTF-8, such as an unescaped query parameter.
func clean(s string) string {
	// Clean looks at no more than this: the longest value and the character that crosses its end.
	s = s[:min(len(s), window.MaxValueLen+utf8.UTFMax)]
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return window.Clean(s)
}
