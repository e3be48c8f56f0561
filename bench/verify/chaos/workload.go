package chaos

import (
	"fmt"
	"iter"
	"math/rand/v2"

	"millrace/bench"
	"millrace/engine/event"
)

// Workload says what a log holds. The same Workload gives the same log, byte for byte. Shares are
// of events, from 0 to 1.
type Workload struct {
	// Seed makes the log, Events is its length.
	Seed   uint64
	Events int
	// Sites is how many there are; a few have most of the events.
	Sites int
	// Visitors is the number of people of a site who are around; Pages that of its pages.
	Visitors, Pages int
	// Start is the time of the log's beginning, a whole second; Span how long events are made for.
	Start event.Time
	Span  event.Time
	// Tail is how long ticks go on after the last event, so that every window fires as final.
	Tail event.Time
	// Partitions is that of the topics.
	Partitions int32
	// Busy, if not 0, is the number of partitions that have sites; the others see ticks only.
	Busy int32
	// Collectors write in turn; each ticks once in a second of the log. Dead, if set, is when the
	// last of them falls silent for good, with nothing in hand.
	Collectors int
	Dead       event.Time
	// Batch is the number of events after which a collector writes a record.
	Batch int
	// Lateness is the engine's. Late is the share of events that are older than their window's end
	// and grace, but within the lateness; Dropped of those past it, of the sites that drops has.
	Lateness      event.Time
	Late, Dropped float64
	// Jitter is how far events are out of order within what a collector holds back for.
	Jitter event.Time
	// Bots is the share of events with a bot's user agent.
	Bots float64
	// Poison is the share of records that can't be read, of all that hold events.
	Poison float64
	// Duplicates is the share of events that are sent again under the same id.
	Duplicates float64
	// SaltChange, if set, is when visitors change their hashes; for an hour events carry the one
	// before, too.
	SaltChange event.Time
}

// defaultStart is 2024-05-01 10:45 UTC: twenty minutes later it is another hour.
const defaultStart = event.Time(1_714_560_300_000)

// withDefaults fills in what is zero, but for shares: of what a scenario does not ask for there
// is none.
func (w Workload) withDefaults() Workload {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&w.Events, 20_000)
	set(&w.Sites, 10)
	set(&w.Visitors, 400)
	set(&w.Pages, 60)
	set(&w.Collectors, 2)
	set(&w.Batch, 100)
	if w.Start == 0 {
		w.Start = defaultStart
	}
	if w.Span == 0 {
		w.Span = 20 * event.Minute
	}
	if w.Partitions == 0 {
		w.Partitions = 4
	}
	if w.Lateness == 0 {
		w.Lateness = event.Hour
	}
	if w.Jitter == 0 {
		w.Jitter = 2 * event.Second
	}
	if w.Tail == 0 { // until the last hour has fired for every site
		over := (w.Start+w.Span-1)/event.Hour*event.Hour + event.Hour + grace + 70*event.Second + w.Jitter
		w.Tail = over - w.Start - w.Span
	}
	return w
}

// made is one event as it was made: indexes into the tables of values.
type made struct {
	time     event.Time
	received event.Time
	visitor  event.Visitor // 0: nobody knows
	prev     event.Visitor
	amount   event.Money
	number   uint32 // names the event: duplicates share it
	twin     bool   // may be sent again
	look
}

// look is what an event is counted under, as indexes into the tables of values.
type look struct {
	site     uint32
	page     uint16
	agent    uint8
	arrival  uint8
	place    uint8
	screen   uint8
	language uint8
	name     uint8
	props    uint8
	campaign bool
	blog     bool // on another host of the site
}

// record is one record of the log.
type record struct {
	partition int32
	collector int
	low       event.Time // 0 for poison
	value     []byte
	events    []made // valid until the next record
	poison    bool
	now       event.Time // log time at which it is written
}

// writer makes a log.
type writer struct {
	Workload
	rng     *rand.Rand
	sites   []string
	home    []int32 // partition of each site
	pending [][][]made
	past    []made // some of the events made, to be sent again
	number  uint32
	yield   func(*record) bool
	stopped bool
	buf     []byte
}

// Records are the records of the log in the order in which they are written. A record is valid
// until the next.
func (w Workload) records() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		g := &writer{Workload: w, rng: rand.New(rand.NewPCG(w.Seed, 0x6368616f73)), yield: yield}
		g.sites, g.home = w.siteTable()
		g.pending = make([][][]made, w.Collectors)
		for c := range g.pending {
			g.pending[c] = make([][]made, w.Partitions)
		}
		g.run()
	}
}

