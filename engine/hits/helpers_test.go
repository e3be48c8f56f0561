package hits_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/site"
)

// base is 20:00 UTC, four hours before midnight.
const base = event.Time(1_699_992_000_000)

// kept is a hits.Sink that keeps what it is given, and how it came.
type kept struct {
	hits   []*hits.Hit
	joins  hits.Joins
	visits map[visit.ID]*visit.Visit
	text   []string // of all, in order
	ended  []visit.ID
	began  map[visit.ID]event.Time // by the hits so far
	odd    []string                // what says otherwise
}

func newKept() *kept {
	return &kept{joins: hits.Joins{}, visits: map[visit.ID]*visit.Visit{}, began: map[visit.ID]event.Time{}}
}

func (k *kept) Hit(h *hits.Hit) {
	h = h.Clone()
	if id := h.Visit; id != 0 {
		if at, ok := k.began[id]; h.Class != hits.Ping && (!ok || h.Time < at) {
			k.began[id] = h.Time
		}
		if h.VisitBegan != k.began[id] {
			k.odd = append(k.odd, fmt.Sprintf("hit %d.%d: its visit began at %s, and its hits say %s", h.Offset, h.Index, h.VisitBegan, k.began[id]))
		}
	} else if h.VisitBegan != 0 {
		k.odd = append(k.odd, fmt.Sprintf("hit %d.%d of no visit: began at %s", h.Offset, h.Index, h.VisitBegan))
	}
	k.hits = append(k.hits, h)
	row, text := *h.Row, *h
	row.Dims, text.Row = *h.Dims(), nil
	k.text = append(k.text, fmt.Sprintf("%+v %+v", text, row))
}

func (k *kept) Join(j hits.Join) {
	k.joins.Add(j)
	if at := k.began[j.Visit]; j.Begin != at || j.Site == "" || j.Visitor == 0 {
		k.odd = append(k.odd, fmt.Sprintf("%+v: its hits say it began at %s", j, at))
	}
	k.began[j.Into] = min(k.began[j.Into], k.began[j.Visit])
	k.text = append(k.text, fmt.Sprintf("%+v", j))
}

func (k *kept) Visit(v *visit.Visit) {
	c := *v
	c.Site = strings.Clone(c.Site)
	for d := range c.Dims {
		c.Dims[d] = strings.Clone(c.Dims[d])
	}
	k.visits[c.ID] = &c
	k.ended = append(k.ended, c.ID)
	k.text = append(k.text, fmt.Sprintf("%+v", c))
}

// folds returns the visits as the folds of the hits so far.
func (k *kept) folds() map[visit.ID]*hits.Fold {
	all := map[visit.ID]*hits.Fold{}
	for _, h := range k.hits {
		if h.Visit == 0 {
			continue
		}
		id := k.joins.Of(h.Visit)
		if all[id] == nil {
			all[id] = hits.NewFold(id)
		}
		all[id].Add(h)
	}
	return all
}

// traffic says what a log is like.
type traffic struct {
	rules    engine.Rules
	records  int
	visitors uint64
}

// mixed are logs of which most visits have late events; crowded ones have more visits at a time than a site may; brief ones
// have visits near the longest.
var (
	mixed   = traffic{records: 250, visitors: 12}
	crowded = traffic{records: 250, visitors: 40, rules: engine.Rules{MaxVisits: 5}}
	brief   = traffic{records: 250, visitors: 6, rules: engine.Rules{VisitLength: 50 * event.Minute, Lateness: 3 * event.Hour}}
)

var (
	agents = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	}
	referrers = []string{"", "", "https://www.google.com/", "https://news.ycombinator.com/item?id=1", "https://s0.example/p1"}
	queries   = []string{"", "", "", "?utm_source=letter&utm_medium=email&utm_campaign=may", "?ref=friend", "?gclid=1"}
	places    = [][3]string{{"DE", "DE-BE", "2950159"}, {"US", "US-CA", ""}, {"FR", "", ""}, {}}
)

