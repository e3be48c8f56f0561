package chaos

import (
	"fmt"
	"iter"
	"strings"

	"millrace/bench/tally"
	"millrace/bench/verify/oracle"
	"millrace/engine/event"
	"millrace/engine/window"
)

// The engine's rules of time and its budget of values, at their defaults.
const (
	grace       = 2 * event.Second
	silentAfter = 10 * event.Second
	limit       = 500
)

// counts is the recount of a log that is being written: an oracle for each partition, which knows
// the events as they were made.
type counts struct {
	work  Workload
	sites []string
	hosts []string // of a site's pages, and behind them those of its blog's
	parts []*oracle.Oracle
	ends  []int64          // records of each partition
	dead  []map[int64]bool // those of them that can't be read
	last  event.Time       // log time reached

	events []oracle.Event // of the record under way
}

// newCounts returns the recount of a log before its first record.
func newCounts(w Workload) *counts {
	c := &counts{work: w, ends: make([]int64, w.Partitions)}
	c.sites, _ = w.siteTable()
	c.hosts = append(c.hosts, c.sites...)
	for _, site := range c.sites {
		c.hosts = append(c.hosts, "blog."+site)
	}
	rules := oracle.Rules{Lateness: w.Lateness, Limit: limit}
	if w.Pages >= limit {
		rules.Unknown = []window.Family{window.EntryPages, window.ExitPages}
	}
	for range w.Partitions {
		c.parts = append(c.parts, oracle.New(rules))
		c.dead = append(c.dead, map[int64]bool{})
	}
	return c
}

// add counts the next record of the log.
func (c *counts) add(rec *record) {
	o := c.parts[rec.partition]
	offset := c.ends[rec.partition]
	c.ends[rec.partition]++
	c.last = max(c.last, rec.now)
	if rec.poison {
		o.Unreadable()
		c.dead[rec.partition][offset] = true
		return
	}
	c.events = c.events[:0]
	for i := range rec.events {
		c.events = append(c.events, c.event(&rec.events[i]))
	}
	o.Record(rec.collector, rec.low, len(c.events) == 0, c.events)
}

// event describes an event to the oracle. Of most it is known that they come once.
func (c *counts) event(e *made) oracle.Event {
	facts := &facts{look: e.look, host: c.hosts[e.site]}
	if e.blog {
		facts.host = c.hosts[len(c.sites)+int(e.site)]
	}
	v := oracle.Event{
		Site: c.sites[e.site], Time: e.time, Received: e.received, Visitor: e.visitor, Prev: e.prev,
		Bot: agents[e.agent].bot != "", Pageview: e.name == 0, Passive: names[e.name].nonInteractive,
		Revenue: e.amount, Paid: e.name == signup, Facts: facts,
	}
	if e.twin {
		v.ID = eventID(e.number)
	}
	return v
}

// facts are what an event is counted under.
type facts struct {
	look
	host string
}

// Describe implements oracle.Facts, from the tables of values.
func (f *facts) Describe(d *oracle.Description) {
	ag, at := &agents[f.agent], &places[f.place]
	d.Dims[window.Reason] = ag.bot
	d.Dims[window.Page] = pagePath(f.page)
	if f.name == 0 {
		d.Dims[window.EntryPage] = d.Dims[window.Page]
	}
	d.Dims[window.Hostname] = f.host
	if f.arrival != internalArrival {
		from := &arrivals[f.arrival]
		d.Dims[window.Source], d.Dims[window.Referrer], d.Dims[window.Channel] = from.source, from.page, from.channel
	}
	if f.campaign {
		for dim, s := range campaignDims {
			d.Dims[dim] = s
		}
	}
	d.Dims[window.Country], d.Dims[window.Region], d.Dims[window.City] = at.country, at.region, at.city
	d.Dims[window.Language] = languageValues[f.language]
	d.Dims[window.Browser], d.Dims[window.BrowserVersion] = ag.browser, ag.browserVersion
	d.Dims[window.OS], d.Dims[window.OSVersion] = ag.os, ag.osVersion
	d.Dims[window.Device] = ag.device
	d.Dims[window.Screen] = screens[f.screen].class
	d.Dims[window.Name] = names[f.name].name
	d.Props = propValues[f.props]
	switch goal := names[f.name].goal; {
	case goal != "":
		d.Goals = []string{goal}
	case f.name == 0 && strings.HasPrefix(d.Dims[window.Page], goalSection):
		d.Goals = []string{goalPage}
	}
}

// windows are those that there have to be, of all partitions.
func (c *counts) windows() iter.Seq2[tally.Window, *tally.Cells] {
	return func(yield func(tally.Window, *tally.Cells) bool) {
		for _, o := range c.parts {
			for k, cells := range o.Windows() {
				if !yield(k, cells) {
					return
				}
			}
		}
	}
}

// compare holds what was written against the recount, value by value.
func (c *counts) compare(got tally.Written) tally.Verdict {
	return tally.Compare(c.windows(), got, tally.Options{Errors: 3})
}

// records is how many there are.
func (c *counts) records() int64 {
	n := int64(0)
	for _, e := range c.ends {
		n += e
	}
	return n
}

// total accounts for the events of all partitions.
func (c *counts) total() (sum oracle.Counters) {
	for _, o := range c.parts {
		sum.Add(o.Counters())
	}
	return sum
}

// checkCounters compares what the engine says it did with every event.
func checkCounters(got, want oracle.Counters) []string {
	if got != want {
		return []string{fmt.Sprintf("the engine's counters are %+v, the recount has %+v", got, want)}
	}
	if sum := got.OnTime + got.Late + got.Dropped + got.Duplicates + got.Bots + got.Pings; sum != got.Events {
		return []string{fmt.Sprintf("on time %d + late %d + dropped %d + duplicates %d + bots %d + pings %d = %d, but there were %d events",
			got.OnTime, got.Late, got.Dropped, got.Duplicates, got.Bots, got.Pings, sum, got.Events)}
	}
	return nil
}

// checkDead compares the dead letters with the records that could not be read.
func (c *counts) checkDead(topic string, letters map[string]string) []string {
	var wrong []string
	seen := 0
	for p, dead := range c.dead {
		for offset := range dead {
			if at := fmt.Sprintf("%s/%d/%d", topic, p, offset); letters[at] == "" {
				wrong = append(wrong, "no dead letter about "+at)
			} else {
				seen++
			}
		}
	}
	if len(letters) != seen {
		wrong = append(wrong, fmt.Sprintf("%d dead letters are about records that are well", len(letters)-seen))
	}
	return wrong
}

// final is the log time by which a window has fired as final.
func final(start event.Time) event.Time { return start + event.Minute + grace }