// drops reports whether a site has events that come too late: the first half of the sites. The
// self-audit leaves alone what such events explain, and judges the others.
func (w *Workload) drops(site int) bool { return w.Dropped > 0 && site < (w.Sites+1)/2 }

// siteTable names the sites, and says in which partition each lies.
func (w *Workload) siteTable() (names []string, home []int32) {
	for i := 0; len(names) < w.Sites; i++ {
		name := fmt.Sprintf("s%d.example", i)
		p := event.Partition(name, 0, w.Partitions)
		if w.Busy == 0 || p < w.Busy {
			names, home = append(names, name), append(home, p)
		}
	}
	return names, home
}

// run makes the log from its beginning to its end.
func (g *writer) run() {
	end := g.Start + g.Span
	now, tick := float64(g.Start), g.Start+event.Second
	step := float64(g.Span) / float64(g.Events)
	for i := 0; i < g.Events && !g.stopped; i++ {
		// Gaps are exponential around the step that spreads the events over the span.
		now = min(now+g.rng.ExpFloat64()*step, float64(end-1))
		for ; event.Time(now) >= tick; tick += event.Second {
			g.tick(tick)
		}
		g.event(event.Time(now))
	}
	// After the last minute's end time goes by in larger steps.
	step, calm := float64(event.Second), end+90*event.Second
	for end += g.Tail; tick <= end && !g.stopped; tick += event.Time(step) {
		g.tick(tick)
		if tick > calm {
			step = float64(4 * event.Second)
		}
	}
}

// alive is the number of collectors at an instant.
func (g *writer) alive(now event.Time) int {
	if g.Dead != 0 && now >= g.Dead {
		return g.Collectors - 1
	}
	return g.Collectors
}

// tick lets every collector write what it holds, and a tick. What comes later may be older than the
// tick by the jitter.
func (g *writer) tick(now event.Time) {
	for c := range g.Collectors {
		gone := c >= g.alive(now)
		for p := range g.Partitions {
			if len(g.pending[c][p]) > 0 {
				g.write(c, p, now)
			}
			if !gone {
				g.emit(&record{partition: p, collector: c, low: now - g.Jitter, now: now})
			}
		}
	}
}

// event makes one event and gives it to a collector.
func (g *writer) event(now event.Time) {
	r := g.rng
	e := g.make(now)
	if len(g.past) > 0 && r.Float64() < g.Duplicates {
		e = g.again(now)
	} else if g.Duplicates > 0 && r.IntN(8) == 0 {
		e.twin = true
		g.past = append(g.past, e)
	}
	c, p := r.IntN(g.alive(now)), g.home[e.site]
	g.pending[c][p] = append(g.pending[c][p], e)
	if len(g.pending[c][p]) == g.Batch {
		g.write(c, p, now)
	}
}

// make makes an event that has not been there before.
func (g *writer) make(now event.Time) made {
	r := g.rng
	g.number++
	e := made{
		time: now - event.Time(r.Int64N(int64(g.Jitter))), received: now, number: g.number,
		look: look{site: uint32(skewed(r, g.Sites)), page: uint16(skewed(r, g.Pages)), arrival: internalArrival},
	}
	// A visitor keeps place, language and browser: they follow from its number. Now and then one
	// moves.
	n := uint64(r.IntN(g.Visitors))
	who := bench.Mix(uint64(e.site)<<32 | n)
	if n > 0 {
		e.visitor = event.Visitor(who)
	}
	if g.SaltChange != 0 && now >= g.SaltChange && n > 0 {
		e.visitor = event.Visitor(bench.Mix(who))
		if now < g.SaltChange+event.Hour {
			e.prev = event.Visitor(who)
		}
	}
	e.agent = uint8(who >> 8 % humanAgents)
	e.place = uint8(who >> 20 % uint64(len(places)))
	e.screen = uint8(who >> 30 % uint64(len(screens)))
	e.language = uint8(who >> 40 % uint64(len(languageValues)))
	if r.IntN(30) == 0 {
		e.place, e.language = uint8(r.IntN(len(places))), uint8(r.IntN(len(languageValues)))
	}
	e.blog = r.IntN(10) == 0
	e.props = uint8(r.IntN(len(propValues)))
	switch k := r.IntN(100); {
	case k < 45:
		e.arrival = uint8(r.IntN(len(arrivals)))
	case k < 50:
		e.arrival, e.campaign = uint8(r.IntN(len(arrivals))), true
	}
	if r.IntN(5) == 0 {
		e.name = uint8(1 + r.IntN(len(names)-1))
		if e.name == signup {
			e.amount = event.Money(r.IntN(100_000))
		}
	}
	switch u := r.Float64(); {
	case u < g.Late:
		// By minutes, or by as much as is allowed, so that hours which have fired do so again. Of
		// the latter each makes a window fire once more, so that there is a bound on their share.
		most := g.Lateness - 3*event.Minute
		if u > min(g.Late/4, 0.02) {
			most = min(most, 6*event.Minute)
		}
		e.time -= event.Minute + event.Time(r.Int64N(int64(most)))
	case u < g.Late+g.Dropped && g.drops(int(e.site)):
		// So late that it is past the lateness however windows are grouped.
		e.time -= g.Lateness + event.Hour + event.Minute + event.Time(r.Int64N(int64(event.Hour)))
	case u < g.Late+g.Dropped+g.Bots:
		e.agent = uint8(humanAgents + r.IntN(len(agents)-humanAgents))
	}
	return e
}

