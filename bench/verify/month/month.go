package month

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Options are the settings of Write.
type Options struct {
	// Events is the number of events, but for those that come twice.
	Events int
	// Seed makes the traffic.
	Seed uint64
	// First is the month's first day, of UTC; Days its length, default 31. Visits begin within it.
	First time.Time
	Days  int
}

// Site is a site and where it is.
type Site struct{ Name, Zone string }

// Autumn and Spring begin months in which the clocks of all Sites change: by an hour, and in Lord
// Howe by half an hour.
var (
	Autumn = time.Date(2025, 10, 4, 0, 0, 0, 0, time.UTC) // Lord Howe forward on 5 October, Berlin back on the 26th, New York on 2 November
	Spring = time.Date(2025, 3, 8, 0, 0, 0, 0, time.UTC)  // New York forward on 9 March, Berlin on the 30th, Lord Howe back on 6 April
)

// Sites returns the sites, the one with the most traffic first.
func Sites() []Site {
	return []Site{
		{"berlin.example", "Europe/Berlin"},
		{"newyork.example", "America/New_York"},
		{"lordhowe.example", "Australia/Lord_Howe"},
	}
}

// Bots returns the user agents that are bots'.
func Bots() []string {
	return []string{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"curl/8.5.0",
	}
}

var browsers = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36",
}

const (
	pages   = 60
	timeout = 30 * time.Minute
	day     = 24 * time.Hour
)

// kind is what an event is.
type kind uint8

const (
	pageview kind = iota
	signup        // interactive
	scroll        // not interactive
)

// click is one event.
type click struct {
	ms     int64
	person uint32
	site   uint8
	page   uint8
	kind   kind
}

// place is a site with what its traffic depends on.
type place struct {
	Site
	zone    *time.Location
	changes []time.Time // of summer time, within the month
	people  int
}

// month is one Write.
type month struct {
	o      Options
	rng    *rand.Rand
	places []place
	clicks []click
}

// Write writes a month. The time zones have to be known to package time.
func Write(w io.Writer, o Options) error {
	o.Days = cmp.Or(o.Days, 31)
	m := &month{o: o, rng: rand.New(rand.NewPCG(o.Seed, 0x6d6f6e7468))}
	for i, s := range Sites() {
		zone, err := time.LoadLocation(s.Zone)
		if err != nil {
			return fmt.Errorf("time zone of %s: %w", s.Name, err)
		}
		// Somebody comes back a few times in the month.
		m.places = append(m.places, place{s, zone, changes(zone, o.First, o.Days), max(10, o.Events/(20<<i))})
	}
	for len(m.clicks) < o.Events {
		m.visit()
	}
	m.clicks = m.clicks[:o.Events]
	slices.SortStableFunc(m.clicks, func(a, b click) int { return cmp.Compare(a.ms, b.ms) })
	m.disorder()
	return m.write(w)
}

// changes returns when the clocks change, to the half hour.
func changes(zone *time.Location, first time.Time, days int) (list []time.Time) {
	const step = 30 * time.Minute
	for t, end := first, first.Add(time.Duration(days)*day); t.Before(end); t = t.Add(step) {
		_, before := t.In(zone).Zone()
		if _, after := t.Add(step).In(zone).Zone(); before != after {
			list = append(list, t.Add(step))
		}
	}
	return list
}

// visit makes what somebody does who means to make one visit; by the rules it may be several, or
// part of one.
func (m *month) visit() {
	r := m.rng
	site := []int{0, 0, 0, 0, 0, 1, 1, 1, 2, 2}[r.IntN(10)]
	p := &m.places[site]
	c := click{site: uint8(site), person: uint32(r.IntN(p.people))}
	at := m.start(p)
	n, long := 1, r.IntN(2000) == 0
	for r.IntN(6) > 0 {
		n++
	}
	if long {
		n = 60 + r.IntN(60)
	}
	for range n {
		c.ms, c.page, c.kind = at.UnixMilli(), uint8(r.IntN(1+r.IntN(pages))), pageview
		switch k := r.IntN(100); {
		case k < 10:
			c.kind = signup
		case k < 18:
			c.kind = scroll
		}
		m.clicks = append(m.clicks, c)
		at = at.Add(m.pause(long))
	}
}

