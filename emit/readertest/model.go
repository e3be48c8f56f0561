package readertest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/query"
)

// Sink is the writing side of a store.
type Sink interface {
	Write(context.Context, []*window.Window) error
	Replace(context.Context, []*window.Window) error
	WriteProgress(context.Context, []window.Progress) error
}

// key names a window.
type key struct {
	kind  window.Kind
	site  string
	shard uint16
	start event.Time
}

type stored struct {
	live     bool // a version is known
	replaced bool // since then
	version  int64
	window   *window.Window
}

// store is a Sink and Reader under test together with the model of what it must hold.
type store struct {
	t      *testing.T
	sink   Sink
	reader query.Reader
	model  map[key]stored
}

func keyOf(w *window.Window) key { return key{w.Kind, w.Site, w.Shard, w.Start} }

func (s *store) write(ws ...*window.Window) {
	s.t.Helper()
	if err := s.sink.Write(s.t.Context(), ws); err != nil {
		s.t.Fatalf("Write: %v", err)
	}
	for _, w := range ws {
		switch old := s.model[keyOf(w)]; {
		case !old.live || w.Version > old.version:
			s.model[keyOf(w)] = stored{true, false, w.Version, w}
		case w.Version == old.version:
			if old.replaced {
				s.t.Fatalf("BUG in the suite: it is left open what a replaced version does, delivered again")
			}
			s.model[keyOf(w)] = stored{true, false, w.Version, join(old.window, w)}
		}
	}
}

func (s *store) replace(ws ...*window.Window) {
	s.t.Helper()
	if err := s.sink.Replace(s.t.Context(), ws); err != nil {
		s.t.Fatalf("Replace: %v", err)
	}
	for _, w := range ws {
		m := s.model[keyOf(w)]
		m.window, m.replaced = w, true
		s.model[keyOf(w)] = m
	}
}

// join adds a part of a firing to what is there of it.
func join(have, part *window.Window) *window.Window {
	w := *part
	for _, p := range have.Points {
		if !slices.ContainsFunc(part.Points, func(q window.Point) bool { return q.Family == p.Family && q.Dims == p.Dims }) {
			w.Points = append(slices.Clip(w.Points), p)
		}
	}
	return &w
}

// point is a point as text, for comparison and for messages.
func pointText(start event.Time, final bool, p *window.Point) string {
	return fmt.Sprintf("%s %s %q final=%v events=%d pageviews=%d visitors=%d revenue=%d paid=%d visits=%d bounces=%d seconds=%d views=%d sketch=%x",
		start, p.Family, p.Dims, final, p.Events, p.Pageviews, p.Visitors, p.Revenue, p.Paid, p.Visits, p.Bounces, p.Seconds, p.Views, p.Sketch)
}

// isZero reports whether p is what a store that can't delete leaves of a value that is gone.
func isZero(p *window.Point) bool {
	r := &p.Rollup
	return r.Events == 0 && r.Pageviews == 0 && r.Revenue == 0 && len(r.Sketch) == 0 &&
		r.Visits == 0 && r.Bounces == 0 && r.Seconds == 0 && r.Views == 0
}

func selects(sel window.Selection, start event.Time, p *window.Point) bool {
	if p.Family != sel.Family || start < sel.From || start >= sel.To {
		return false
	}
	for i, v := range sel.Values {
		if v != nil && !slices.Contains(v, p.Dims[i]) {
			return false
		}
	}
	return true
}

func (s *store) want(sel window.Selection) []string {
	var list []string
	for k, m := range s.model {
		if k.kind != sel.Kind || k.site != sel.Site || m.window == nil {
			continue
		}
		for i := range m.window.Points {
			if p := &m.window.Points[i]; selects(sel, k.start, p) && !isZero(p) {
				list = append(list, pointText(k.start, m.window.Final, p))
			}
		}
	}
	slices.Sort(list)
	return list
}

func (s *store) got(sel window.Selection) []string {
	s.t.Helper()
	var list []string
	last := sel.From
	err := s.reader.Scan(s.t.Context(), sel, func(start event.Time, final bool, p *window.Point) error {
		if p.Family != sel.Family || start < sel.From || start >= sel.To {
			s.t.Errorf("%s was not selected: %+v", pointText(start, final, p), sel)
		}
		if start < last {
			s.t.Errorf("%s comes after %s", start, last)
		}
		last = start
		if isZero(p) || !selects(sel, start, p) {
			return nil
		}
		list = append(list, pointText(start, final, p))
		return nil
	})
	if err != nil {
		s.t.Fatalf("Scan %+v: %v", sel, err)
	}
	slices.Sort(list)
	return list
}

// check compares one selection.
func (s *store) check(sel window.Selection) {
	s.t.Helper()
	got, want := s.got(sel), s.want(sel)
	if !slices.Equal(got, want) {
		s.t.Fatalf("scan of %+v\n%s", sel, diff(got, want))
	}
}

// checkAll compares every kind and family of the sites whose windows the model holds.
func (s *store) checkAll() {
	s.t.Helper()
	type part struct {
		kind window.Kind
		site string
	}
	parts := map[part]bool{}
	for k := range s.model {
		parts[part{k.kind, k.site}] = true
	}
	for p := range parts {
		for f := range window.NumFamilies { // those that the kind does not have, too: nothing comes
			s.check(window.Selection{Kind: p.kind, Site: p.site, Family: f, From: 0, To: 1 << 42})
		}
	}
}

func diff(got, want []string) string {
	var b strings.Builder
	list := func(name string, a, not []string) {
		n := 0
		for _, x := range a {
			if !slices.Contains(not, x) {
				if n++; n > 5 {
					fmt.Fprintf(&b, "  …\n")
					return
				}
				fmt.Fprintf(&b, "%s %.300s\n", name, x)
			}
		}
	}
	list("missing:", want, got)
	list("too much:", got, want)
	if b.Len() == 0 {
		fmt.Fprintf(&b, "%d points, want %d\n", len(got), len(want))
	}
	return b.String()
}

func sortProgress(ps []window.Progress) []window.Progress {
	ps = slices.Clone(ps)
	slices.SortFunc(ps, func(a, b window.Progress) int { return cmp.Compare(a.Partition, b.Partition) })
	return ps
}
