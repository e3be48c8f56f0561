package ingest

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/ingest/protocol"
)

const (
	// mostCountedSites is how many sites have numbers of their own: each is a series for each
	// protocol and reason that it has.
	mostCountedSites = 100
	// otherSites is the label of the rest: it is the name of no site.
	otherSites = "(other)"
	// countStored is the reason of what is stored: there is none.
	countStored = ""
)

// siteCounts count what has become of events and requests by site, protocol and reason. A site that
// has numbers of its own keeps them, so that they only grow; the sites that are configured go first,
// then those that come first.
type siteCounts struct {
	protocols []string
	names     []string // of the reasons: of events first, then of refusals
	drops     map[string]int
	refusals  map[protocol.Reason]int // positions in names, of both
	events    *prometheus.Desc
	requests  *prometheus.Desc

	mu    sync.Mutex // guards changes of sites
	sites atomic.Pointer[map[string]*counts]
	other *counts
}

// counts are those of one site.
type counts struct {
	of *siteCounts
	n  []atomic.Int64 // by protocol and reason
}

func newSiteCounts(protocols []protocol.Protocol) *siteCounts {
	s := &siteCounts{
		drops: map[string]int{}, refusals: map[protocol.Reason]int{},
		events: prometheus.NewDesc("millrace_ingest_site_events_total",
			"Events answered with 2xx by site, protocol and why they are not stored, \"\" if they are; of the sites past the first hundred together.",
			[]string{"site", "client", "reason"}, nil),
		requests: prometheus.NewDesc("millrace_ingest_site_refused_total",
			"Requests refused by site, protocol and reason, \"(other)\" where the site is not known.", []string{"site", "client", "reason"}, nil),
	}
	for _, p := range protocols {
		s.protocols = append(s.protocols, p.Name)
	}
	s.names = append(s.names, countStored)
	s.names = append(s.names, dropReasons[:]...)
	for i, name := range s.names {
		s.drops[name] = i
	}
	for _, reason := range protocol.Reasons() {
		s.refusals[reason] = len(s.names)
		s.names = append(s.names, string(reason))
	}
	s.other = s.newCounts()
	s.sites.Store(&map[string]*counts{})
	return s
}

func (s *siteCounts) newCounts() *counts {
	return &counts{of: s, n: make([]atomic.Int64, len(s.protocols)*len(s.names))}
}

// name gives sites numbers of their own, as far as there is room.
func (s *siteCounts) name(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sites := maps.Clone(*s.sites.Load())
	for _, id := range ids {
		if len(sites) < mostCountedSites && sites[id] == nil {
			sites[strings.Clone(id)] = s.newCounts()
		}
	}
	s.sites.Store(&sites)
}

// of returns the counts of a site that is accepted; "" is one that is not known.
func (s *siteCounts) of(id string) *counts {
	sites := *s.sites.Load()
	if c := sites[id]; c != nil {
		return c
	}
	if id == "" || len(sites) >= mostCountedSites {
		return s.other
	}
	s.name(id)
	return s.of(id)
}

// add counts n events that are stored, or dropped for a reason.
func (c *counts) add(number int, reason string, n int) {
	position := 0 // of countStored, the first of the names
	if reason != countStored {
		position = c.of.drops[reason]
	}
	c.n[number*len(c.of.names)+position].Add(int64(n))
}

// refuse counts a request that is refused.
func (c *counts) refuse(number int, reason protocol.Reason) {
	c.n[number*len(c.of.names)+c.of.refusals[reason]].Add(1)
}

// Describe implements prometheus.Collector.
func (s *siteCounts) Describe(ch chan<- *prometheus.Desc) {
	ch <- s.events
	ch <- s.requests
}

// Collect implements prometheus.Collector.
func (s *siteCounts) Collect(ch chan<- prometheus.Metric) {
	collect := func(site string, c *counts) {
		for i := range c.n {
			n := c.n[i].Load()
			if n == 0 {
				continue
			}
			reason, desc := i%len(s.names), s.events
			if reason >= len(s.drops) {
				desc = s.requests
			}
			ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), site, s.protocols[i/len(s.names)], s.names[reason])
		}
	}
	for id, c := range *s.sites.Load() {
		collect(id, c)
	}
	collect(otherSites, s.other)
}
