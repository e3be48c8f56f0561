package visit

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
	"millrace/engine/window"
)

const origin event.Time = 1_700_000_000_000

// drawRules draws rules that make visits collide with their limits.
func drawRules(t *rapid.T) Rules {
	return Rules{
		Timeout:    30 * event.Minute,
		MaxLength:  rapid.SampledFrom([]event.Time{12 * event.Hour, 12 * event.Hour, 50 * event.Minute, 2 * event.Hour}).Draw(t, "max length"),
		Lateness:   rapid.SampledFrom([]event.Time{event.Hour, event.Hour, 90 * event.Second, 3 * event.Hour}).Draw(t, "lateness"),
		MaxPerSite: 1 << 30,
	}
}

// A log draws events, with a watermark that they come too late for at times.
type log struct {
	rules     Rules
	now       event.Time // near which events come
	watermark event.Time
	seq       int
}

func (l *log) horizon() event.Time { return (l.watermark - l.rules.Lateness).Floor(event.Minute) }

var (
	steps = []event.Time{0, 1, 999, event.Second, event.Minute, 9 * event.Minute, 29 * event.Minute, 30*event.Minute - 1, 30 * event.Minute, 30*event.Minute + 1, 44 * event.Minute}
	hosts = []string{"", "a", "a.example", "b.example"}
	pages = []string{"/", "/a", "/b", "/c", window.None}
	texts = []string{"", window.None, "x", "a longer value that takes more than a block of the arena", "y"}
)

func (l *log) draw(t *rapid.T) seen {
	l.now += rapid.SampledFrom(steps).Draw(t, "step")
	at := l.now
	if rapid.IntRange(0, 2).Draw(t, "disorder") == 0 {
		at -= rapid.SampledFrom(steps).Draw(t, "behind") * event.Time(rapid.IntRange(1, 3).Draw(t, "times"))
	}
	l.seq++
	e := seen{
		site:     rapid.SampledFrom([]string{"a.example", "a.example", "b.example"}).Draw(t, "site"),
		visitor:  event.Visitor(rapid.IntRange(0, 3).Draw(t, "visitor")),
		at:       max(at, l.horizon()), // what is older is dropped
		pageview: rapid.IntRange(0, 3).Draw(t, "pageview") != 0,
		seq:      l.seq,
	}
	if rapid.IntRange(0, 3).Draw(t, "salted") == 0 {
		e.prev = event.Visitor(rapid.IntRange(1, 3).Draw(t, "prev"))
	}
	e.ping = !e.pageview && rapid.IntRange(0, 2).Draw(t, "ping") == 0
	e.nonInteractive = !e.pageview && rapid.Bool().Draw(t, "non-interactive")
	e.dims[window.Page] = rapid.SampledFrom(pages).Draw(t, "page")
	e.dims[window.Hostname] = rapid.SampledFrom(hosts).Draw(t, "host")
	e.dims[window.Name] = "name"
	for _, d := range []window.Dim{window.Source, window.Channel, window.Country, window.UTMCampaign, window.Screen} {
		e.dims[d] = rapid.SampledFrom(texts).Draw(t, d.String())
	}
	return e
}

// low moves the watermark at the end of a record.
func (l *log) low(t *rapid.T) {
	l.watermark = max(l.watermark, l.now-rapid.SampledFrom(steps).Draw(t, "low"))
}

// origins adds the origin of a row that is whole.
type origins struct{ whole window.Row }

func (o *origins) Origin(_ *event.Event, r *window.Row) {
	for i, v := range o.whole.Dims {
		if d := window.Dim(i); d.OfVisit() && d != window.EntryPage {
			r.Dims[d] = v
		}
	}
}

func (e *seen) event() *event.Event {
	return &event.Event{Site: e.site, Time: e.at, VisitorPrev: e.prev, NonInteractive: e.nonInteractive}
}

