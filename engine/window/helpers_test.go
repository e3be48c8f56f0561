package window

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// drawValue draws from few values, so that they repeat, and now and then a hostile one.
func drawValue(t *rapid.T, label string) string {
	switch rapid.IntRange(0, 9).Draw(t, label) {
	case 0:
		return ""
	case 1:
		return Clean(rapid.String().Draw(t, label+" text"))
	case 2:
		return Other
	case 3:
		return rapid.SampledFrom([]string{None, "Chrome", "pageview", "DE", "en-US", "Mobile", "17", "017", "2950159", "DE-BE"}).Draw(t, label+" known")
	}
	return fmt.Sprintf("%s%d", label, rapid.IntRange(0, 5).Draw(t, label+" number"))
}

func drawDims(t *rapid.T, of func(Dim) bool) (dims [NumDims]string) {
	for d := range dims {
		if of(Dim(d)) {
			dims[d] = drawValue(t, Dim(d).String())
		}
	}
	return dims
}

func drawRow(t *rapid.T) Row {
	r := Row{
		Flags:   Flags(rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3, 4, 5, 7}).Draw(t, "flags")),
		Visitor: event.Visitor(rapid.Uint64Range(0, 12).Draw(t, "visitor")),
		Revenue: event.Money(rapid.SampledFrom([]int64{0, 0, 0, 1, -1, 99_000, math.MaxInt64}).Draw(t, "revenue")),
		Dims: drawDims(t, func(d Dim) bool {
			return rowDims.has(d)
		}),
	}
	r.Paid = r.Revenue != 0 || rapid.IntRange(0, 3).Draw(t, "paid") == 0
	seen := map[string]bool{}
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "goals") {
		if g := drawValue(t, "goal"); !seen[g] {
			seen[g] = true
			r.Goals = append(r.Goals, g)
		}
	}
	slices.Sort(r.Goals)
	clear(seen)
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "props") {
		if k := drawValue(t, "key"); !seen[k] {
			seen[k] = true
			r.Props = append(r.Props, event.Prop{Key: k, Value: drawValue(t, "value")})
		}
	}
	slices.SortFunc(r.Props, func(x, y event.Prop) int { return strings.Compare(x.Key, y.Key) })
	return r
}

func drawVisit(t *rapid.T) VisitRow {
	n := func(label string) int64 { return rapid.Int64Range(-3, 3).Draw(t, label) }
	return VisitRow{
		Scope:  rapid.SampledFrom([]Scope{AllFamilies, ExitPageOnly, AllButExitPage}).Draw(t, "scope"),
		Dims:   drawDims(t, func(d Dim) bool { return d.OfVisit() || d == ExitPage || d == Hostname }),
		Visits: n("visits"), Bounces: n("bounces"), Seconds: 1000 * n("seconds"), Views: n("views"),
	}
}

func chunkOf(rows []Row) []byte {
	var w RowWriter
	for i := range rows {
		w.Add(&rows[i])
	}
	return w.AppendChunk(nil)
}

func visitsOf(rows []VisitRow) []byte {
	var w VisitWriter
	for i := range rows {
		w.Add(&rows[i])
	}
	return w.AppendChunk(nil)
}

func mustLines(tb testing.TB, w *Window) string {
	tb.Helper()
	b, err := w.AppendLines(nil)
	if err != nil {
		tb.Fatalf("AppendLines: %v", err)
	}
	return string(b)
}