// again sends one of the past events once more: mostly soon, now and then so late that nobody
// remembers it, never in between, where the horizon's grain decides.
func (g *writer) again(now event.Time) made {
	i := len(g.past) - 1 - g.rng.IntN(min(len(g.past), 16))
	if g.rng.IntN(8) == 0 {
		i = g.rng.IntN(len(g.past))
	}
	e := g.past[i]
	age := now - e.received
	g.past = append(g.past[:i], g.past[i+1:]...)
	if age > 8*event.Minute && age < 13*event.Minute {
		return g.make(now)
	}
	e.received = now
	return e
}

// write lets a collector write what it holds for a partition.
func (g *writer) write(c int, p int32, now event.Time) {
	g.emit(&record{partition: p, collector: c, low: now - g.Jitter, now: now, events: g.pending[c][p]})
	g.pending[c][p] = g.pending[c][p][:0]
}

// emit writes a record, and in front of some of them one that can't be read.
func (g *writer) emit(rec *record) {
	if g.stopped {
		return
	}
	list := g.buf[:0]
	for i := range rec.events {
		if i > 0 {
			list = append(list, ',')
		}
		list = g.append(list, &rec.events[i])
	}
	g.buf = list
	rec.value = event.AppendEnvelope(nil, fmt.Sprintf("c%d", rec.collector), rec.low, list)
	if len(rec.events) > 0 && g.rng.Float64() < g.Poison {
		// In front of it, so that the events themselves are not lost.
		if bad := g.poisoned(rec); !g.yield(bad) {
			g.stopped = true
			return
		}
	}
	g.stopped = !g.yield(rec)
}

// poisoned makes a record that can't be read.
func (g *writer) poisoned(rec *record) *record {
	bad := &record{partition: rec.partition, collector: rec.collector, now: rec.now, poison: true}
	switch k := g.rng.IntN(100); {
	case k < 35:
		bad.value = rec.value[:len(rec.value)/2]
	case k < 60:
		bad.value = nil
	case k < 85:
		bad.value = []byte(`{"v":9,"collector":"c0","low":1,"events":[]}`)
	case k < 98:
		bad.value = []byte("\x00\xff not JSON")
	default:
		bad.value = make([]byte, 2<<20)
	}
	return bad
}

// append renders an event.
func (g *writer) append(dst []byte, e *made) []byte {
	site := g.sites[e.site]
	host, at := site, &places[e.place]
	if e.blog {
		host = "blog." + site
	}
	ev := event.Event{
		ID: eventID(e.number), Site: site, Name: names[e.name].name, Time: e.time, Received: e.received,
		Visitor: e.visitor, VisitorPrev: e.prev, URL: "https://" + host + pagePath(e.page), UA: agents[e.agent].ua,
		Language: languageValues[e.language], Country: at.country, Region: at.region, City: at.city,
		Screen: screens[e.screen].size, Props: propValues[e.props], NonInteractive: names[e.name].nonInteractive, Client: "v1",
	}
	if e.campaign {
		ev.URL += campaignQuery
	}
	if e.arrival == internalArrival {
		ev.Referrer = "https://" + site + "/"
	} else {
		ev.Referrer = arrivals[e.arrival].referrer
	}
	if e.name == signup {
		ev.Amount, ev.Currency = e.amount, "EUR"
	}
	return ev.Append(dst)
}

// eventID is the id of an event: its duplicates have the same.
func eventID(number uint32) string { return fmt.Sprintf("e%08x", number) }

// pagePath is the path of a page.
func pagePath(i uint16) string {
	if i == 0 {
		return "/"
	}
	return fmt.Sprintf("/section-%d/page-%d", i%7, i)
}

// skewed draws from 0 to n-1, small numbers far more often.
func skewed(r *rand.Rand, n int) int {
	u := r.Float64()
	return int(u * u * float64(n))
}
