package query

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"millrace/engine/window"
)

// Op is how a condition compares.
type Op uint8

// The comparisons; the others are junctions of a Filter.
const (
	Is       Op = iota // equal to one of the clauses
	Contains           // one of the clauses is a part of it
	Matches            // matches one of the clauses, which are regular expressions of RE2
	opAnd
	opOr
	opNot
	opDone // the visit has an event that passes; rollups can't tell
)

// Filter is a tree of conditions on the values of a point. Make one with And, Or, Not, HasDone and
// NewCondition; it is never changed.
type Filter struct {
	op       Op
	sub      []*Filter // of and, or, not, done
	dim      *Dimension
	clauses  []string         // of is and contains: any of them; in lower case for contains if fold is set
	patterns []*regexp.Regexp // of matches, and of pages with asterisks: any of them
	fold     bool             // upper and lower case are the same
}

// And lets pass what every part lets pass; without parts everything.
func And(parts ...*Filter) *Filter { return &Filter{op: opAnd, sub: parts} }

// Or lets pass what one part lets pass.
func Or(parts ...*Filter) *Filter { return &Filter{op: opOr, sub: parts} }

// Not lets pass what f does not.
func Not(f *Filter) *Filter { return &Filter{op: opNot, sub: []*Filter{f}} }

// HasDone lets pass what is of a visit with an event that f lets pass: the event itself, or another one, in the range or not.
// It returns false if f has such a part itself.
func HasDone(f *Filter) (*Filter, bool) {
	return &Filter{op: opDone, sub: []*Filter{f}}, len(f.done()) == 0
}

// done returns the parts of f that HasDone made.
func (f *Filter) done() (list []*Filter) {
	if f.op == opDone {
		return []*Filter{f}
	}
	for _, sub := range f.sub {
		list = append(list, sub.done()...)
	}
	return list
}

// maxPatterns bounds the regular expressions of a condition, maxPattern the length of one in bytes.
const (
	maxPatterns = 20
	maxPattern  = 1_000
)

// NewCondition compares the values of a dimension, which is none of time, with clauses. Fold makes
// upper and lower case the same. Clauses are taken in any spelling of what they name, see spell.
// The error is a sentence without its end: why no value can be equal to a clause, or why a clause
// is no pattern.
func NewCondition(op Op, d *Dimension, clauses []string, fold bool) (*Filter, error) {
	f := &Filter{op: op, dim: d, clauses: slices.Clone(clauses), fold: fold}
	if op == Is {
		namesHere(d, f.clauses)
		if err := checkValues(d, f.clauses, fold); err != nil {
			return nil, err
		}
		f.clauses = noneClauses(d, f.clauses, fold)
	}
	f.spell()
	f.wild()
	return f, f.compile()
}

// wild makes patterns of pages with asterisks, each of which stands for any text: "/blog*" is a group of pages.
func (f *Filter) wild() {
	if f.op != Is || f.dim.dim != window.Page {
		return
	}
	var plain []string
	for _, c := range f.clauses {
		if !strings.Contains(c, "*") {
			plain = append(plain, c)
			continue
		}
		pieces := strings.Split(c, "*")
		for i, p := range pieces {
			pieces[i] = regexp.QuoteMeta(p)
		}
		flags := "(?s)"
		if f.fold {
			flags = "(?is)"
		}
		f.patterns = append(f.patterns, regexp.MustCompile(flags+"^"+strings.Join(pieces, ".*")+"$"))
	}
	f.clauses = plain
}

// compile prepares the clauses of contains and matches.
func (f *Filter) compile() error {
	switch {
	case f.op == Contains && f.fold:
		for i, c := range f.clauses {
			f.clauses[i] = strings.ToLower(c)
		}
	case f.op == Matches && len(f.clauses) > maxPatterns:
		return fmt.Errorf("at most %d patterns are taken", maxPatterns)
	case f.op == Matches:
		for _, c := range f.clauses {
			if len(c) > maxPattern {
				return fmt.Errorf("a pattern has at most %d bytes", maxPattern)
			}
			if f.fold {
				c = "(?i)" + c
			}
			re, err := regexp.Compile(c)
			if err != nil {
				return fmt.Errorf("the pattern is no regular expression of RE2: %w", err)
			}
			f.patterns = append(f.patterns, re)
		}
	}
	return nil
}

