package hits_test

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"millrace/bench/tally"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// windows returns the windows that the engine makes of a log.
func (tr traffic) windows(tb testing.TB, records [][]byte) tally.Written {
	tb.Helper()
	core := engine.NewCore(tr.rules, newDeriver())
	aggs := map[tally.Window]*window.Agg{}
	at := func(k tally.Window) *window.Agg {
		if aggs[k] == nil {
			aggs[k] = window.NewAgg(0)
		}
		return aggs[k]
	}
	for i, value := range records {
		d, _ := core.Step(3, int64(i), value)
		for _, a := range d.Adds {
			if err := at(tally.Window{Kind: a.Kind, Site: string([]byte(a.Site)), Start: a.Start}).Add(bytes.Clone(a.Chunk)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for k, a := range maps.Clone(aggs) {
		if k.Kind == window.Minute {
			at(tally.Window{Kind: window.Hour, Site: k.Site, Start: k.Start.Floor(event.Hour)}).Merge(a)
		}
	}
	written := tally.Written{}
	for k, a := range aggs {
		w := &window.Window{Kind: k.Kind, Site: k.Site, Start: k.Start, Final: true}
		a.Fill(w)
		written.Take(w)
	}
	return written
}

// sums are what is counted of hits and visits, by the text of package window's comments: no code that counts is shared.
type sums map[tally.Window]*tally.Cells

func (s sums) cells(k tally.Window) *tally.Cells {
	if s[k] == nil {
		s[k] = tally.NewCells(0)
	}
	return s[k]
}

// hit adds a hit to its minute and hour.
func (s sums) hit(h *hits.Hit) {
	if h.Class == hits.Ping {
		return
	}
	dims := *h.Dims()
	var keys []string
	for _, p := range h.Row.Props {
		keys = append(keys, p.Key)
	}
	dims[window.Lacks], dims[window.LacksPlace], dims[window.PropKeys] = window.LackSet(&dims, len(keys) > 0), window.LackPlaceSet(&dims), window.PropSet(keys...)
	var goals []string
	if dims[window.Name] == "signup" {
		goals = append(goals, goalEvent)
	}
	if h.Pageview() && dims[window.Page] == "/p3" {
		goals = append(goals, goalPage)
	}
	if h.Site == "s1.example" || h.Site == "s2.example" { // they have none
		goals = nil
	}
	for f := range window.NumFamilies {
		class := hits.Human
		switch f {
		case window.Bots:
			class = hits.Bot
		case window.Dropped:
			class = hits.Dropped
		}
		if !f.In(window.Minute) || h.Class != class {
			continue
		}
		switch of := f.Dims(); {
		case f == window.Props:
			for _, p := range h.Row.Props {
				s.count(h, f, p.Key, p.Value)
			}
		case len(of) == 0:
			s.count(h, f, "", "")
		case len(of) == 1 && of[0] == window.Goal:
			for _, g := range goals {
				s.count(h, f, g, "")
			}
		case of[0] == window.Goal:
			for _, g := range goals {
				if dims[of[1]] != "" {
					s.count(h, f, g, dims[of[1]])
				}
			}
		case dims[of[0]] == "" || len(of) == 2 && dims[of[1]] == "":
		case len(of) == 2:
			s.count(h, f, dims[of[0]], dims[of[1]])
		default:
			s.count(h, f, dims[of[0]], "")
		}
	}
}

func (s sums) count(h *hits.Hit, f window.Family, first, second string) {
	for _, k := range [...]tally.Window{{Kind: window.Minute, Site: h.Site, Start: h.Minute}, {Kind: window.Hour, Site: h.Site, Start: h.Minute.Floor(event.Hour)}} {
		c := s.cells(k).At(tally.Key{Family: f, A: first, B: second})
		c.Events++
		if h.Pageview() {
			c.Pageviews++
		}
		c.Revenue += h.Row.Revenue
		if h.Row.Paid {
			c.Paid++
		}
		if h.Row.Visitor != 0 {
			c.See(h.Row.Visitor)
		}
	}
}

// visit adds a visit to the quarter of an hour in which it began.
func (s sums) visit(v *visit.Visit) {
	dims := v.Dims
	dims[window.Lacks], dims[window.LacksPlace] = window.LackSet(&dims, true), window.LackPlaceSet(&dims)
	cells := s.cells(tally.Window{Kind: window.Visits, Site: v.Site, Start: v.Begin.Floor(15 * event.Minute)})
	for f := range window.NumFamilies {
		k := tally.Key{Family: f}
		of := f.Dims()
		counts := f.In(window.Visits)
		for i, into := range []*string{&k.A, &k.B}[:len(of)] {
			*into = dims[of[i]]
			counts = counts && *into != ""
		}
		if !counts {
			continue
		}
		c := cells.At(k)
		c.Visits++
		c.Seconds += v.Seconds()
		c.Views += int64(v.Views)
		if v.Bounced() {
			c.Bounces++
		}
	}
}

// TestSums is I3: sums over hits, and over visits as folds of them, are the engine's windows, of minutes, hours and visits, in
// all families, with the sketches of visitors byte for byte: at the end of a log and in its middle, where visits go on.
func TestSums(t *testing.T) {
	f := func(tr traffic, seed uint64) {
		t.Helper()
		log := tr.log(seed)
		for _, records := range [][][]byte{log[:tr.records/2], log[:tr.records], log} {
			_, k := tr.run(t, records)
			got := sums{}
			for _, h := range k.hits {
				got.hit(h)
			}
			for _, v := range k.folds() {
				got.visit(v.Visit())
			}
			v := tally.Compare(maps.All(got), tr.windows(t, records), tally.Options{Errors: 3})
			if len(v.Wrong) > 0 {
				t.Fatalf("%+v, seed %d, %d records: %d of %d values in %d windows are wrong, the first: %s",
					tr, seed, len(records), len(v.Wrong), v.Values, v.Windows, v.Wrong[0])
			}
			if v.Windows < 100 {
				t.Fatalf("%d windows were compared", v.Windows)
			}
		}
	}
	for seed := range max(1, *seeds/2) {
		f(mixed, seed)
		f(crowded, seed)
		f(brief, seed)
	}
}

// TestVisits is I5: each human hit is in one visit, unless it is of nobody known or its site has too many; each visit ends once
// or joins another, and is then the fold of its hits.
func TestVisits(t *testing.T) {
	saw := map[string]int{}
	f := func(tr traffic, seed uint64) {
		t.Helper()
		m, k := tr.run(t, tr.log(seed))
		for _, h := range k.hits {
			saw[h.Class.String()]++
			switch {
			case h.Visit == 0 && h.Class == hits.Human && h.Row.Visitor != 0:
				saw["untracked"]++
				if tr.rules.MaxVisits == 0 {
					t.Errorf("seed %d: hit %d.%d is in no visit", seed, h.Offset, h.Index)
				}
			case h.Visit != 0 && (h.Class == hits.Bot || h.Class == hits.Dropped || h.Row.Visitor == 0):
				t.Errorf("seed %d: %s hit %d.%d of visitor %s is in a visit", seed, h.Class, h.Offset, h.Index, h.Row.Visitor)
			case h.Visit == 0 && h.Class == hits.Human:
				saw["of nobody"]++
			case h.Visit != 0 && (h.Row.Origin == nil || h.Dims()[window.Browser] == ""):
				t.Errorf("seed %d: %s hit %d.%d has not the dimensions of its visit", seed, h.Class, h.Offset, h.Index)
			}
		}
		for _, odd := range k.odd {
			t.Errorf("seed %d: %s", seed, odd)
		}
		folds := k.folds()
		for id, fold := range folds {
			v, ended := fold.Visit(), k.visits[id]
			switch {
			case ended == nil:
				t.Errorf("seed %d: visit %d has not ended", seed, id)
			case !reflect.DeepEqual(v, ended):
				t.Errorf("seed %d: visit %d as the fold of its hits\n%+v\nas it ended\n%+v", seed, id, *v, *ended)
			case v.Begin.Floor(24*event.Hour) != v.End.Floor(24*event.Hour):
				saw["over midnight"]++
			}
			if offset, index := id.Place(); visit.IDOf(offset, index) != id {
				t.Errorf("%d is not the ID of its own place %d.%d", id, offset, index)
			}
		}
		if len(k.visits) != len(folds) || len(k.ended) != len(folds) {
			t.Errorf("seed %d: %d visits have ended, %d of them twice or more, and %d have hits", seed, len(k.visits), len(k.ended)-len(k.visits), len(folds))
		}
		for id, into := range k.joins {
			saw["joined"]++
			if k.visits[id] != nil || k.visits[k.joins.Of(into)] == nil {
				t.Errorf("seed %d: visit %d has joined %d, and ended: %v", seed, id, into, k.visits[id] != nil)
			}
		}
		checkCounters(t, m, k)
	}
	for seed := range *seeds {
		f(mixed, seed)
		f(crowded, seed)
		f(brief, seed)
	}
	for _, what := range []string{"human", "bot", "dropped", "ping", "untracked", "of nobody", "over midnight", "joined"} {
		if saw[what] < 10 {
			t.Errorf("the logs have only %d %s", saw[what], what)
		}
	}
}

// checkCounters holds the hits of each class against the engine's counters.
func checkCounters(t *testing.T, m *engine.Ledger, k *kept) {
	t.Helper()
	var n [hits.NumClasses]uint64
	for _, h := range k.hits {
		n[h.Class]++
	}
	c := m.Counters()
	if n[hits.Human] != c.OnTime+c.Late || n[hits.Dropped] != c.Dropped || n[hits.Bot] > c.Bots || n[hits.Ping] > c.Pings {
		t.Errorf("%v hits by class; counted were %+v", n, c)
	}
	if c.Duplicates == 0 || c.Late == 0 || c.Dead == 0 {
		t.Errorf("the log has no duplicates, late events or damaged records: %+v", c)
	}
}

// TestFoldInAnyOrder: a fold does not depend on the order of hits, nor on which visit they were given to first.
func TestFoldInAnyOrder(t *testing.T) {
	_, k := mixed.run(t, mixed.log(1))
	byVisit := map[visit.ID][]*hits.Hit{}
	for _, h := range k.hits {
		if h.Visit != 0 {
			id := k.joins.Of(h.Visit)
			byVisit[id] = append(byVisit[id], h)
		}
	}
	if len(byVisit) < 50 {
		t.Fatalf("%d visits", len(byVisit))
	}
	for id, list := range byVisit {
		backwards, parts := hits.NewFold(id), [2]*hits.Fold{hits.NewFold(1), hits.NewFold(2)}
		for i := range list {
			backwards.Add(list[len(list)-1-i])
			parts[i%2].Add(list[i])
		}
		both := hits.NewFold(id)
		both.Join(parts[1])
		both.Join(parts[0])
		for how, fold := range map[string]*hits.Fold{"backwards": backwards, "in two parts": both} {
			if got, want := fmt.Sprintf("%+v", *fold.Visit()), fmt.Sprintf("%+v", *k.visits[id]); got != want {
				t.Errorf("%s\n%s\nwant\n%s", how, got, want)
			}
		}
	}
}

// TestFoldTies: of pageviews at the same time the first in the log is the entry, and the last the exit.
func TestFoldTies(t *testing.T) {
	view := func(offset int64, index int32, page string) *hits.Hit {
		row := &window.Row{Visitor: 1, Flags: window.PageviewRow}
		row.Dims[window.Page], row.Dims[window.EntryPage] = page, page
		return &hits.Hit{Offset: offset, Index: index, Time: base, Visit: 1, Row: row}
	}
	list := []*hits.Hit{view(1, 0, "/a"), view(1, 1, "/b"), view(2, 0, "/c")}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		fold := hits.NewFold(1)
		for _, i := range order {
			fold.Add(list[i])
		}
		if v := fold.Visit(); v.Dims[window.EntryPage] != "/a" || v.Dims[window.ExitPage] != "/c" || v.Views != 3 {
			t.Errorf("in the order %v: entry %s, exit %s, %d views", order, v.Dims[window.EntryPage], v.Dims[window.ExitPage], v.Views)
		}
	}
}
