package lake

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"millrace/engine/event"
)

// goneLog says which objects of a log (a partition of the stream, or an imported file) retention has taken away, whole. It only ever grows:
// two of one log are merged to one that says what both do.
//
// Objects that are gone are no loss: what proves that nothing is missing counts their rows as there. An object that is named here may be in
// the store still, or again, and is not looked at.
type goneLog struct {
	// Runs are segments that have no object any more, or are to have none, in order of the log.
	Runs []goneRun `json:"runs,omitempty"`
	// Parts are segments of which some objects are there, by their first offset.
	Parts map[int64]*gonePart `json:"parts,omitempty"`
	// Seen are days whose objects were looked through.
	Seen []goneSeen `json:"seen,omitempty"`
}

// goneRun are segments that follow one another: all from offset First up to Next, which is not of it, with the rows [Before, Before+Rows).
type goneRun struct {
	First  int64 `json:"first"`
	Next   int64 `json:"next"`
	Before int64 `json:"before"`
	Rows   int64 `json:"rows"`
}

// gonePart is a segment, and how many rows its objects have had that are gone, by their hours.
type gonePart struct {
	segment
	Hours map[event.Time]int64 `json:"hours"`
}

func (p *gonePart) rows() (n int64) {
	for _, rows := range p.Hours {
		n += rows
	}
	return n
}

// goneSeen says that all objects of the days [From, To), of segments before First, were looked through for rows of some sites, which Of
// names, and have none any more.
type goneSeen struct {
	From  event.Time `json:"from"`
	To    event.Time `json:"to"`
	Of    string     `json:"of"`
	First int64      `json:"first"`
}

func (g *goneLog) clone() *goneLog {
	c := &goneLog{Runs: slices.Clone(g.Runs), Parts: map[int64]*gonePart{}, Seen: slices.Clone(g.Seen)}
	for first, p := range g.Parts {
		c.Parts[first] = &gonePart{p.segment, maps.Clone(p.Hours)}
	}
	return c
}

// add notes that an object of a segment is to go.
func (g *goneLog) add(seg segment, hour event.Time, rows int64) {
	p := g.Parts[seg.First]
	if p == nil {
		p = &gonePart{seg, map[event.Time]int64{}}
		g.Parts[seg.First] = p
	}
	p.Hours[hour] = rows
}

// merge adds what another says.
func (g *goneLog) merge(of *goneLog) {
	g.Runs = append(g.Runs, of.Runs...)
	for first, p := range of.Parts {
		for hour, rows := range p.Hours {
			g.add(p.segment, hour, rows)
		}
		g.Parts[first].segment = p.segment
	}
	for _, s := range of.Seen {
		if !slices.Contains(g.Seen, s) {
			g.Seen = append(g.Seen, s)
		}
	}
	g.tidy()
}

// tidy makes runs of segments that are gone whole, and one of those that follow one another.
func (g *goneLog) tidy() {
	for first, p := range g.Parts {
		if p.rows() >= p.Rows {
			g.Runs = append(g.Runs, goneRun{p.First, p.Next, p.Before, p.Rows})
			delete(g.Parts, first)
		}
	}
	slices.SortFunc(g.Runs, func(x, y goneRun) int { return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(x.Next, y.Next)) })
	var runs []goneRun
	for _, r := range g.Runs {
		if n := len(runs); n > 0 {
			last := &runs[n-1]
			if r.First < last.Next || r.Before == last.Before+last.Rows {
				last.Rows = max(last.Before+last.Rows, r.Before+r.Rows) - last.Before
				last.Next = max(last.Next, r.Next)
				continue
			}
		}
		runs = append(runs, r)
	}
	g.Runs = runs
	maps.DeleteFunc(g.Parts, func(first int64, _ *gonePart) bool { return g.run(first) })
	slices.SortFunc(g.Seen, func(x, y goneSeen) int {
		return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To), cmp.Compare(x.First, y.First), cmp.Compare(x.Of, y.Of))
	})
}

// run reports whether the segment that begins at an offset is gone whole.
func (g *goneLog) run(first int64) bool {
	if g == nil {
		return false
	}
	i, found := slices.BinarySearchFunc(g.Runs, first, func(r goneRun, first int64) int { return cmp.Compare(r.First, first) })
	return found || i > 0 && first < g.Runs[i-1].Next
}

// object reports whether an object is gone, or to go.
func (g *goneLog) object(k Key) bool {
	if g == nil {
		return false
	}
	if p := g.Parts[k.First]; p != nil {
		if _, ok := p.Hours[k.Hour]; ok {
			return true
		}
	}
	return g.run(k.First)
}

// of returns how many rows are gone of a segment that has objects still.
func (g *goneLog) of(first int64) int64 {
	if g == nil || g.Parts[first] == nil {
		return 0
	}
	return g.Parts[first].rows()
}

// all reports whether the rows [from, to) of the log are those of segments that are gone whole.
func (g *goneLog) all(from, to int64) bool {
	return g != nil && from <= to && slices.ContainsFunc(g.Runs, func(r goneRun) bool { return r.Before <= from && to <= r.Before+r.Rows })
}

// seen reports whether an object was looked through for the sites that a name is of.
func (g *goneLog) seen(k Key, of string) bool {
	return g != nil && slices.ContainsFunc(g.Seen, func(s goneSeen) bool {
		return s.From <= k.Hour && k.Hour < s.To && s.Of == of && k.First < s.First
	})
}

func (g *goneLog) validate() error {
	for _, r := range g.Runs {
		if r.First < 0 || r.Next <= r.First || r.Before < 0 || r.Rows < 0 {
			return fmt.Errorf("segments of the offsets %d to %d with the rows %d and %d more are gone", r.First, r.Next, r.Before, r.Rows)
		}
	}
	for first, p := range g.Parts {
		if p == nil || p.First != first || p.Next <= first || p.Rows < 0 || p.Hours == nil {
			return fmt.Errorf("a part of the segment that begins at offset %d is gone, and it says nothing of it", first)
		}
	}
	return nil
}