func observe(t *Table, e seen) (window.Row, bool) {
	if e.ping {
		p := e.event()
		p.Visitor = e.visitor
		return e.row(), t.Ping(p)
	}
	whole := e.row()
	r := whole
	for i := range r.Dims {
		if d := window.Dim(i); d.OfVisit() && d != window.EntryPage {
			r.Dims[d] = "" // Origin brings it
		}
	}
	tracked := t.Observe(e.event(), &r, &origins{whole})
	if r.Origin == nil {
		r.Dims = whole.Dims
	}
	if r.Origin != nil && !window.ReadOrigin(r.Origin, &r.Dims) {
		panic(fmt.Sprintf("bad origin %x", r.Origin))
	}
	return r, tracked
}

// TestSumsAreARecount holds the sums of all rows, and the dimensions given to events, against the model.
func TestSumsAreARecount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		tab, m, got := NewTable(rules), &model{rules: rules}, newWindows()
		l := &log{rules: rules, now: origin, watermark: origin - event.Hour}
		for range rapid.IntRange(1, 15).Draw(t, "records") {
			for range rapid.IntRange(0, 6).Draw(t, "events") {
				e := l.draw(t)
				if rapid.Bool().Draw(t, "ahead") { // no model knows of it: it must change nothing
					next := l.draw(t)
					tab.Ahead([]event.Event{{Site: e.site, Visitor: e.visitor}, {Site: next.site, Visitor: next.visitor}, {Site: "of nobody"}})
				}
				r, _ := observe(tab, e)
				want := e.row()
				if v := m.observe(e); v != nil && !e.ping {
					for d, s := range v.dims() {
						if window.Dim(d).OfVisit() {
							want.Dims[d] = s
						}
					}
				}
				if r.Dims != want.Dims {
					t.Fatalf("event %+v\ngot  %q\nwant %q", e, r.Dims, want.Dims)
				}
			}
			got.add(t, flush(tab))
			l.low(t)
			tab.Expire(l.watermark)
			audit(t, tab)
			if want := m.sums(); !maps.Equal(got.sums, want) {
				t.Fatalf("got  %v\nwant %v", got.sums, want)
			}
		}
	})
}

// TestLimitOfVisits holds a table with few visits per site against the model.
func TestLimitOfVisits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		rules.MaxPerSite = rapid.IntRange(1, 3).Draw(t, "max per site")
		tab, m, got := NewTable(rules), &model{rules: rules}, newWindows()
		l := &log{rules: rules, now: origin, watermark: origin - event.Hour}
		gone := sums{} // what expired visits have added
		for range rapid.IntRange(1, 25).Draw(t, "events") {
			e := l.draw(t)
			untracked := m.untracked
			v := m.observe(e)
			if _, tracked := observe(tab, e); tracked != (m.untracked == untracked && (v != nil || !e.ping)) {
				t.Fatalf("event %+v: tracked is %t", e, tracked)
			}
			got.add(t, flush(tab))
			l.low(t)
			tab.Expire(l.watermark)
			before := m.sums()
			m.forget(l.horizon())
			now := m.sums()
			for k, c := range before {
				gone.plus(k, c.less(now[k]))
			}
			if tab.Len() != len(m.visits) || int(tab.Untracked()) != m.untracked {
				t.Fatalf("%d visits and %d untracked, want %d and %d", tab.Len(), tab.Untracked(), len(m.visits), m.untracked)
			}
			for k, c := range gone {
				now.plus(k, c)
			}
			if !maps.Equal(got.sums, now) {
				t.Fatalf("got  %v\nwant %v", got.sums, now)
			}
		}
	})
}

