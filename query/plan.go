package query

import (
	"slices"
	"strings"

	"millrace/engine/window"
)

// plan says how a question is answered from one family of rollups.
type plan struct {
	family window.Family
	filter *filter
	values [2][]string // what the Reader may restrict itself to
	cols   []column    // one for each dimension of the question
}

// column tells where a dimension of the answer comes from.
type column struct {
	dim *dimension // nil for the time bucket
	pos int        // which of the family's dimensions
}

// planFor finds the family that holds exactly the dimensions asked for and filtered by. A family with more
// would do only if no value were past its budget, and none is needed so far.
func planFor(dims []*dimension, f *filter) (*plan, error) {
	var need []window.Dim
	for _, d := range dims {
		if !d.isTime() && !slices.Contains(need, d.dim) {
			need = append(need, d.dim)
		}
	}
	need = f.addDims(need)
	for fam := range window.NumFamilies {
		if fam == window.Dropped || !sameDims(fam.Dims(), need) {
			continue
		}
		p := &plan{family: fam, filter: f}
		for i, d := range fam.Dims() {
			if v, ok := f.values(d); ok {
				p.values[i] = v
			}
		}
		for _, d := range dims {
			c := column{pos: -1}
			if !d.isTime() {
				c = column{d, slices.Index(fam.Dims(), d.dim)}
			}
			p.cols = append(p.cols, c)
		}
		return p, nil
	}
	return nil, bad("No rollup holds %s together: dimensions and filters may name one dimension, or visit:country and visit:browser.", dimNames(dims, f))
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

// dimNames lists the dimensions of a question, as it named them, for a message.
func dimNames(dims []*dimension, f *filter) string {
	var names []string
	add := func(d *dimension) {
		if d != nil && !d.isTime() && !slices.Contains(names, d.name) {
			names = append(names, d.name)
		}
	}
	for _, d := range dims {
		add(d)
	}
	var walk func(*filter)
	walk = func(f *filter) {
		add(f.dim)
		for _, sub := range f.sub {
			walk(sub)
		}
	}
	walk(f)
	return strings.Join(names, ", ")
}
