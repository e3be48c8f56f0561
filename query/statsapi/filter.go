package statsapi

import (
	"encoding/json"
	"strings"

	"millrace/query"
)

// maxFilterDepth bounds the nesting of filters, maxClauses the number of clauses of one.
const (
	maxFilterDepth = 16
	maxClauses     = 1_000
)

func (r *request) parseFilters(obj map[string]any, segments func(site string) []Segment) error {
	v, ok := obj["filters"]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return bad("Invalid filters %s: it has to be a list of filters.", query.Show(v))
	}
	list, err := r.expand(list, segments, 1)
	if err != nil {
		return err
	}
	var parts []*query.Filter
	for _, v := range list {
		f, err := parseFilter(v, 1)
		if err != nil {
			return err
		}
		parts = append(parts, f)
	}
	r.filters, r.FilterText, r.Filter = list, query.Show(list), query.And(parts...)
	return nil
}

func parseFilter(v any, depth int) (*query.Filter, error) {
	list, _ := v.([]any)
	if len(list) == 0 {
		return nil, bad("Invalid filters %s: a filter is a list that begins with an operator.", query.Show(v))
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
			return nil, bad("Invalid filters %s: \"not\" takes one filter.", query.Show(list))
		}
		return negate(parseFilter(list[1], depth+1))
	case "is", "contains", "matches":
		return parseCondition(conditions[op], list)
	case "is_not", "contains_not", "matches_not":
		return negate(parseCondition(conditions[strings.TrimSuffix(op, "_not")], list))
	case "has_done", "has_not_done":
		if len(list) != 2 {
			return nil, bad("Invalid filters %s: %q takes one filter.", query.Show(list), op)
		}
		f, err := parseFilter(list[1], depth+1)
		if err != nil {
			return nil, err
		}
		done, ok := query.HasDone(f)
		switch {
		case !ok:
			return nil, bad("Invalid filters %s: %q can't be nested.", query.Show(list), op)
		case op == "has_not_done":
			return query.Not(done), nil
		}
		return done, nil
	}
	return nil, bad("Invalid filters %s: unknown operator %s.", query.Show(list), query.Show(list[0]))
}

func negate(f *query.Filter, err error) (*query.Filter, error) {
	if err != nil {
		return nil, err
	}
	return query.Not(f), nil
}

func parseJunction(op string, list []any, depth int) (*query.Filter, error) {
	var written []any
	if len(list) == 2 {
		written, _ = list[1].([]any)
	}
	if len(written) == 0 {
		return nil, bad("Invalid filters %s: %q takes a list of filters.", query.Show(list), op)
	}
	var parts []*query.Filter
	for _, v := range written {
		f, err := parseFilter(v, depth+1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, f)
	}
	if op == "or" {
		return query.Or(parts...), nil
	}
	return query.And(parts...), nil
}

var conditions = map[string]query.Op{"is": query.Is, "contains": query.Contains, "matches": query.Matches}

// parseCondition reads [operator, dimension, [clauses]], or the same with modifiers.
func parseCondition(op query.Op, list []any) (*query.Filter, error) {
	if len(list) != 3 && len(list) != 4 {
		return nil, bad("Invalid filters %s: it has to be [operator, dimension, [clauses]].", query.Show(list))
	}
	d, err := parseDimension("filters", list[1])
	if err != nil {
		return nil, err
	}
	if d.IsTime() {
		return nil, bad("Invalid filters %s: the time dimension %q can't be filtered by; date_range does that.", query.Show(list), d.Name())
	}
	clauses, err := parseClauses(list)
	if err != nil {
		return nil, err
	}
	fold, err := parseModifiers(list)
	if err != nil {
		return nil, err
	}
	f, err := query.NewCondition(op, d, clauses, fold)
	switch {
	case err == nil:
		return f, nil
	case op == query.Is: // which names the dimension and the value itself
		return nil, bad("Invalid filters: %s", sentence(err))
	}
	return nil, bad("Invalid filters %s: %s", query.Show(list), sentence(err))
}

// sentence returns the text of an error with its end.
func sentence(err error) string {
	text := err.Error()
	if strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

func parseClauses(list []any) (clauses []string, err error) {
	written, _ := list[2].([]any)
	if len(written) == 0 || len(written) > maxClauses {
		return nil, bad("Invalid filters %s: the clauses %s have to be a list of 1 to %d strings.", query.Show(list), query.Show(list[2]), maxClauses)
	}
	for _, c := range written {
		switch c := c.(type) {
		case string:
			clauses = append(clauses, c)
		case json.Number:
			clauses = append(clauses, c.String())
		default:
			return nil, bad("Invalid filters %s: the clause %s is not a string.", query.Show(list), query.Show(c))
		}
	}
	return clauses, nil
}

// parseModifiers reads the modifiers of a condition, if it has some. Fold: upper and lower case are
// the same.
func parseModifiers(list []any) (fold bool, err error) {
	if len(list) < 4 {
		return false, nil
	}
	mods, ok := list[3].(map[string]any)
	if !ok {
		return false, bad("Invalid filters %s: the modifiers %s are not an object.", query.Show(list), query.Show(list[3]))
	}
	if err := checkKeys("modifier in filters", mods, []string{"case_sensitive"}); err != nil {
		return false, err
	}
	v, ok := mods["case_sensitive"]
	if !ok {
		return false, nil
	}
	sensitive, ok := v.(bool)
	if !ok {
		return false, bad("Invalid filters %s: case_sensitive %s is not true or false.", query.Show(list), query.Show(v))
	}
	return !sensitive, nil
}
