package query

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"millrace/engine/window"
)

type filterOp uint8

const (
	opAnd filterOp = iota
	opOr
	opNot
	opIs
	opContains
	opMatches
)

// filter is a tree of conditions on the values of a point.
type filter struct {
	op       filterOp
	sub      []*filter // of and, or, not
	dim      *dimension
	clauses  []string         // of is and contains: any of them; in lower case for contains if fold is set
	patterns []*regexp.Regexp // of matches: any of them
	fold     bool             // upper and lower case are the same
}

// maxFilterDepth bounds the nesting, maxClauses the number of clauses of a filter, maxPatterns of those that are
// regular expressions, maxPattern the length of one in bytes.
const (
	maxFilterDepth = 16
	maxClauses     = 1_000
	maxPatterns    = 20
	maxPattern     = 1_000
)

func (q *Query) parseFilters(obj map[string]any) error {
	q.filter = &filter{op: opAnd}
	q.rawFilters = []any{}
	v, ok := obj["filters"]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return bad("Invalid filters %s: it has to be a list of filters.", show(v))
	}
	q.rawFilters = list
	for _, v := range list {
		f, err := parseFilter(v, 1)
		if err != nil {
			return err
		}
		q.filter.sub = append(q.filter.sub, f)
	}
	return nil
}

func parseFilter(v any, depth int) (*filter, error) {
	list, _ := v.([]any)
	if len(list) == 0 {
		return nil, bad("Invalid filters %s: a filter is a list that begins with an operator.", show(v))
	}
	if depth > maxFilterDepth {
		return nil, bad("Invalid filters: nested more than %d deep.", maxFilterDepth)
	}
	op, _ := list[0].(string)
	switch op {
	case "and", "or":
		return parseJunction(op, list, depth)
	case "not":
		if len(list) != 2 {
			return nil, bad("Invalid filters %s: \"not\" takes one filter.", show(list))
		}
		f, err := parseFilter(list[1], depth+1)
		return &filter{op: opNot, sub: []*filter{f}}, err
	case "is", "contains", "matches":
		return parseLeaf(leaves[op], list)
	case "is_not", "contains_not", "matches_not":
		f, err := parseLeaf(leaves[strings.TrimSuffix(op, "_not")], list)
		return &filter{op: opNot, sub: []*filter{f}}, err
	case "has_done", "has_not_done":
		return nil, bad("Invalid filters %s: the operator %q can't be answered: rollups don't tell what else a visitor has done.", show(list), op)
	}
	return nil, bad("Invalid filters %s: unknown operator %s.", show(list), show(list[0]))
}

func parseJunction(op string, list []any, depth int) (*filter, error) {
	var parts []any
	if len(list) == 2 {
		parts, _ = list[1].([]any)
	}
	if len(parts) == 0 {
		return nil, bad("Invalid filters %s: %q takes a list of filters.", show(list), op)
	}
	f := &filter{op: opAnd}
	if op == "or" {
		f.op = opOr
	}
	for _, v := range parts {
		sub, err := parseFilter(v, depth+1)
		if err != nil {
			return nil, err
		}
		f.sub = append(f.sub, sub)
	}
	return f, nil
}

var leaves = map[string]filterOp{"is": opIs, "contains": opContains, "matches": opMatches}

func parseLeaf(op filterOp, list []any) (*filter, error) {
	if len(list) != 3 && len(list) != 4 {
		return nil, bad("Invalid filters %s: it has to be [operator, dimension, [clauses]].", show(list))
	}
	d, err := findDimension("filters", list[1])
	if err != nil {
		return nil, err
	}
	if d.isTime() {
		return nil, bad("Invalid filters %s: the time dimension %q can't be filtered by; date_range does that.", show(list), d.name)
	}
	f := &filter{op: op, dim: d}
	clauses, _ := list[2].([]any)
	if len(clauses) == 0 || len(clauses) > maxClauses {
		return nil, bad("Invalid filters %s: the clauses %s have to be a list of 1 to %d strings.", show(list), show(list[2]), maxClauses)
	}
	for _, c := range clauses {
		switch c := c.(type) {
		case string:
			f.clauses = append(f.clauses, c)
		case json.Number:
			f.clauses = append(f.clauses, c.String())
		default:
			return nil, bad("Invalid filters %s: the clause %s is not a string.", show(list), show(c))
		}
	}
	if len(list) == 4 {
		if err := f.parseModifiers(list); err != nil {
			return nil, err
		}
	}
	return f, f.compile(list)
}

