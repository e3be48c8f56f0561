package queries

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"millrace/engine/event"
)

const (
	partitions = 4
	collectors = 3
	timeout    = 30 * event.Minute
	day        = 24 * event.Hour
)

// first and last are the 13 months of the traffic: [first, last).
var (
	first = event.TimeOf(time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC))
	last  = event.TimeOf(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
)

// kind is what an event is.
type kind uint8

const (
	pageview kind = iota
	signup
	purchase
	download
	scroll  // not interactive
	oddName // whose name looks like no value
	ping
)

var names = [...]string{event.Pageview, "signup", "purchase", "download", "scroll", "(none)", "engagement"}

// beacon is an event of the traffic. What else there is of it is in the catalogue.
type beacon struct {
	at, received event.Time
	person       uint32
	site         uint8
	kind         kind
	page         uint8
	arrival      int8 // -1: from a page of the site
	agent        uint8
	place        uint8
	language     uint8
	screen       uint8
	seed         uint16 // of what is left: properties, revenue
	id           uint32 // 0: none
	copyOf       bool
}

// Classes of persons, by their number. What the order of the log decides does not occur with those who come in order; late ones send
// no pings, make no long visits, and are not there at midnight (UTC), where ids change.
type class uint8

const (
	ordinary class = iota
	late
	long   // makes visits of more than 12 hours
	robot  // has the user agent of one
	nobody // whose visitor nobody knows
	server // whose events a trusted server sends
)

func classOf(person uint32) class {
	switch person % 30 {
	case 0, 10, 20:
		return late
	case 1:
		return long
	case 7:
		return robot
	case 12:
		return nobody
	case 13:
		return server
	}
	return ordinary
}

// traffic makes beacons.
type traffic struct {
	rng    *rand.Rand
	sites  []site
	zones  []*time.Location
	people []uint32 // how many each site has
	days   []event.Time
	list   []beacon
	weight int
	ids    uint32
}

// makeTraffic returns so many beacons, and copies of some, in the order in which collectors receive them.
func makeTraffic(seed uint64, events int, sites []site) ([]beacon, error) {
	t := &traffic{rng: rand.New(rand.NewPCG(seed, 0x71756572)), sites: sites}
	for _, s := range sites {
		t.weight += s.weight
	}
	for _, s := range sites {
		zone, err := time.LoadLocation(s.zone)
		if err != nil {
			return nil, fmt.Errorf("time zone of %s: %w", s.name, err)
		}
		t.zones = append(t.zones, zone)
		t.people = append(t.people, uint32(max(60, events*s.weight/t.weight/20)))
	}
	t.chooseDays(events)
	for len(t.list) < events {
		t.visit()
	}
	t.list = t.list[:events]
	t.repeat()
	slices.SortStableFunc(t.list, func(a, b beacon) int { return cmp.Or(cmp.Compare(a.received, b.received), cmp.Compare(a.at, b.at)) })
	return t.list, nil
}

// chooseDays takes some days of the 13 months: the first and the last, days on which clocks change, and as many others as the traffic fills.
func (t *traffic) chooseDays(events int) {
	var special []event.Time
	all := int((last - first) / day)
	for _, z := range t.zones {
		for d := first; d < last; d += day {
			_, before := d.Std().In(z).Zone()
			if _, after := (d + day).Std().In(z).Zone(); before != after && !slices.Contains(special, d) {
				special = append(special, d)
			}
		}
	}
	t.rng.Shuffle(len(special), func(i, k int) { special[i], special[k] = special[k], special[i] })
	want := min(all, max(24, events/1000))
	t.days = append(t.days, first, last-day)
	for i := 0; len(t.days) < want; i++ {
		d := first + event.Time(t.rng.IntN(all))*day
		if i < len(special) && i < want/2 {
			d = special[i]
		}
		if !slices.Contains(t.days, d) {
			t.days = append(t.days, d)
		}
	}
}

func (t *traffic) pickSite() int {
	n := t.rng.IntN(t.weight)
	for i := range t.sites {
		if n -= t.sites[i].weight; n < 0 {
			return i
		}
	}
	return 0
}