func linesOf(tb interface{ Fatal(...any) }, a *Agg, head Window) string {
	a.Fill(&head)
	b, err := head.AppendLines(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// tally counts the slow way, by the text of the package comments, and shares no code with Agg.
type tally struct {
	limit    int
	families [NumFamilies]struct {
		order  [][2]string // of first appearance, Other not among them
		counts map[[2]string]*tallied
	}
}

type tallied struct {
	Rollup
	visitors map[event.Visitor]bool
}

// at returns the counters of values of a family, or nil if one is missing.
func (y *tally) at(f Family, values ...string) *tallied {
	var key, other [2]string
	for i := range f.Dims() {
		key[i], other[i] = values[i], Other
		if values[i] == "" {
			return nil
		}
	}
	fam := &y.families[f]
	if fam.counts == nil {
		fam.counts = map[[2]string]*tallied{}
	}
	if fam.counts[key] == nil && (key != other || len(f.Dims()) == 0) {
		if y.limit > 0 && len(fam.order) == y.limit {
			key = other
		} else {
			fam.order = append(fam.order, key)
		}
	}
	if fam.counts[key] == nil {
		fam.counts[key] = &tallied{visitors: map[event.Visitor]bool{}}
	}
	return fam.counts[key]
}

func (y *tally) row(r *Row) {
	add := func(c *tallied) {
		if c == nil {
			return
		}
		c.Events++
		c.Revenue += r.Revenue
		if r.Paid {
			c.Paid++
		}
		if r.Flags&PageviewRow != 0 {
			c.Pageviews++
		}
		if r.Visitor != 0 {
			c.visitors[r.Visitor] = true
		}
	}
	if r.Flags&DroppedRow != 0 {
		add(y.at(Dropped))
		return
	}
	if r.Flags&BotRow != 0 {
		add(y.at(Bots, r.Dims[Reason]))
		return
	}
	var keys []string
	for _, p := range r.Props {
		if p.Key != "" && p.Value != "" {
			keys = append(keys, p.Key)
		}
	}
	r.Dims[Lacks], r.Dims[LacksPlace], r.Dims[PropKeys] = lackedBy(&r.Dims, len(keys) == 0), lackedPlace(&r.Dims), PropSet(keys...)
	for f := range NumFamilies {
		if f == Bots || f == Dropped || !f.In(Minute) {
			continue
		}
		switch dims := f.Dims(); {
		case f == Props:
			for _, p := range r.Props {
				add(y.at(f, p.Key, p.Value))
			}
		case len(dims) == 0:
			add(y.at(f))
		case dims[0] == Goal && len(dims) == 1:
			for _, g := range r.Goals {
				add(y.at(f, g))
			}
		case dims[0] == Goal:
			for _, g := range r.Goals {
				add(y.at(f, g, r.Dims[dims[1]]))
			}
		case len(dims) == 1:
			add(y.at(f, r.Dims[dims[0]]))
		default:
			add(y.at(f, r.Dims[dims[0]], r.Dims[dims[1]]))
		}
	}
}

// lackedBy is the set of what a row lacks, as the rollup store has it: twelve bits in hexadecimal
// digits.
func lackedBy(dims *[NumDims]string, noProps bool) string {
	bits := 0
	for bit, d := range map[int]Dim{
		1: Source, 2: Referrer, 4: EntryPage, 8: Channel, 0x10: UTMSource, 0x20: UTMMedium, 0x40: UTMCampaign, 0x80: UTMContent,
		0x100: UTMTerm, 0x200: Region, 0x400: City,
	} {
		if dims[d] == "" {
			bits += bit
		}
	}
	if noProps {
		bits += 0x800
	}
	if bits == 0 {
		return ""
	}
	return fmt.Sprintf("-%x", bits)
}

func lackedPlace(dims *[NumDims]string) string {
	switch {
	case dims[Region] == "" && dims[City] == "":
		return "-600"
	case dims[Region] == "":
		return "-200"
	case dims[City] == "":
		return "-400"
	}
	return ""
}

func (y *tally) visit(r *VisitRow) {
	r.Dims[Lacks], r.Dims[LacksPlace] = lackedBy(&r.Dims, false), lackedPlace(&r.Dims)
	for f := range NumFamilies {
		if !f.In(Visits) || r.Scope == ExitPageOnly && f != ExitPages || r.Scope == AllButExitPage && f == ExitPages {
			continue
		}
		var values [2]string
		for i, d := range f.Dims() {
			values[i] = r.Dims[d]
		}
		if c := y.at(f, values[:]...); c != nil {
			c.Visits += r.Visits
			c.Bounces += r.Bounces
			c.Seconds += r.Seconds
			c.Views += r.Views
		}
	}
}

// hour adds a minute to an hour, which has no budget before it is chosen.
func (y *tally) hour(minute *tally) {
	for f := range NumFamilies {
		for k, from := range minute.families[f].counts {
			y.at(f, k[:]...).add(from)
		}
	}
}

// choose keeps the values of an hour that count most events, and of equals the first ones.
func (y *tally) choose(limit int) {
	for f := range NumFamilies {
		fam := &y.families[f]
		if limit == 0 || len(fam.order) <= limit {
			continue
		}
		slices.SortFunc(fam.order, func(a, b [2]string) int {
			return cmp.Or(cmp.Compare(fam.counts[b].Events, fam.counts[a].Events), strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1]))
		})
		gone := fam.order[limit:]
		fam.order = fam.order[:limit]
		other := y.at(f, Other, Other)
		for _, k := range gone {
			other.add(fam.counts[k])
			delete(fam.counts, k)
		}
	}
}

func (t *tallied) add(from *tallied) {
	t.Events += from.Events
	t.Pageviews += from.Pageviews
	t.Paid += from.Paid
	t.Revenue += from.Revenue
	for v := range from.visitors {
		t.visitors[v] = true
	}
}

// points returns what has been counted as a window of a kind has it.
func (y *tally) points(kind Kind) []Point {
	var points []Point
	for f := range NumFamilies {
		if !f.In(kind) {
			continue
		}
		var keys [][2]string
		for k := range y.families[f].counts {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(x, y [2]string) int {
			if ox, oy := len(f.Dims()) > 0 && isOther(f, x), len(f.Dims()) > 0 && isOther(f, y); ox != oy {
				if ox {
					return 1
				}
				return -1
			}
			if c := strings.Compare(x[0], y[0]); c != 0 {
				return c
			}
			return strings.Compare(x[1], y[1])
		})
		for _, k := range keys {
			c := y.families[f].counts[k]
			p := Point{Family: f, Dims: k, Rollup: c.Rollup}
			if kind == Visits {
				p.Events, p.Pageviews, p.Revenue, p.Paid = 0, 0, 0, 0
			} else {
				var sk sketch.Sketch
				for v := range c.visitors {
					sk.Add(uint64(v))
				}
				p.Visitors, p.Sketch = uint64(len(c.visitors)), sk.AppendBinary(nil)
				p.Visits, p.Bounces, p.Seconds, p.Views = 0, 0, 0, 0
			}
			points = append(points, p)
		}
	}
	return points
}

func isOther(f Family, dims [2]string) bool {
	for i := range f.Dims() {
		if dims[i] != Other {
			return false
		}
	}
	return true
}