// TestJournalsAreTheTable runs a log on one table and checks that others know all that it does: a standby that follows its
// journals, tables loaded from checkpoints and journals at any time, which then run on their own, and one that never
// expires anything.
func TestJournalsAreTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		if rapid.Bool().Draw(t, "limit") {
			rules.MaxPerSite = rapid.IntRange(1, 4).Draw(t, "max per site")
		}
		master, standby, hoarder := NewTable(rules), NewTable(rules), NewTable(rules)
		st, owner := &store{}, master
		var followers []*Table
		l := &log{rules: rules, now: origin, watermark: origin - event.Hour}
		for range rapid.IntRange(1, 20).Draw(t, "records") {
			for range rapid.IntRange(0, 5).Draw(t, "events") {
				e := l.draw(t)
				for _, tab := range append(followers, master, hoarder) {
					observe(tab, e)
				}
			}
			out := flush(master)
			for i, f := range followers {
				if got := flush(f); got.String() != out.String() {
					t.Fatalf("loaded table %d\ngot  %v\nwant %v", i, got, out)
				}
			}
			if got := flush(hoarder); rules.MaxPerSite > 4 && got.chunks() != out.chunks() {
				t.Fatalf("without Expire\ngot  %v\nwant %v", got, out)
			}
			mustApply(t, standby, out.journal)
			st.journals = append(st.journals, out.journal)
			l.low(t)
			for _, tab := range append(followers, master, standby) {
				tab.Expire(l.watermark)
			}
			if rapid.IntRange(0, 3).Draw(t, "checkpoint") == 0 {
				st.checkpoint(owner, l.watermark)
			}
			if rapid.IntRange(0, 3).Draw(t, "load") == 0 {
				f := st.load(t, rules, l.watermark)
				followers = append(followers, f)
				if rapid.Bool().Draw(t, "hand over") {
					owner = f
				}
			}
			for _, tab := range append(followers, standby) {
				audit(t, tab)
				if got, want := dump(tab), dump(master); got != want {
					t.Fatalf("got\n%swant\n%s", got, want)
				}
			}
		}
	})
}

// store is what a state store keeps of visits.
type store struct {
	blobs    []blob
	journals [][]byte
}

type blob struct {
	bytes []byte
	until event.Time
}

// checkpoint puts a checkpoint in the place of the journals and forgets those that have no live visit.
func (s *store) checkpoint(t *Table, watermark event.Time) {
	b, until := t.Checkpoint(nil)
	s.journals = nil
	var keep []blob
	for _, old := range s.blobs {
		if old.until >= watermark {
			keep = append(keep, old)
		}
	}
	s.blobs = append(keep, blob{b, until})
}

func (s *store) load(tb rapid.TB, rules Rules, watermark event.Time) *Table {
	t := NewTable(rules)
	for _, b := range s.blobs {
		mustApply(tb, t, b.bytes)
	}
	for _, j := range s.journals {
		mustApply(tb, t, j)
	}
	t.Expire(watermark)
	return t
}

func mustApply(tb rapid.TB, t *Table, journal []byte) {
	if err := t.Apply(journal); err != nil {
		tb.Fatalf("journal %x: %v", journal, err)
	}
}

// TestOwnerAfterRekey: a visit was re-keyed while its old visitor had another one, which expired before the next
// checkpoint. An owner that followed by journals must still say that the visit is the old visitor's no more.
func TestOwnerAfterRekey(t *testing.T) {
	rules := Rules{Lateness: 2 * event.Hour}
	master, owner, st := NewTable(rules), NewTable(rules), &store{}
	record := func(e seen) {
		observe(master, e)
		out := flush(master)
		mustApply(t, owner, out.journal)
		st.journals = append(st.journals, out.journal)
	}
	record(pageview(0, "/"))
	record(pageview(3600, "/"))
	st.checkpoint(owner, origin)
	record(pageview(3601, "/").of(2, 1))
	watermark := origin + 2*event.Hour + 32*event.Minute // the first visit is no more
	for _, tab := range []*Table{master, owner} {
		tab.Expire(watermark)
	}
	st.checkpoint(owner, watermark)
	if got, want := dump(st.load(t, rules, watermark)), dump(master); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