// compile prepares the clauses of contains and matches.
func (f *filter) compile(list []any) error {
	switch {
	case f.op == opContains && f.fold:
		for i, c := range f.clauses {
			f.clauses[i] = strings.ToLower(c)
		}
	case f.op == opMatches && len(f.clauses) > maxPatterns:
		return bad("Invalid filters %s: at most %d patterns are taken.", show(list), maxPatterns)
	case f.op == opMatches:
		for _, c := range f.clauses {
			if len(c) > maxPattern {
				return bad("Invalid filters %s: a pattern has at most %d bytes.", show(list), maxPattern)
			}
			if f.fold {
				c = "(?i)" + c
			}
			re, err := regexp.Compile(c)
			if err != nil {
				return bad("Invalid filters %s: the pattern is no regular expression of RE2: %s.", show(list), err)
			}
			f.patterns = append(f.patterns, re)
		}
	}
	return nil
}

func (f *filter) parseModifiers(list []any) error {
	mods, ok := list[3].(map[string]any)
	if !ok {
		return bad("Invalid filters %s: the modifiers %s are not an object.", show(list), show(list[3]))
	}
	if err := checkKeys("modifier in filters", mods, []string{"case_sensitive"}); err != nil {
		return err
	}
	if v, ok := mods["case_sensitive"]; ok {
		sensitive, ok := v.(bool)
		if !ok {
			return bad("Invalid filters %s: case_sensitive %s is not true or false.", show(list), show(v))
		}
		f.fold = !sensitive
	}
	return nil
}

// eachDim calls fn for the dimension of each condition.
func (f *filter) eachDim(fn func(*dimension)) {
	if f.dim != nil {
		fn(f.dim)
	}
	for _, sub := range f.sub {
		sub.eachDim(fn)
	}
}

// isEmpty tells whether everything passes because there is no condition.
func (f *filter) isEmpty() bool { return f.op == opAnd && len(f.sub) == 0 }

// match tells whether the values of a point of p's family pass.
func (f *filter) match(p *plan, dims *[2]string) bool {
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

func (f *filter) matchValue(v string) bool {
	switch f.op {
	case opMatches:
		return slices.ContainsFunc(f.patterns, func(re *regexp.Regexp) bool { return re.MatchString(v) })
	case opContains:
		if f.fold {
			v = strings.ToLower(v)
		}
		return slices.ContainsFunc(f.clauses, func(c string) bool { return strings.Contains(v, c) })
	}
	return slices.ContainsFunc(f.clauses, func(c string) bool { return v == c || f.fold && strings.EqualFold(v, c) })
}

// values returns the stored values at a position of p's family that can pass, if f bounds them.
func (f *filter) values(p *plan, position int) (list []string, bounded bool) {
	switch f.op {
	case opIs:
		if p.position(f.dim) != position || f.fold || f.dim.label != nil {
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

// withoutGoals returns f without its conditions on goals and custom properties; nil if no other is left of a part, not ok
// if a part mixes them with others.
func (f *filter) withoutGoals() (rest *filter, ok bool) {
	if f.op == opAnd {
		rest = &filter{op: opAnd}
		for _, sub := range f.sub {
			s, ok := sub.withoutGoals()
			if !ok {
				return nil, false
			}
			if s != nil {
				rest.sub = append(rest.sub, s)
			}
		}
		return rest, true
	}
	goals, others := false, false
	f.eachDim(func(d *dimension) {
		if d.isGoal() || d.prop != "" {
			goals = true
		} else {
			others = true
		}
	})
	if goals {
		return nil, !others
	}
	return f, true
}

// one tells whether f lets one value of a dimension pass at most.
func (f *filter) one(d window.Dim) bool {
	switch f.op {
	case opIs:
		return f.dim.dim == d && len(f.clauses) == 1 && !f.fold
	case opAnd:
		return slices.ContainsFunc(f.sub, func(sub *filter) bool { return sub.one(d) })
	}
	return false
}