// named returns the filter on dimensions with the names that p knows.
func (f *Filter) named(p Places) *Filter {
	if p == nil {
		return f
	}
	own := *f
	if own.dim != nil {
		own.dim = own.dim.named(p)
	}
	own.sub = make([]*Filter, len(f.sub))
	for i, sub := range f.sub {
		own.sub[i] = sub.named(p)
	}
	return &own
}

// eachDim calls fn for the dimension of each condition, but for those of other events.
func (f *Filter) eachDim(fn func(*Dimension)) {
	if f.dim != nil {
		fn(f.dim)
	}
	if f.op == opDone {
		return
	}
	for _, sub := range f.sub {
		sub.eachDim(fn)
	}
}

// isEmpty reports whether everything passes because there is no condition.
func (f *Filter) isEmpty() bool { return f.op == opAnd && len(f.sub) == 0 }

// match reports whether the values of a point of p's family pass.
func (f *Filter) match(p *plan, dims *[2]string) bool {
	switch f.op {
	case opAnd:
		for _, sub := range f.sub {
			if !sub.match(p, dims) {
				return false
			}
		}
		return true
	case opOr:
		for _, sub := range f.sub {
			if sub.match(p, dims) {
				return true
			}
		}
		return false
	case opNot:
		return !f.sub[0].match(p, dims)
	}
	return f.matchValue(f.dim.show(dims[p.position(f.dim)]))
}

func (f *Filter) matchValue(v string) bool {
	if slices.ContainsFunc(f.patterns, func(re *regexp.Regexp) bool { return re.MatchString(v) }) {
		return true
	}
	switch f.op {
	case Matches:
		return false
	case Contains:
		if f.fold {
			v = strings.ToLower(v)
		}
		return slices.ContainsFunc(f.clauses, func(c string) bool { return strings.Contains(v, c) })
	}
	return slices.ContainsFunc(f.clauses, func(c string) bool { return v == c || f.fold && strings.EqualFold(v, c) })
}

// values returns the stored values at a position of p's family that can pass, if f bounds them.
func (f *Filter) values(p *plan, position int) (list []string, bounded bool) {
	switch f.op {
	case Is:
		if p.position(f.dim) != position || f.fold || f.dim.label != nil || f.patterns != nil {
			return nil, false
		}
		return f.clauses, true
	case opAnd:
		for _, sub := range f.sub {
			if l, ok := sub.values(p, position); ok && (!bounded || len(l) < len(list)) {
				list, bounded = l, true // any of the bounds will do: match decides
			}
		}
		return list, bounded
	case opOr:
		for _, sub := range f.sub {
			l, ok := sub.values(p, position)
			if !ok {
				return nil, false
			}
			list = append(list[:len(list):len(list)], l...)
		}
		return list, true
	}
	return nil, false
}

// withoutGoals returns f without its conditions on goals and custom properties, see without.
func (f *Filter) withoutGoals() (rest *Filter, ok bool) {
	return f.without(func(d *Dimension) bool { return d.isGoal() || d.prop != "" })
}

// without returns f without its conditions on some dimensions; nil if no other is left of a part, not ok if a part mixes them with
// others.
func (f *Filter) without(these func(*Dimension) bool) (rest *Filter, ok bool) {
	if f.op == opAnd {
		rest = And()
		for _, sub := range f.sub {
			s, ok := sub.without(these)
			if !ok {
				return nil, false
			}
			if s != nil {
				rest.sub = append(rest.sub, s)
			}
		}
		return rest, true
	}
	some, others := false, false
	f.eachDim(func(d *Dimension) {
		if these(d) {
			some = true
		} else {
			others = true
		}
	})
	if some {
		return nil, !others
	}
	return f, true
}

// one reports whether f lets one value of a dimension pass at most.
func (f *Filter) one(d window.Dim) bool {
	switch f.op {
	case Is:
		return f.dim.dim == d && len(f.clauses) == 1 && !f.fold && f.patterns == nil
	case opAnd:
		return slices.ContainsFunc(f.sub, func(sub *Filter) bool { return sub.one(d) })
	}
	return false
}
