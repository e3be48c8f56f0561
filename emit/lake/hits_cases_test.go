package lake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// hardCase is a log that is hard to make hits of, and what is known of them.
type hardCase struct {
	name    string
	rules   engine.Rules
	log     []record
	restart []int // the archiver is another one from these records on
	check   func(t *testing.T, made *madeHits, s *commits.State)
}

// madeHits are what one reading of a log makes.
type madeHits struct {
	hits   []*hits.Hit
	joins  []hits.Join
	visits []visit.Visit
}

func (m *madeHits) Hit(h *hits.Hit)      { m.hits = append(m.hits, h.Clone()) }
func (m *madeHits) Join(j hits.Join)     { m.joins = append(m.joins, j) }
func (m *madeHits) Visit(v *visit.Visit) { m.visits = append(m.visits, *v) }

// of returns how many hits of a class there are.
func (m *madeHits) of(c hits.Class) (n int) {
	for _, h := range m.hits {
		if h.Class == c {
			n++
		}
	}
	return n
}

// caseDay is a midnight, and at a time of the days from it on.
var caseDay = t0.Floor(day)

func at(days, hours, minutes int) event.Time {
	return caseDay + event.Time(days)*day + event.Time(hours)*event.Hour + event.Time(minutes)*event.Minute
}

// seen is an event.
func seen(when event.Time, who event.Visitor, id string) event.Event {
	return event.Event{
		ID: id, Site: "a.example", Name: event.Pageview, Time: when, Received: when, Visitor: who, URL: "https://a.example/", Client: "v1",
		UA: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
	}
}

// batch is a record of a collector whose clock reads a time.
func batch(low event.Time, list ...event.Event) record {
	var events []byte
	for i, e := range list {
		if i > 0 {
			events = append(events, ',')
		}
		e.Received = low
		events = e.Append(events)
	}
	return record{value: event.AppendEnvelope(nil, "c1", low, events), events: list}
}

// ticks are records without events, of some hours, each some minutes.
func ticks(from, to event.Time) (log []record) {
	for ; from < to; from += 10 * event.Minute {
		log = append(log, batch(from))
	}
	return log
}

