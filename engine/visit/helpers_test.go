package visit

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"millrace/engine/event"
	"millrace/engine/window"
)

// output is what a Flush gave, copied.
type output struct {
	adds    []add
	journal []byte
}

type add struct {
	site  string
	start event.Time
	chunk []byte
}

func flush(t *Table) (out output) {
	journal := t.Flush(func(site string, start event.Time, chunk []byte) {
		out.adds = append(out.adds, add{strings.Clone(site), start, bytes.Clone(chunk)})
	})
	out.journal = bytes.Clone(journal)
	return out
}

// chunks returns the changes of windows as text.
func (o output) chunks() string {
	var b strings.Builder
	for _, a := range o.adds {
		fmt.Fprintf(&b, "%s %d %x\n", a.site, a.start, a.chunk)
	}
	return b.String()
}

func (o output) String() string { return fmt.Sprintf("%sjournal %x", o.chunks(), o.journal) }

// windows folds the chunks of windows of visits.
type windows struct {
	aggs map[key]*window.Agg
	sums sums
}

func newWindows() *windows { return &windows{map[key]*window.Agg{}, sums{}} }

// add adds what a record changed, and checks the order.
func (w *windows) add(tb rapid.TB, out output) {
	tb.Helper()
	for i, a := range out.adds {
		if i > 0 {
			p := out.adds[i-1]
			if p.start > a.start || p.start == a.start && p.site >= a.site {
				tb.Fatalf("windows out of order: %d %s before %d %s", p.start, p.site, a.start, a.site)
			}
		}
		k := key{site: a.site, start: a.start}
		if w.aggs[k] == nil {
			w.aggs[k] = window.NewAgg(1 << 20)
		}
		w.count(w.aggs[k], k, func(k key, c counters) { w.sums.plus(k, counters{}.less(c)) })
		if err := w.aggs[k].Add(a.chunk); err != nil {
			tb.Fatal(err)
		}
		w.count(w.aggs[k], k, w.sums.plus)
	}
}

func (w *windows) count(a *window.Agg, k key, fn func(key, counters)) {
	win := window.Window{Kind: window.Visits}
	a.Fill(&win)
	for _, p := range win.Points {
		k.family, k.values = p.Family, p.Dims
		fn(k, counters{p.Visits, p.Bounces, p.Seconds, p.Views})
	}
}

// dump returns all that a table holds, as text.
func dump(t *Table) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(t.names)) {
		s := t.names[name]
		fmt.Fprintf(&b, "%s: %d\n", name, s.live)
		for _, visitor := range slices.Sorted(maps.Keys(firsts(t, s))) {
			for i := t.first(s, visitor); i != 0; i = t.visits.at(i).next {
				v := t.visits.at(i)
				fmt.Fprintf(&b, "  %s %d+%d entry %d exit %d views %d flags %d %q %q\n", visitor, v.first, v.span, v.entry, v.exit, v.views,
					v.flags&interactive, t.arena.get(v.dims), t.arena.get(v.exitPage))
			}
		}
	}
	return b.String()
}

// firsts returns the first visits of a site's visitors.
func firsts(t *Table, s *site) map[event.Visitor]int32 {
	m := map[event.Visitor]int32{}
	for _, p := range s.visitors.places {
		if p != 0 {
			m[t.visits.at(int32(p)).visitor] = int32(p)
		}
	}
	return m
}

// audit checks what must hold inside a table between records.
func audit(tb rapid.TB, t *Table) {
	tb.Helper()
	refs, live := 0, 0
	for name, s := range t.names {
		n := 0
		for visitor, i := range firsts(t, s) {
			if t.first(s, visitor) != i {
				tb.Fatalf("site %s: %s is not found", name, visitor)
			}
			end := event.Time(-1)
			for ; i != 0; i = t.visits.at(i).next {
				v := t.visits.at(i)
				if v.visitor != visitor || v.site != s.number || v.touch != 0 || v.first <= end || v.dims == 0 || (v.flags&follows != 0) != (end >= 0) {
					tb.Fatalf("site %s: bad visit %+v after one that ends at %d", name, v, end)
				}
				end = v.last()
				n++
				refs++
				if v.exitPage != 0 {
					refs++
				}
			}
		}
		if len(firsts(t, s)) != s.visitors.len || s.visitors.len*4 > len(s.visitors.places)*3 {
			tb.Fatalf("site %s: %d visitors in %d places, %d counted", name, len(firsts(t, s)), len(s.visitors.places), s.visitors.len)
		}
		if n != s.live || n == 0 {
			tb.Fatalf("site %s: %d visits, %d counted", name, n, s.live)
		}
		live += n
	}
	used := 0
	for _, class := range t.arena.classOf[min(1, len(t.arena.classOf)):] {
		used += chunkBytes / blockSizes[class]
	}
	for i := range t.arena.classes {
		used -= t.arena.classes[i].left + len(t.arena.classes[i].free)
	}
	if used != refs {
		tb.Fatalf("%d strings in the arena, %d in use", used, refs)
	}
	if slots := int(t.visits.made) - len(t.visits.free); live != t.live || slots != live {
		tb.Fatalf("%d visits, %d counted, %d slots in use", live, t.live, slots)
	}
	if len(t.sites) != len(t.names)+len(t.unused) {
		tb.Fatalf("%d numbers of sites for %d sites and %d unused", len(t.sites), len(t.names), len(t.unused))
	}
}