// log makes the records of a log: of two collectors and three sites, over some ten hours and a midnight, with events that are
// late, too late, sent twice, of bots, of nobody known, of a visitor under two salts, with pings and amounts; some records
// can't be read. The last are ticks that end every visit.
func (tr traffic) log(seed uint64) (records [][]byte) {
	rng := rand.New(rand.NewPCG(seed, 1))
	now, low := base, [2]event.Time{}
	var sent []event.Event
	id := 0
	lateness := tr.rules.WithDefaults().Lateness
	for len(records) < tr.records {
		now += event.Time(rng.Int64N(int64(20 * event.Second)))
		if rng.IntN(4) == 0 {
			now += event.Time(rng.Int64N(int64(9 * event.Minute)))
		}
		c := rng.IntN(2)
		low[c] = max(low[c], now-event.Time(rng.IntN(3000)))
		var list []byte
		for n := range rng.IntN(6) {
			if n > 0 {
				list = append(list, ',')
			}
			id++
			e := tr.event(rng, now, lateness)
			switch {
			case rng.IntN(15) == 0:
			case len(sent) > 0 && rng.IntN(12) == 0:
				e = sent[len(sent)-1-rng.IntN(min(len(sent), 60))]
				e.Received = now
			default:
				e.ID = fmt.Sprint(id)
			}
			sent = append(sent, e)
			list = e.Append(list)
		}
		value := event.AppendEnvelope(nil, fmt.Sprintf("c%d", c), low[c], list)
		if rng.IntN(50) == 0 {
			value = value[:len(value)/2]
		}
		records = append(records, value)
	}
	for range 30 {
		now += 45 * event.Minute
		for c := range 2 {
			records = append(records, event.AppendEnvelope(nil, fmt.Sprintf("c%d", c), now+event.Time(c), nil))
		}
	}
	return records
}

func (tr traffic) event(rng *rand.Rand, now, lateness event.Time) event.Event {
	at := now - event.Time(rng.IntN(2000))
	switch rng.IntN(12) {
	case 0, 1:
		at -= event.Time(rng.Int64N(int64(lateness)))
	case 2:
		at -= lateness + event.Time(rng.Int64N(int64(3*event.Minute)))
	case 3:
		at += event.Time(rng.Int64N(int64(10 * event.Minute)))
	}
	who, host := rng.Uint64()%tr.visitors+1, fmt.Sprintf("s%d.example", rng.IntN(3))
	place := places[who%4]
	e := event.Event{
		Site: host, Name: event.Pageview, Time: at, Received: now, Visitor: event.Visitor(who),
		URL: fmt.Sprintf("https://%s/p%d%s", host, rng.IntN(5), queries[rng.IntN(len(queries))]), Referrer: referrers[rng.IntN(len(referrers))],
		UA: agents[who%3], Language: "de-DE", Screen: "1920x1080", Country: place[0], Region: place[1], City: place[2], Client: "v1",
	}
	switch rng.IntN(12) {
	case 0:
		e.Name, e.NonInteractive = "signup", rng.IntN(2) == 0
		e.Props = []event.Prop{{Key: "plan", Value: "pro"}, {Key: "variant", Value: fmt.Sprint(rng.IntN(2))}}
	case 1:
		e.Name, e.Amount, e.Currency = "purchase", event.Money(rng.IntN(3))*19_900, [...]string{"EUR", "USD"}[rng.IntN(2)]
	case 2, 3:
		e.Name, e.Ping, e.Engaged, e.Scroll = "ping", true, event.Time(rng.IntN(9000)), event.PercentOf(rng.Int64N(102)-1)
	}
	switch rng.IntN(24) {
	case 0:
		e.UA = "curl/8.5.0"
	case 1:
		e.Bot = "datacenter"
	case 2, 3:
		e.Visitor = 0
	case 4, 5, 6:
		e.VisitorPrev = event.Visitor(rng.Uint64()%tr.visitors + 1)
	}
	return e
}

// The goals of the tests: an event, and a page.
const goalEvent, goalPage = "Signed up", "Read p3"

func newDeriver() engine.Deriver {
	goals := []site.Goal{{Name: goalEvent, Event: "signup"}, {Name: goalPage, Page: "/p3"}}
	return enrich.New(enrich.Options{CacheSize: 64, Goals: enrich.NewGoals([]site.Site{
		{ID: "s0.example", Goals: goals, Currency: "EUR"}, {ID: "s1.example", Bots: site.BotsDropped},
	}, site.Site{Goals: goals})})
}

func (tr traffic) newLedger() *engine.Ledger {
	return engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Partition: 3, Rules: tr.rules, Deriver: newDeriver()})
}

// run makes the hits of a log.
func (tr traffic) run(tb testing.TB, records [][]byte) (*engine.Ledger, *kept) {
	tb.Helper()
	m, k := tr.newLedger(), newKept()
	for i, value := range records {
		_ = m.Step(int64(i), value, k) // some can't be read: TestCounters counts them
	}
	return m, k
}