// play archives and merges the log, a segment a record, and holds what is there against one reading.
func (c *hardCase) play(t *testing.T) {
	t.Helper()
	newLedger := func() Ledger {
		return engine.NewLedger(engine.LedgerOptions{Topic: testTopic, Rules: c.rules, Deriver: enrich.New(enrich.Options{CacheSize: 64})})
	}
	store, chain := newMemory(), &commitLog{}
	clock := time.Unix(1_800_000_000, 0)
	o := smallOptions(store)
	o.MaxRows, o.FlushInterval = 1_000_000, time.Second
	o.now = func() time.Time { return clock }
	o.Hits = testHits([]*commitLog{chain}, [][]record{c.log})
	o.Hits.NewLedger = func(int32) Ledger { return newLedger() }
	o.Hits.Merges = mergeOften
	from := int64(0)
	for _, to := range append(slices.Clone(c.restart), len(c.log)) {
		a := mustArchiver(t, o)
		m := &merging{a: a, o: o.Hits.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
		ctx, end := context.WithCancel(session(t))
		for offset := from; offset < int64(to); offset++ {
			if err := a.partition(0).consume(ctx, offset, c.log[offset].value); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			clock = clock.Add(2 * time.Minute)
			m.once(ctx)
		}
		from = a.Limit(testTopic, 0)
		end()
		if st := a.HitStats(); st.MergesFailed+st.MergesOff+st.Anew > 0 {
			t.Errorf("%s: %+v", c.name, st)
		}
	}
	s := sameMergedAs(t, store, chain, c.log, newLedger())
	if s.Next < int64(len(c.log))-1 {
		t.Errorf("%s: hits end at %d of %d", c.name, s.Next, len(c.log))
	}
	mustCheck(t, store)
	made, l := &madeHits{}, newLedger()
	for offset, r := range c.log[:s.Next] {
		_ = l.Step(int64(offset), r.value, made)
	}
	c.check(t, made, s)
	if t.Failed() {
		t.Fatalf("in the case: %s", c.name)
	}
}

// days returns the days of files of hits, and of which levels they are.
func days(s *commits.State) string {
	var b strings.Builder
	for _, f := range s.Files(commits.Hits) {
		fmt.Fprintf(&b, "%d:%v ", (f.Day-caseDay)/day, f.Level)
	}
	return strings.TrimSpace(b.String())
}

// TestHardCases are those of which one knows that they are hard, through archive and merging.
func TestHardCases(t *testing.T) {
	t.Parallel()
	f := func(c hardCase) {
		t.Helper()
		c.play(t)
	}

	log := []record{batch(at(0, 23, 40), seen(at(0, 23, 40), 5, "a")), batch(at(1, 0, 25), seen(at(1, 0, 25), 5, "b"))}
	log = append(log, ticks(at(1, 0, 26), at(1, 0, 30))...)
	log = append(log, batch(at(1, 0, 31), seen(at(1, 0, 0), 5, "c")))
	f(hardCase{
		name: "a late event joins two visits across midnight, each in segments and days of its own", log: append(log, ticks(at(1, 0, 40), at(2, 8, 0))...), restart: []int{1, 2, 4},
		check: func(t *testing.T, made *madeHits, s *commits.State) {
			if len(made.joins) != 1 || len(made.visits) != 1 || made.visits[0].Begin != at(0, 23, 40) || made.visits[0].End != at(1, 0, 25) || days(s) != "0:day 1:segment" {
				t.Errorf("%+v, %+v, files %s", made.joins, made.visits, days(s))
			}
		},
	})

	log = nil
	for m := range 27 { // 11 hours, with the salt of the next day after midnight
		when := at(0, 18, 0) + event.Time(m)*25*event.Minute
		e := seen(when, 1, fmt.Sprint(m))
		if when >= at(1, 0, 0) {
			e.Visitor, e.VisitorPrev = 2, 0
			if when < at(1, 1, 0) {
				e.VisitorPrev = 1
			}
		}
		log = append(log, batch(when, e))
	}
	f(hardCase{
		name: "a visit of eleven hours across day and salt", log: append(log, ticks(at(1, 5, 0), at(2, 8, 0))...), restart: []int{10, 15, 20},
		check: func(t *testing.T, made *madeHits, s *commits.State) {
			if len(made.visits) != 1 || made.visits[0].End-made.visits[0].Begin != 26*25*event.Minute || strings.Contains(days(s), "1:") {
				t.Errorf("%+v, files %s", made.visits, days(s))
			}
		},
	})

	log = []record{batch(at(0, 10, 58), seen(at(0, 10, 58), 1, "x"), seen(at(0, 10, 58), 2, "y")), batch(at(0, 11, 1), seen(at(0, 10, 58), 1, "x"))}
	log = append(log, batch(at(0, 11, 6), seen(at(0, 10, 58), 2, "y"), seen(at(0, 11, 5), 3, "z")), batch(at(0, 11, 7), seen(at(0, 11, 5), 3, "z")))
	f(hardCase{
		name: "duplicates across segment, hour and checkpoint", log: append(log, ticks(at(0, 11, 10), at(2, 8, 0))...), restart: []int{1, 2, 3},
		check: func(t *testing.T, made *madeHits, _ *commits.State) {
			if n := made.of(hits.Human); n != 3 {
				t.Errorf("%d events count, of 3 that were sent twice", n)
			}
		},
	})

	log = nil
	for m := range 30 {
		log = append(log, batch(at(0, 10, m), seen(at(0, 10, m), event.Visitor(m+1), fmt.Sprint(m))))
	}
	log = append(log, ticks(at(0, 11, 0), at(3, 10, 0))...)
	for m := range 8 {
		log = append(log, batch(at(3, 10, m), seen(at(0, 10, m), event.Visitor(m+1), fmt.Sprint("late", m))))
	}
	f(hardCase{
		name: "events three days late into a merged day", log: append(log, ticks(at(3, 11, 0), at(5, 0, 0))...), restart: []int{200, len(log) - 4},
		check: func(t *testing.T, made *madeHits, s *commits.State) {
			if made.of(hits.Dropped) != 8 || made.of(hits.Human) != 30 || strings.Count(days(s), "0:day") > 4 || strings.Contains(days(s), "segment") {
				t.Errorf("%d are dropped, files %s", made.of(hits.Dropped), days(s))
			}
		},
	})

	log = nil
	for m := range 40 {
		var list []event.Event
		for who := range event.Visitor(6) {
			list = append(list, seen(at(0, 10, m), who+1, fmt.Sprint(m, int(who))))
		}
		if m > 0 {
			list = append(list, seen(at(0, 10, m-1), 1, fmt.Sprint(m-1, 0)))
		}
		if m >= 9 {
			list = append(list, seen(at(0, 10, m-9), 6, fmt.Sprint(m-9, 5)))
		}
		log = append(log, batch(at(0, 10, m), list...))
	}
	f(hardCase{
		name: "caps of ids and of visits are hit", rules: engine.Rules{MaxIDs: 40, MaxVisits: 3}, log: append(log, ticks(at(0, 11, 0), at(2, 8, 0))...), restart: []int{7, 20, 33},
		check: func(t *testing.T, made *madeHits, _ *commits.State) {
			none := 0
			for _, h := range made.hits {
				if h.Visit == 0 {
					none++
				}
			}
			if n := made.of(hits.Human); n <= 240 || n >= 310 || none < 100 || len(made.visits) != 3 {
				t.Errorf("%d events count, of 240 and 70 that were sent twice; %d have no visit, there are %d visits", n, none, len(made.visits))
			}
		},
	})

	log = nil
	for m := range 60 {
		var list []event.Event
		for i := range 40 {
			e := seen(at(0, 10, m), event.Visitor(1+(m*7+i)%50), fmt.Sprint(m, i))
			if i%20 == 0 {
				e.Site = fmt.Sprintf("%c.example", 'a'+m%26)
			}
			list = append(list, e)
		}
		log = append(log, batch(at(0, 10, m), list...))
	}
	f(hardCase{
		name: "one site has 95 % of all rows", log: append(log, ticks(at(0, 11, 0), at(2, 8, 0))...), restart: []int{30},
		check: func(t *testing.T, made *madeHits, s *commits.State) {
			if made.of(hits.Human) != 2400 || days(s) != "0:day" {
				t.Errorf("%d hits, files %s", made.of(hits.Human), days(s))
			}
		},
	})
}

// TestManySites: 60,000 sites of one event each, and 100,000 property keys.
func TestManySites(t *testing.T) {
	t.Parallel()
	sites, keys := 1000, 1000
	if *thorough {
		sites, keys = 60_000, 100_000
	}
	var log []record
	for m := range 20 {
		var list []event.Event
		for i := range sites / 20 {
			e := seen(at(0, 10, m), event.Visitor(1+i), fmt.Sprint(m, "-", i))
			e.Site = fmt.Sprintf("s%d-%d.example", i, m)
			list = append(list, e)
		}
		log = append(log, batch(at(0, 10, m), list...))
	}
	for m := range 20 {
		var list []event.Event
		for i := range keys / 20 / 25 {
			e := seen(at(0, 10, 20+m), event.Visitor(1+i), fmt.Sprint(20+m, "-", i))
			for k := range 25 {
				e.Props = append(e.Props, event.Prop{Key: fmt.Sprintf("k%d", (m*keys/20/25+i)*25+k), Value: "v"})
			}
			list = append(list, e)
		}
		log = append(log, batch(at(0, 10, 20+m), list...))
	}
	c := hardCase{
		name: "many sites of one event, and many property keys", log: append(log, ticks(at(0, 11, 0), at(2, 8, 0))...), restart: []int{10, 30},
		check: func(t *testing.T, made *madeHits, s *commits.State) {
			if n := made.of(hits.Human); n != sites+keys/25 || days(s) != "0:day" {
				t.Errorf("%d hits, files %s", n, days(s))
			}
		},
	}
	c.play(t)
}
