package query

import (
	"slices"

	"millrace/engine/window"
)

// plan says how a question, or the part of it that asks for one kind of numbers, is answered from one family.
type plan struct {
	kind   window.Kind // Visits, or Minute where hours will do as well
	family window.Family
	filter *filter
	prop   string      // the key that points of Props must have
	values [2][]string // what the Reader may restrict itself to
	cols   []column    // one for each dimension of the question
}

// column tells where a dimension of the answer comes from.
type column struct {
	dim *dimension // nil for the time bucket
	pos int        // which of the family's dimensions
}

// holder returns the dimension that windows of a kind hold d under. A visit has no page of its own: what is asked of
// visits by page is asked by the page they began with.
func holder(k window.Kind, d *dimension) window.Dim {
	if k == window.Visits && d.dim == window.Page {
		return window.EntryPage
	}
	return d.dim
}

// alone are the families that answer for one of their two dimensions alone: the other one says no more than whose value
// it is.
var alone = map[window.Dim]window.Family{
	window.Region: window.Regions, window.City: window.Cities, window.PropValue: window.Props,
	window.BrowserVersion: window.BrowserVersions, window.OSVersion: window.OSVersions,
}

// planFor finds the family that holds exactly the dimensions asked for and filtered by. Others with more would do only
// if nothing were past their budget.
func planFor(k window.Kind, dims []*dimension, f *filter) (*plan, error) {
	var need []window.Dim
	p := &plan{kind: k, filter: f}
	add := func(d *dimension) {
		if held := holder(k, d); !d.isTime() && !slices.Contains(need, held) {
			need = append(need, held)
		}
		if d.prop != "" {
			p.prop = d.prop // one at most, see check
		}
	}
	for _, d := range dims {
		add(d)
	}
	f.eachDim(add)
	var ok bool
	if p.family, ok = familyFor(k, need); !ok {
		return nil, noFamily(k, dims, f)
	}
	for _, d := range dims {
		c := column{pos: -1}
		if !d.isTime() {
			c = column{d, p.position(d)}
		}
		p.cols = append(p.cols, c)
	}
	p.restrict()
	return p, nil
}

func familyFor(k window.Kind, need []window.Dim) (window.Family, bool) {
	for f := range window.NumFamilies {
		if f != window.Dropped && f.In(k) && sameDims(f.Dims(), need) {
			return f, true
		}
	}
	if len(need) == 1 {
		f, ok := alone[need[0]]
		return f, ok && f.In(k)
	}
	return 0, false
}

func sameDims(have, need []window.Dim) bool {
	if len(have) != len(need) {
		return false
	}
	for _, d := range need {
		if !slices.Contains(have, d) {
			return false
		}
	}
	return true
}

func noFamily(k window.Kind, dims []*dimension, f *filter) error {
	q := Query{dims: dims, filter: f}
	what := ""
	if k == window.Visits {
		for _, d := range q.allDims() {
			if d.ofEvent() && d.dim != window.Page && d.dim != window.Hostname {
				return bad("Invalid metrics %q: visits can't be counted by %s; of the dimensions of events only by event:page, which then is the page that visits began with, and event:hostname.", visits, d.name)
			}
		}
		what = "visits by "
	}
	return bad("No rollup holds %s%s together: dimensions and filters may name one dimension, event:goal and event:page, event:hostname, visit:entry_page, a source or tag, a country, region or city, a device, browser or system, "+
		"visit:country and visit:browser, visit:region or visit:city, or a browser or system and its version.", what, nameList(q.allDims()))
}

// position returns which of the family's dimensions holds d.
func (p *plan) position(d *dimension) int { return slices.Index(p.family.Dims(), holder(p.kind, d)) }

// restrict sets the values that the Reader is asked for. What is past the budget comes along: the asker is told how much
// it is.
func (p *plan) restrict() {
	for i := range p.family.Dims() {
		v, ok := p.filter.values(p, i)
		if p.prop != "" && p.family.Dims()[i] == window.PropKey {
			v, ok = []string{p.prop}, true
		}
		if ok {
			p.values[i] = append(v[:len(v):len(v)], window.Other)
		}
	}
}

// bounded tells whether the Reader may leave out values of the family.
func (p *plan) bounded() bool { return p.values[0] != nil || p.values[1] != nil }

// match tells whether a point with these values is asked for.
func (p *plan) match(dims *[2]string) bool {
	if p.prop != "" && dims[slices.Index(p.family.Dims(), window.PropKey)] != p.prop {
		return false
	}
	return p.filter.match(p, dims)
}

// selects tells whether match may say no.
func (p *plan) selects() bool { return p.prop != "" || !p.filter.isEmpty() }
