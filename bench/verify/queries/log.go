package queries

import (
	"strconv"
	"strings"

	"millrace/engine/event"
)

// record is a record of the log.
type record struct {
	partition int32
	value     []byte
}

// writer makes records of beacons: each collector sends what it has received, and now and then that it has received nothing.
type writer struct {
	sites []site
	put   func(record) error

	lows  [partitions]event.Time // of the last record
	batch [partitions]batch
}

// batch is a record under way.
type batch struct {
	collector int
	at        event.Time
	n         int
	events    []byte
}

const (
	mostInBatch = 12
	// tickAfter is for how long at most a partition has no record while there is traffic.
	tickAfter = 10 * event.Minute
)

// write makes the records of beacons in their order.
func (w *writer) write(list []beacon) error {
	for i := range list {
		b := &list[i]
		s := &w.sites[b.site]
		p := event.Partition(s.name, uint16(int(b.person)%s.shards), partitions)
		if err := w.add(p, b); err != nil {
			return err
		}
	}
	for p := range int32(partitions) {
		if err := w.flush(p); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) add(p int32, b *beacon) error {
	c := &w.batch[p]
	// Mostly one collector has all of an hour, so that batches are no single events.
	by := int(hash(uint64(p), uint64(b.received/event.Hour)) % collectors)
	if b.copyOf || b.person%5 == 0 {
		by = int(b.person+1) % collectors
	}
	tooLate := b.received-b.at > event.Hour
	if c.n > 0 && (c.collector != by || c.n == mostInBatch || b.received-c.at > 2*event.Second || tooLate) {
		if err := w.flush(p); err != nil {
			return err
		}
	}
	// Who receives an event that is too late knows what time it is.
	if b.received-w.lows[p] > tickAfter || tooLate {
		if err := w.tick(p, b.received); err != nil {
			return err
		}
	}
	if c.n == 0 {
		c.collector, c.events = by, c.events[:0]
	} else {
		c.events = append(c.events, ',')
	}
	e := w.event(b)
	c.events = e.Append(c.events)
	c.n, c.at = c.n+1, b.received
	return nil
}

func (w *writer) flush(p int32) error {
	c := &w.batch[p]
	if c.n == 0 {
		return nil
	}
	c.n, w.lows[p] = 0, c.at
	return w.put(record{p, event.AppendEnvelope(nil, collectorName(c.collector), c.at, c.events)})
}

// tick has all collectors say what time it is.
func (w *writer) tick(p int32, at event.Time) error {
	if err := w.flush(p); err != nil {
		return err
	}
	for c := range collectors {
		if err := w.put(record{p, event.AppendEnvelope(nil, collectorName(c), at, nil)}); err != nil {
			return err
		}
	}
	w.lows[p] = at
	return nil
}

func collectorName(n int) string { return "collector-" + strconv.Itoa(n) }

// visitorOf returns the id of a person at a site on a day.
func visitorOf(site uint8, person uint32, day event.Time) event.Visitor {
	return event.Visitor(hash(1, uint64(site), uint64(person), uint64(day)))
}

// event returns the event of a beacon.
func (w *writer) event(b *beacon) event.Event {
	s := &w.sites[b.site]
	e := event.Event{
		Site: s.name, Name: names[b.kind], Time: b.at, Received: b.received, Client: "v1",
		UA: people[b.agent].ua, Language: languages[b.language].sent, Screen: screens[b.screen].sent,
		Country: places[b.place].country, Region: places[b.place].region, City: places[b.place].city,
		NonInteractive: b.kind == scroll, Ping: b.kind == ping,
	}
	if b.id != 0 {
		e.ID = "id-" + strconv.Itoa(int(b.id))
	}
	host := [...]string{s.name, "www." + s.name, "Blog." + s.name + ":8080"}[b.person%3]
	query := ""
	if b.arrival < 0 {
		e.Referrer = "https://www." + s.name + pages[b.seed%7].sent
	} else {
		e.Referrer, query = arrivals[b.arrival].referrer, "?"+arrivals[b.arrival].query
	}
	path := pages[b.page].sent
	if s.hash && strings.Contains(path, "..") {
		path = "/" // with a fragment dots stay as they are
	}
	e.URL = "https://" + host + path + query
	if s.hash {
		e.HashRoute = true
		e.URL += [...]string{"", "#/about", "#/list?sort=up"}[b.seed%3]
	}
	w.sender(b, &e)
	w.more(b, &e)
	return e
}

// sender sets who has sent an event.
func (w *writer) sender(b *beacon, e *event.Event) {
	day := b.at.Floor(day)
	e.Visitor = visitorOf(b.site, b.person, day)
	if b.at-day < event.Hour {
		e.VisitorPrev = visitorOf(b.site, b.person, day-24*event.Hour)
	}
	switch classOf(b.person) {
	case robot:
		e.UA = bots[b.person/30%uint32(len(bots))].ua
	case nobody:
		e.Visitor, e.VisitorPrev = 0, 0
	case server:
		e.UA, e.Client = "", "v1.server"
		if b.seed%4 == 0 {
			e.URL = ""
		}
	case ordinary:
		if b.seed%300 == 0 {
			e.Bot = "datacenter"
		}
	}
}

// more sets properties and revenue.
func (w *writer) more(b *beacon, e *event.Event) {
	n := uint64(b.seed)
	switch b.kind {
	case pageview:
		if n%4 == 0 {
			e.Props = []event.Prop{{Key: "author", Value: [...]string{"Ada", "Ben", `C "C" Clarke`, "Dóra", "(none)"}[n/4%5]}, {Key: "content type", Value: [...]string{"post", "page"}[n/20%2]}}
		}
	case signup, purchase:
		if n%3 > 0 {
			e.Props = append(e.Props, event.Prop{Key: "plan", Value: [...]string{"free", "pro", "team"}[n/3%3]})
		}
		if n%5 > 1 {
			e.Props = append(e.Props, event.Prop{Key: "variant", Value: strconv.Itoa(int(n / 5 % 4))})
		}
	case ping:
		e.Engaged, e.Scroll = event.Time(n), event.PercentOf(int64(n%130))
	}
	if b.kind == purchase && n%7 > 0 {
		e.Amount = event.Money(int64(hash(n)%2_000_000) - 100_000)
		e.Currency = [...]string{"EUR", "USD", "EUR"}[n%3]
		if n%11 == 0 {
			e.Amount = 0
		}
	}
}

// end ends the log of each partition: it is some time later, and an event of endSite has come.
func (w *writer) end(at event.Time) error {
	for p := range int32(partitions) {
		if err := w.tick(p, at); err != nil {
			return err
		}
		e := event.Event{Site: endSite, Name: event.Pageview, Time: at, Received: at, Visitor: 1, URL: "https://" + endSite + "/", UA: people[0].ua, Client: "v1"}
		if err := w.put(record{p, event.AppendEnvelope(nil, collectorName(0), at, e.Append(nil))}); err != nil {
			return err
		}
	}
	return nil
}
