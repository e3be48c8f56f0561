package query

import (
	"encoding/json"
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
)

// filter is a tree of conditions on the values of a point.
type filter struct {
	op      filterOp
	sub     []*filter // of and, or, not
	dim     *dimension
	clauses []string // of is: any of them
	fold    bool     // of is: upper and lower case are the same
}

// maxFilterDepth bounds the nesting, maxClauses the number of clauses of a filter.
const (
	maxFilterDepth = 16
	maxClauses     = 1_000
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
	case "is":
		return parseIs(list)
	case "is_not":
		f, err := parseIs(list)
		return &filter{op: opNot, sub: []*filter{f}}, err
	case "contains", "contains_not", "matches", "matches_not", "has_done", "has_not_done":
		return nil, bad("Invalid filters %s: the operator %q can't be answered yet.", show(list), op)
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

func parseIs(list []any) (*filter, error) {
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
	f := &filter{op: opIs, dim: d}
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
		return f, f.parseModifiers(list)
	}
	return f, nil
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

// addDims adds the dimensions that f asks about to set.
func (f *filter) addDims(set []window.Dim) []window.Dim {
	if f.dim != nil && !slices.Contains(set, f.dim.dim) {
		set = append(set, f.dim.dim)
	}
	for _, sub := range f.sub {
		set = sub.addDims(set)
	}
	return set
}

// match tells whether the values of a point of family fam pass.
func (f *filter) match(fam window.Family, dims *[2]string) bool {
	switch f.op {
	case opAnd:
		for _, sub := range f.sub {
			if !sub.match(fam, dims) {
				return false
			}
		}
		return true
	case opOr:
		for _, sub := range f.sub {
			if sub.match(fam, dims) {
				return true
			}
		}
		return false
	case opNot:
		return !f.sub[0].match(fam, dims)
	}
	v := f.dim.show(dims[slices.Index(fam.Dims(), f.dim.dim)])
	for _, c := range f.clauses {
		if v == c || f.fold && strings.EqualFold(v, c) {
			return true
		}
	}
	return false
}

// values returns the stored values of d that can pass, if f bounds them.
func (f *filter) values(d window.Dim) (list []string, bounded bool) {
	switch f.op {
	case opIs:
		if f.dim.dim != d || f.fold || f.dim.label != nil {
			return nil, false
		}
		return f.clauses, true
	case opAnd:
		for _, sub := range f.sub {
			if l, ok := sub.values(d); ok && (!bounded || len(l) < len(list)) {
				list, bounded = l, true // any of the bounds will do: match decides
			}
		}
		return list, bounded
	case opOr:
		for _, sub := range f.sub {
			l, ok := sub.values(d)
			if !ok {
				return nil, false
			}
			list = append(list[:len(list):len(list)], l...)
		}
		return list, true
	}
	return nil, false
}
