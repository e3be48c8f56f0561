package query

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
)

// lackingIn returns the families whose points a plan reads beside those of its own, for what has no
// value in the last dimension of the family: none if everything has one, or if the filter lets no
// window.None pass.
func (p *plan) lackingIn(dims []*Dimension) []window.Family {
	last := len(p.family.Dims()) - 1
	isFirst := func(d *Dimension) bool { return !d.IsTime() && last > 0 && holder(p.kind, d) == p.family.Dims()[0] }
	families := p.family.LackingIn(!slices.ContainsFunc(dims, isFirst))
	isPage := func(d *Dimension) bool { return !d.IsTime() && d.dim == window.Page }
	if families == nil || slices.ContainsFunc(dims, isPage) { // an event without one has window.None as its page; of visits it is of those with one
		return nil
	}
	if p.values[last] != nil && !slices.Contains(p.values[last], window.None) {
		return nil
	}
	if last == 0 && !p.filter.match(p, &[2]string{window.None}) {
		return nil
	}
	return families
}

// scanSegment calls add for the points of a segment, in ascending order of start, and for what they
// do not have.
func (e *execution) scanSegment(ctx context.Context, p *plan, seg segment, a *aggregation) error {
	reader, sel := e.x.opts.Reader, p.selection(e.q, seg)
	if len(p.lacking) == 0 {
		return reader.Scan(ctx, sel, a.add)
	}
	var n noneReader
	defer n.close()
	for _, f := range p.lacking {
		own := sel
		if own.Family, own.Values = f, [2][]string{}; len(f.Dims()) > 1 { // by what sel has first, too
			own.Values[0] = sel.Values[0]
		}
		n.open(ctx, reader, own)
	}
	give := func(start event.Time, lacking *window.Point) error {
		dims, ok := p.family.NoneOf(lacking, p.prop)
		if !ok {
			a.noteLacking(lacking)
			return nil
		}
		return a.add(start, true, &window.Point{Family: p.family, Dims: dims, Rollup: lacking.Rollup})
	}
	err := reader.Scan(ctx, sel, func(start event.Time, final bool, point *window.Point) error {
		if err := n.upTo(start, give); err != nil {
			return err
		}
		return a.add(start, final, point)
	})
	if err != nil {
		return err
	}
	return n.upTo(seg.to, give)
}

// noneReader reads several families at once, in ascending order of start.
type noneReader struct{ scans []*pulled }

// pulled is a scan that stands at a point.
type pulled struct {
	next  func() (event.Time, *window.Point, bool)
	stop  func()
	start event.Time
	point *window.Point // nil at the end
	err   error
}

func (n *noneReader) open(ctx context.Context, r Reader, sel window.Selection) {
	s := &pulled{}
	s.next, s.stop = iter.Pull2(func(yield func(event.Time, *window.Point) bool) {
		err := r.Scan(ctx, sel, func(start event.Time, _ bool, p *window.Point) error {
			if !yield(start, p) {
				return errFound
			}
			return nil
		})
		if !errors.Is(err, errFound) {
			s.err = err
		}
	})
	n.scans = append(n.scans, s)
	s.advance()
}

func (s *pulled) advance() {
	var ok bool
	if s.start, s.point, ok = s.next(); !ok {
		s.point = nil
	}
}

// upTo calls give for the points up to a start, that one among them.
func (n *noneReader) upTo(start event.Time, give func(event.Time, *window.Point) error) error {
	for {
		var first *pulled
		for _, s := range n.scans {
			if s.err != nil {
				return s.err
			}
			if s.point != nil && s.start <= start && (first == nil || s.start < first.start) {
				first = s
			}
		}
		if first == nil {
			return nil
		}
		if err := give(first.start, first.point); err != nil {
			return err
		}
		first.advance()
	}
}

func (n *noneReader) close() {
	for _, s := range n.scans {
		s.stop()
	}
}

// noteLacking counts what a point of a family of what is lacking holds past its budget: it may lack
// the dimension.
func (a *aggregation) noteLacking(p *window.Point) {
	if p.Dims[len(p.Family.Dims())-1] == window.Other {
		a.other += a.plan.weigh(p)
	}
}

// noneClauses adds window.None to the values of a condition "is" where they hold another name of
// it. Fold: upper and lower case are the same.
func noneClauses(d *Dimension, values []string, fold bool) []string {
	for _, v := range values {
		if meansNone(d, v, fold) && !slices.Contains(values, window.None) {
			values = append(values[:len(values):len(values)], window.None)
		}
	}
	return values
}

// meansNone reports whether a value stands for window.None: the empty text, and what Plausible
// calls it, "(not set)" in the dimensions of visits and "Direct / None" of sources. No visit of
// this build has them as values of its own: a tag with such a text is stored as window.LiteralTag
// and LiteralSource have it. Fold: upper and lower case are the same.
func meansNone(d *Dimension, v string, fold bool) bool {
	is := func(name string) bool { return v == name || fold && strings.EqualFold(v, name) }
	switch {
	case v == "", is(window.None):
		return true
	case is(window.NotSet):
		return strings.HasPrefix(d.name, "visit:")
	case is(window.DirectNone):
		return d.name == "visit:source"
	}
	return false
}
