package ingest

import (
	"net/http"

	"millrace/ingest/arrivals"
	"millrace/ingest/protocol"
)

// mostEntries is how many entries of a request are remembered: a batch of a thousand events of a
// thousand names is not to push out what others have sent.
const mostEntries = 10

// Arrivals serves what has arrived last, for the port of operators; see package arrivals.
func (c *Collector) Arrivals() http.Handler { return c.arrivals }

// arrived counts and remembers what has become of the events of a request that is not refused.
func (c *Collector) arrived(e *endpoint, r *request, kept []protocol.Input) {
	entry := arrivals.Entry{At: r.Now, Protocol: e.client, Path: e.Path, Outcome: arrivals.Stored, Trusted: r.who.trusted,
		Adjusted: r.Parser.Adjusted()}
	left := mostEntries
	add := func() {
		if left > 0 {
			c.arrivals.Add(&entry)
		}
		left--
	}
	for i := 0; i < len(kept) && left > 0; i += entry.Events {
		first := &kept[i]
		n := 1
		for i+n < len(kept) && kept[i+n].Number == first.Number && kept[i+n].Name == first.Name {
			n++
		}
		entry.Site, entry.Name, entry.URL, entry.Events = first.Site, first.Name, first.URL, n
		add()
	}
	for i := range kept {
		r.sites.of(&kept[i]).stored++
	}
	for i := range r.sites.list {
		if s := &r.sites.list[i]; s.stored > 0 {
			c.siteCounts.of(s.id).add(e.number, countStored, s.stored)
		}
	}
	entry.Outcome = arrivals.Dropped
	for i := 0; i < len(r.left); i += entry.Events {
		first := &r.left[i]
		n := 1
		for i+n < len(r.left) && r.left[i+n].site == first.site && r.left[i+n].name == first.name && r.left[i+n].reason == first.reason {
			n++
		}
		entry.Site, entry.Name, entry.URL, entry.Events, entry.Reason = first.site, first.name, first.url, n, first.reason
		c.siteCounts.of(first.site).add(e.number, first.reason, n)
		add()
	}
	if r.Unknown > 0 {
		entry.Site, entry.Name, entry.URL, entry.Events, entry.Reason = "", "", "", r.Unknown, reasonSite
		c.siteCounts.of("").add(e.number, reasonSite, r.Unknown)
		add()
	}
}

// refused counts and remembers a refusal.
func (c *Collector) refused(e *endpoint, r *request, ref *protocol.Refusal) {
	entry := arrivals.Entry{At: r.Now, Protocol: e.client, Path: e.Path, Outcome: arrivals.Refused, Reason: string(ref.Reason), Status: ref.Status,
		Trusted: r.who.trusted, Field: ref.Path, Message: ref.Msg, Adjusted: r.Parser.Adjusted()}
	site := ""
	if len(r.inputs) > 0 {
		first := &r.inputs[0]
		entry.Site, entry.Name, entry.URL, entry.Events = first.Site, first.Name, first.URL, len(r.inputs)
		if _, ok := r.policies.of(first.Site); ok {
			site = first.Site
		}
	}
	c.siteCounts.of(site).refuse(e.number, ref.Reason)
	c.arrivals.Add(&entry)
}
