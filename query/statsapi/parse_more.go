package statsapi

import (
	"encoding/json"
	"slices"

	"millrace/query"
)

// limitBy is the key of that name, as the answer repeats it.
type limitBy struct {
	Dimensions []string `json:"dimensions"`
	Limit      int      `json:"limit"`
}

// parseLimitBy reads {"dimensions":["visit:source"],"limit":5}: five rows of each source.
func (r *request) parseLimitBy(obj map[string]any) error {
	v, ok := obj["limit_by"]
	if !ok {
		return nil
	}
	by, ok := v.(map[string]any)
	if !ok {
		return bad("Invalid limit_by %s: it has to be an object such as {\"dimensions\":[\"visit:source\"],\"limit\":5}.", query.Show(v))
	}
	if err := checkKeys("key of limit_by", by, []string{"dimensions", "limit"}); err != nil {
		return err
	}
	names, _ := by["dimensions"].([]any)
	if len(names) == 0 {
		return bad("Invalid limit_by.dimensions %s: it has to be a list of some of the query's dimensions.", query.Show(by["dimensions"]))
	}
	r.limitBy = &limitBy{}
	for _, v := range names {
		name, _ := v.(string)
		i := slices.IndexFunc(r.Dimensions, func(d *query.Dimension) bool { return d.Name() == name || name == "time" && d.IsTime() })
		if i < 0 || slices.Contains(r.LimitBy.Dimensions, i) {
			return bad("Invalid limit_by.dimensions %s: it is not among the dimensions of the query, or there twice.", query.Show(v))
		}
		r.LimitBy.Dimensions = append(r.LimitBy.Dimensions, i)
		r.limitBy.Dimensions = append(r.limitBy.Dimensions, r.Dimensions[i].Name())
	}
	if len(r.LimitBy.Dimensions) == len(r.Dimensions) {
		return bad("Invalid limit_by.dimensions %s: the query has no other dimension, so that each group has one row.", query.Show(names))
	}
	num, _ := by["limit"].(json.Number)
	n, err := num.Int64()
	if err != nil || n < 1 || n > maxLimit {
		return bad("Invalid limit_by.limit %s: it has to be a whole number from 1 to %d.", query.Show(by["limit"]), maxLimit)
	}
	r.LimitBy.Limit, r.limitBy.Limit = int(n), int(n)
	return nil
}

// parseWeekStart reads the day that weeks begin with.
func (r *request) parseWeekStart(obj map[string]any) error {
	v, ok := obj["week_start"]
	if !ok {
		return nil
	}
	names := []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	name, _ := v.(string)
	i := slices.Index(names, name)
	switch {
	case i < 0:
		return bad("Invalid week_start %s: it has to be one of %s.", query.Show(v), query.Show(names))
	case !slices.ContainsFunc(r.Dimensions, func(d *query.Dimension) bool { return d.Name() == "time:week" || d.Name() == "time" }):
		return bad("Invalid week_start %q: it needs the dimension time:week.", name)
	}
	r.WeekStart, r.weekStart = i, name
	return nil
}