// start draws when a visit begins: by day rather than by night, and often where counting is
// difficult.
func (m *month) start(p *place) time.Time {
	r := m.rng
	at := m.o.First.Add(time.Duration(r.Int64N(int64(m.o.Days) * int64(day)))).Truncate(time.Millisecond)
	around := func(t time.Time, d time.Duration) time.Time {
		return t.Add(time.Duration(r.Int64N(int64(2*d)) - int64(d))).Truncate(time.Millisecond)
	}
	switch k := r.IntN(100); {
	case k < 8: // midnight of UTC, where ids change
		return around(at.Truncate(day), 45*time.Minute)
	case k < 14: // the site's midnight
		y, mo, d := at.In(p.zone).Date()
		return around(time.Date(y, mo, d, 0, 0, 0, 0, p.zone), 45*time.Minute)
	case k < 16 && len(p.changes) > 0:
		return around(p.changes[r.IntN(len(p.changes))], 2*time.Hour)
	case k < 24: // the border of a quarter, to the millisecond
		return at.Truncate(15 * time.Minute).Add(time.Duration(r.IntN(3)-1) * time.Millisecond)
	}
	if h := at.In(p.zone).Hour(); h < 7 && r.IntN(4) > 0 {
		at = at.Add(9 * time.Hour)
	}
	return at
}

func (m *month) pause(long bool) time.Duration {
	r := m.rng
	if long {
		return 5*time.Minute + time.Duration(r.IntN(20*60_000))*time.Millisecond
	}
	switch k := r.IntN(100); {
	case k < 2:
		return 0
	case k < 4: // the end of a visit, to the millisecond
		return timeout + time.Duration(r.IntN(3)-1)*time.Millisecond
	case k < 6:
		return timeout + time.Duration(r.IntN(40_000)-20_000)*time.Millisecond
	}
	return time.Duration(r.ExpFloat64()*45_000) * time.Millisecond
}

// disorder exchanges events with later ones of the same hour, but not where ids change.
func (m *month) disorder() {
	hour := func(c click) int64 { return c.ms / time.Hour.Milliseconds() }
	for i := range m.clicks {
		j := i + m.rng.IntN(200)
		if m.rng.IntN(20) > 0 || j >= len(m.clicks) {
			continue
		}
		if a, b := m.clicks[i], m.clicks[j]; hour(a) == hour(b) && hour(a)%24 != 0 {
			m.clicks[i], m.clicks[j] = b, a
		}
	}
}

func (m *month) write(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<20)
	var line []byte
	for i, c := range m.clicks {
		twice := m.rng.IntN(300) == 0
		line = m.line(line[:0], c)
		if twice {
			line = append(line, `,"id":"twice-`...)
			line = strconv.AppendInt(line, int64(i), 10)
			line = append(line, '"')
		}
		line = append(line, "}\n"...)
		if twice {
			line = append(line, line...)
		}
		if _, err := w.Write(line); err != nil {
			return fmt.Errorf("write events: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

// line appends an event without its last brace.
func (m *month) line(b []byte, c click) []byte {
	p := &m.places[c.site]
	b = append(b, `{"site":"`...)
	b = append(b, p.Name...)
	b = append(b, `","name":"`...)
	b = append(b, [...]string{"pageview", "signup", "scroll"}[c.kind]...)
	b = append(b, `","url":"https://`...)
	b = append(b, p.Name...)
	b = append(b, "/p/"...)
	b = strconv.AppendInt(b, int64(c.page), 10)
	b = append(b, `?from=mail","ts":`...)
	b = strconv.AppendInt(b, c.ms, 10)
	b = append(b, `,"ip":"`...)
	b = addr(c.person).AppendTo(b)
	b = append(b, `","ua":"`...)
	b = append(b, agent(c.person)...)
	b = append(b, '"')
	if c.kind == scroll {
		b = append(b, `,"interactive":false`...)
	}
	return b
}

// addr returns a person's address, and agent the user agent: each thirtieth is a bot.
func addr(person uint32) netip.Addr {
	n := 0x50000000 + person
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func agent(person uint32) string {
	if bots := Bots(); person%30 == 7 {
		return bots[person/30%uint32(len(bots))]
	}
	return browsers[person%uint32(len(browsers))]
}