// hash spreads numbers.
func hash(list ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, n := range list {
		h ^= n
		h ^= h >> 30
		h *= 0xbf58476d1ce4e5b9
		h ^= h >> 27
		h *= 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// visit makes what somebody does who means to make one visit; by the rules it may be several, or part of one.
func (t *traffic) visit() {
	r, i := t.rng, t.pickSite()
	c := beacon{site: uint8(i), person: uint32(r.IntN(int(t.people[i])))}
	is := classOf(c.person)
	h := hash(uint64(i), uint64(c.person))
	c.agent, c.place = uint8(h%uint64(len(people))), uint8(h>>8%uint64(len(places)))
	c.language, c.screen = uint8(h>>16%uint64(len(languages))), uint8(h>>24%uint64(len(screens)))
	c.arrival = int8(r.IntN(1 + r.IntN(len(arrivals))))
	n, extended := 1, is == long && r.IntN(10) == 0
	for r.IntN(6) > 0 {
		n++
	}
	if extended {
		n = 50 + r.IntN(50)
	}
	at := t.start(i, is)
	began := at
	for k := range n {
		e := c
		e.at, e.received, e.page, e.seed = at, at, uint8(r.IntN(1+r.IntN(len(pages)))), uint16(r.Uint32())
		e.kind = t.kindOf(is, k)
		t.vary(&e, k)
		if is == late {
			t.delay(&e, began)
		}
		t.list = append(t.list, e)
		at += t.pause(extended)
	}
}

func (t *traffic) kindOf(is class, k int) kind {
	switch n := t.rng.IntN(100); {
	case n < 4:
		return signup
	case n < 9:
		return purchase
	case n < 12:
		return download
	case n < 19:
		return scroll
	case n == 19:
		return oddName
	case n < 30 && is != late && k > 0 || n == 30 && is != late:
		return ping
	}
	return pageview
}

// vary changes what is mostly the same in a visit.
func (t *traffic) vary(e *beacon, k int) {
	r := t.rng
	if k > 0 && r.IntN(12) > 0 {
		e.arrival = -1
	}
	if k == 0 && r.IntN(12) == 0 {
		e.arrival = -1
	}
	switch r.IntN(40) {
	case 0:
		e.agent = uint8(r.IntN(len(people)))
	case 1:
		e.place = uint8(r.IntN(len(places)))
	case 2:
		e.language = uint8(r.IntN(len(languages)))
	case 3:
		e.screen = uint8(r.IntN(len(screens)))
	}
}

// delay has an event come late, or too late. Between 45 and 75 minutes it would depend on the watermark.
func (t *traffic) delay(e *beacon, began event.Time) {
	switch n := t.rng.IntN(100); {
	case n < 20:
		e.received += event.Time(t.rng.Int64N(int64(3 * event.Second)))
	case n < 45:
		e.received += event.Time(t.rng.Int64N(int64(45 * event.Minute)))
	case n < 50:
		e.received += 75*event.Minute + event.Time(t.rng.Int64N(int64(90*event.Minute)))
	}
}

// start draws when a visit begins: by day rather than by night, and often where counting is difficult.
func (t *traffic) start(i int, is class) event.Time {
	r := t.rng
	d := t.days[r.IntN(len(t.days))]
	at := d + event.Time(r.Int64N(int64(day)))
	around := func(at, by event.Time) event.Time { return at + event.Time(r.Int64N(int64(2*by))) - by }
	n := r.IntN(100)
	if is == late { // within a day of ids, with all that comes late
		return d + event.Time(2+r.IntN(17))*event.Hour + event.Time(r.Int64N(int64(event.Hour)))
	}
	switch {
	case n < 8: // midnight of UTC, where ids change
		at = around(d, 45*event.Minute)
	case n < 14: // the site's midnight
		y, m, day := at.Std().In(t.zones[i]).Date()
		at = around(event.TimeOf(time.Date(y, m, day, 0, 0, 0, 0, t.zones[i])), 45*event.Minute)
	case n < 17: // the small hours, when clocks change
		at = around(d+event.Time(r.IntN(24))*event.Hour, 10*event.Minute)
	case n < 24: // the border of a quarter, to the millisecond
		at = at.Floor(15*event.Minute) + event.Time(r.IntN(3)-1)
	default:
		if h := at.Std().In(t.zones[i]).Hour(); h < 7 && r.IntN(4) > 0 {
			at += 9 * event.Hour
		}
	}
	return max(first, min(at, last-1))
}

func (t *traffic) pause(extended bool) event.Time {
	r := t.rng
	if extended {
		return 5*event.Minute + event.Time(r.Int64N(int64(20*event.Minute)))
	}
	switch k := r.IntN(100); {
	case k < 2:
		return 0
	case k < 4: // the end of a visit, to the millisecond
		return timeout + event.Time(r.IntN(3)-1)
	case k < 6:
		return timeout + event.Time(r.IntN(40_000)-20_000)
	}
	return event.Time(r.ExpFloat64() * 45_000)
}

// repeat gives some events ids, and has some of these come twice, as a sender does that got no answer.
func (t *traffic) repeat() {
	for i := range t.list {
		if t.rng.IntN(8) > 0 {
			continue
		}
		t.ids++
		t.list[i].id = t.ids
		for t.rng.IntN(4) == 0 {
			c := t.list[i]
			c.copyOf = true
			c.received += event.Time(t.rng.Int64N(int64(8 * event.Minute)))
			t.list = append(t.list, c)
		}
	}
}
