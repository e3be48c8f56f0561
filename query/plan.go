package query

import (
	"slices"

	"millrace/engine/window"
)

// plan is how a query, or the part of it that has one kind of metrics, is answered from one family.
type plan struct {
	kind   window.Kind // Visits, or Minute where hours will do as well
	family window.Family
	filter *Filter
	prop   string      // the key that points of Props must have
	values [2][]string // what the Reader may restrict itself to
	cols   []column    // one for each dimension of the query
	// lacking are the families that hold what has no value in the last dimension of the family.
	lacking []window.Family
}

// column is where a dimension of a row comes from.
type column struct {
	dim *Dimension // nil for the time bucket
	pos int        // which of the family's dimensions
}

// holder returns the dimension that windows of a kind hold d under. A visit has no page of its own:
// visits by page are by the page they began with.
func holder(k window.Kind, d *Dimension) window.Dim {
	if k == window.Visits && d.dim == window.Page {
		return window.EntryPage
	}
	return d.dim
}

// alone are the families that hold one of their two dimensions alone: the other one is no more than
// whose value it is.
var alone = map[window.Dim]window.Family{
	window.Region: window.Regions, window.City: window.Cities, window.PropValue: window.Props,
	window.BrowserVersion: window.BrowserVersions, window.OSVersion: window.OSVersions,
}

// plans returns one plan or two: for what is counted of events, and for what is counted of visits.
func (s *shape) plans() ([]*plan, error) {
	var list []*plan
	for _, part := range []struct {
		has  bool
		kind window.Kind
	}{{s.ofEvents(), window.Minute}, {s.ofVisits(), window.Visits}} {
		if !part.has {
			continue
		}
		p, err := planFor(part.kind, s.dims, s.filter)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// planFor finds the family that holds exactly the dimensions of rows and filters. Others with more
// would do only if nothing were past their budget.
func planFor(k window.Kind, dims []*Dimension, f *Filter) (*plan, error) {
	var need []window.Dim
	p := &plan{kind: k, filter: f}
	add := func(d *Dimension) {
		if held := holder(k, d); !d.IsTime() && !slices.Contains(need, held) {
			need = append(need, held)
		}
		if d.prop != "" {
			p.prop = d.prop // one at most, see Check
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
		if !d.IsTime() {
			c = column{d, p.position(d)}
		}
		p.cols = append(p.cols, c)
	}
	p.restrict()
	p.lacking = p.lackingIn(append(filterDims(f), dims...))
	return p, nil
}

// filterDims returns the dimensions of a filter's conditions.
func filterDims(f *Filter) (list []*Dimension) {
	f.eachDim(func(d *Dimension) { list = append(list, d) })
	return list
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

func noFamily(k window.Kind, dims []*Dimension, f *Filter) error {
	s := shape{dims: dims, filter: f}
	what := ""
	if k == window.Visits {
		for _, d := range s.allDims() {
			if d.ofEvent() && d.dim != window.Page && d.dim != window.Hostname {
				return invalid("Invalid metrics %q: visits can't be counted by %s; of the dimensions of events only by event:page, which then is the page that visits began with, and event:hostname.", visits, d.name)
			}
		}
		what = "visits by "
	}
	return invalid("No rollup holds %s%s together: dimensions and filters may name one dimension, event:goal and event:page, event:hostname, visit:entry_page, a source or tag, a country, region or city, a device, browser or system, "+
		"visit:country and visit:browser, visit:region or visit:city, or a browser or system and its version.", what, nameList(s.allDims()))
}

// position returns which of the family's dimensions holds d.
func (p *plan) position(d *Dimension) int { return slices.Index(p.family.Dims(), holder(p.kind, d)) }

// restrict sets the values that the Reader may restrict itself to. What is past the budget comes
// along: the answer has how much it is.
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

// bounded reports whether the Reader may leave out values of the family.
func (p *plan) bounded() bool { return p.values[0] != nil || p.values[1] != nil }

// match reports whether a point with these values counts.
func (p *plan) match(dims *[2]string) bool {
	if p.prop != "" && dims[slices.Index(p.family.Dims(), window.PropKey)] != p.prop {
		return false
	}
	return p.filter.match(p, dims)
}

// selects reports whether match may return false.
func (p *plan) selects() bool { return p.prop != "" || !p.filter.isEmpty() }
