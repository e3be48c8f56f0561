package attack

import (
	"fmt"
	"hash/maphash"
	"strings"

	"millrace/bench"
	"millrace/bench/tally"
	"millrace/bench/verify/oracle"
	"millrace/engine/window"
	"millrace/state"
)

// attacked takes what a partition writes: the other sites' records of windows as a digest of their
// sequence per window, the attacked site's windows as they were last.
type attacked struct {
	store     *state.Store
	others    map[string]*digest // by key of the record
	windows   tally.Written
	untracked int64
}

// digest stands for a sequence of records.
type digest struct {
	records int
	sum     uint64
}

// digestSeed is the same for all runs of the process.
var digestSeed = maphash.MakeSeed()

// newAttacked returns one that has taken nothing.
func newAttacked() *attacked {
	return &attacked{others: map[string]*digest{}, windows: tally.Written{}}
}

// Delta implements engine.Output.
func (a *attacked) Delta(b []byte) error { return a.store.Apply(b) }

// Dead implements engine.Output.
func (a *attacked) Dead(reason error) error { return fmt.Errorf("a record can't be read: %w", reason) }

// Window implements engine.Output.
func (a *attacked) Window(key string, value []byte) error {
	if !strings.HasPrefix(key, bench.SiteName(attackedSite)+"|") {
		d := a.others[key]
		if d == nil {
			d = &digest{}
			a.others[key] = d
		}
		var h maphash.Hash
		h.SetSeed(digestSeed)
		maphash.WriteComparable(&h, d.sum)
		h.Write(value)
		d.records, d.sum = d.records+1, h.Sum64()
		return nil
	}
	rec, err := window.Decode(value)
	if err != nil {
		return err
	}
	w := rec.Window
	for i := range w.Points {
		if p := &w.Points[i]; p.Family != window.Totals {
			p.Sketch = nil // most of it all, and the totals' say whether the visitors are right
		}
	}
	a.windows.Take(w)
	return nil
}

// compare fills in what the two runs have shown.
func (r *Report) compare(without, with *attacked, count *oracle.Oracle) {
	keys := map[string]bool{}
	for _, a := range []*attacked{without, with} {
		for key := range a.others {
			keys[key] = true
		}
	}
	for key := range keys {
		a, b := without.others[key], with.others[key]
		switch {
		case a == nil || b == nil:
			r.Differing++
		case *a != *b:
			r.Others += b.records
			r.Differing += max(a.records, b.records)
		default:
			r.Others += b.records
		}
	}
	r.Untracked = with.untracked
	r.site(with, count)
}

// site compares the attacked site's windows with the recount: the totals value by value, and of the
// families that random paths have filled up the sums.
func (r *Report) site(a *attacked, count *oracle.Oracle) {
	wrong := func(format string, args ...any) {
		if len(r.Wrong) < 10 {
			r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
		}
	}
	want := func(yield func(tally.Window, *tally.Cells) bool) {
		for k, cells := range count.Windows() {
			if w := a.windows[k]; w != nil {
				r.families(k, w, cells, wrong)
			}
			if !yield(k, cells) {
				return
			}
		}
	}
	totals := []window.Family{window.Totals}
	for _, line := range tally.Compare(want, a.windows, tally.Options{Families: totals, Errors: 4}).Wrong {
		wrong("%s", line)
	}
	if got, want := a.untracked, count.Untracked(); got != want {
		wrong("%d events are of no visit, the recount has %d", got, want)
	}
	paths := map[string]struct{}{}
	var views, other int64
	for _, w := range a.windows {
		r.Windows++
		r.Points += len(w.Points)
		for k, p := range w.Points {
			if k.Family != window.Pages {
				continue
			}
			paths[k.A] = struct{}{}
			if views += p.Pageviews; k.A == window.Other {
				other += p.Pageviews
			}
		}
	}
	r.Values = len(paths)
	r.OtherShare = float64(other) / max(float64(views), 1)
}

// families compares the sums of one window's families with what the recount has of all events, or
// of all visits with a page, and holds that the budget of values is kept.
func (r *Report) families(k tally.Window, w *tally.Stored, want *tally.Cells, wrong func(string, ...any)) {
	var sums [window.NumFamilies]tally.Cell
	var values [window.NumFamilies]int
	for key, p := range w.Points {
		s := &sums[key.Family]
		values[key.Family]++
		s.Events, s.Pageviews = s.Events+p.Events, s.Pageviews+p.Pageviews
		s.Visits, s.Views = s.Visits+p.Visits, s.Views+p.Views
	}
	for f, n := range values {
		r.Most = max(r.Most, n)
		if n > limit+1 {
			wrong("%s: %d values of %s", k, n, window.Family(f))
		}
	}
	total := want.Sum(window.Totals)
	if k.Kind == window.Visits {
		r.Visits += total.Visits
		for _, f := range []window.Family{window.EntryPages, window.ExitPages} {
			if s, page := &sums[f], want.Sum(f); s.Visits != page.Visits || s.Views != total.Views {
				wrong("%s: %d visits by %s, %d of %d views, the recount has %d", k, s.Visits, f, s.Views, total.Views, page.Visits)
			}
		}
		return
	}
	for _, f := range []window.Family{window.Pages, window.EventNames, window.Browsers, window.Countries, window.Hostnames} {
		if s := &sums[f]; s.Events != total.Events || s.Pageviews != total.Pageviews {
			wrong("%s: %d events and %d pageviews by %s, in all %d and %d", k, s.Events, s.Pageviews, f, total.Events, total.Pageviews)
		}
	}
}
