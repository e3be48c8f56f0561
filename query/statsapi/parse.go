package statsapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"millrace/engine/event"
	"millrace/internal/strictjson"
	"millrace/query"
)

// request is the body of a query: a query.Request, and what of it the answer repeats.
type request struct {
	query.Request
	filters any // as they were written
	include include
	// As the answer repeats them: nil and "" if they were not given.
	limitBy   *limitBy
	weekStart string
}

// maxLimit is the largest page, and the default.
const maxLimit = 10_000

var queryKeys = []string{"site_id", "metrics", "date_range", "dimensions", "filters", "order_by", "include", "pagination", "limit_by", "week_start"}

// parse reads the body of a query. Errors are of type *Error: of what is wrong the first in the
// order of the steps.
// Segments returns the segments of a site; nil: there are none.
func parse(body []byte, segments func(site string) []Segment) (*request, error) {
	obj, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	if err := checkKeys("key", obj, queryKeys); err != nil {
		return nil, err
	}
	r := &request{Request: query.Request{Limit: maxLimit}, filters: []any{}}
	filters := func(obj map[string]any) error { return r.parseFilters(obj, segments) }
	for _, step := range []func(map[string]any) error{
		r.parseSite, r.parseMetrics, r.parseDimensions, r.parseRange, filters, r.parseInclude, r.parsePagination,
		r.parseOrder, r.parseLimitBy, r.parseWeekStart,
	} {
		if err := step(obj); err != nil {
			return nil, err
		}
	}
	if err := r.Check(); err != nil {
		return nil, asError(err)
	}
	return r, nil
}

func parseObject(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, bad("The body is empty: it has to be a JSON object.")
	}
	// encoding/json takes the last of two keys, and something else for half of a surrogate pair:
	// the answer would be to another query.
	if err := strictjson.Check(body); err != nil {
		return nil, bad("The body is not JSON: %s.", err)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, bad("The body is not JSON: %s.", err)
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, bad("The body %s is not a JSON object.", query.Show(v))
	}
	return obj, nil
}

// checkKeys refuses keys that are not allowed; the first in the alphabet is named.
func checkKeys(what string, obj map[string]any, allowed []string) error {
	var unknown []string
	for k := range obj {
		if !slices.Contains(allowed, k) {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	k := slices.Min(unknown)
	return bad("Unknown %s %q with value %s: allowed are %s.", what, k, query.Show(obj[k]), query.Show(allowed))
}

func (r *request) parseSite(obj map[string]any) error {
	site, ok := obj["site_id"]
	if !ok {
		return bad("Missing site_id.")
	}
	if r.Site, ok = site.(string); !ok || event.ValidSite(r.Site) != nil {
		return bad("Invalid site_id %s: %s.", query.Show(site), event.ErrSite)
	}
	return nil
}

func (r *request) parseMetrics(obj map[string]any) error {
	v, ok := obj["metrics"]
	if !ok {
		return bad("Missing metrics.")
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return bad("Invalid metrics %s: it has to be a list of at least one metric.", query.Show(v))
	}
	for _, v := range list {
		name, ok := v.(string)
		if !ok {
			return bad("Invalid metrics %s: a metric is a string.", query.Show(v))
		}
		m, err := query.ParseMetric(name)
		if err != nil {
			return bad("Invalid metrics %q: %s.", name, err)
		}
		if slices.Contains(r.Metrics, m) {
			return bad("Invalid metrics %s: %q is there twice.", query.Show(list), m)
		}
		r.Metrics = append(r.Metrics, m)
	}
	return nil
}

// parseDimension looks a dimension up that stands at a key.
func parseDimension(key string, v any) (*query.Dimension, error) {
	name, ok := v.(string)
	if !ok {
		return nil, bad("Invalid %s %s: a dimension is a string.", key, query.Show(v))
	}
	d, err := query.ParseDimension(name)
	if err != nil {
		return nil, bad("Invalid %s %q: %s.", key, name, err)
	}
	return d, nil
}

func (r *request) parseDimensions(obj map[string]any) error {
	v, ok := obj["dimensions"]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return bad("Invalid dimensions %s: it has to be a list.", query.Show(v))
	}
	for _, v := range list {
		d, err := parseDimension("dimensions", v)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(r.Dimensions, func(o *query.Dimension) bool { return o.Name() == d.Name() }) {
			return bad("Invalid dimensions %s: %q is there twice.", query.Show(list), d.Name())
		}
		if d.IsTime() && r.hasTime() {
			return bad("Invalid dimensions %s: only one of them may be a time dimension.", query.Show(list))
		}
		r.Dimensions = append(r.Dimensions, d)
	}
	return nil
}

// hasTime reports whether one of the dimensions is of time.
func (r *request) hasTime() bool { return slices.ContainsFunc(r.Dimensions, (*query.Dimension).IsTime) }

func (r *request) parseRange(obj map[string]any) (err error) {
	v, ok := obj["date_range"]
	if !ok {
		return bad("Missing date_range.")
	}
	r.Range, err = parseDateRange(v)
	return err
}

func parseDateRange(v any) (query.Range, error) {
	switch v := v.(type) {
	case string:
		if r, ok := query.RelativeRange(v); ok {
			return r, nil
		}
	case []any:
		if len(v) == 2 {
			first, okFirst := v[0].(string)
			last, okLast := v[1].(string)
			if okFirst && okLast {
				return parsePair(v, first, last)
			}
		}
	}
	return query.Range{}, bad("Invalid date_range %s: it has to be one of %s, or a pair of dates or instants.", query.Show(v), query.Show(query.RelativeRanges()))
}

// parsePair reads a pair of dates or of instants.
func parsePair(v any, first, last string) (r query.Range, err error) {
	a, errA := time.Parse(time.DateOnly, first)
	b, errB := time.Parse(time.DateOnly, last)
	if errA == nil && errB == nil {
		r, err = query.DayRange(a, b)
	} else {
		for _, of := range []struct {
			text string
			to   *time.Time
		}{{first, &a}, {last, &b}} {
			if *of.to, err = time.Parse(time.RFC3339, of.text); err != nil {
				return r, bad("Invalid date_range %s: %q is neither a date (2024-01-31) nor an instant (2024-01-31T12:00:00+02:00) of the same form as the other.",
					query.Show(v), of.text)
			}
		}
		r, err = query.InstantRange(a, b)
	}
	if err != nil {
		return r, bad("Invalid date_range %s: %s.", query.Show(v), err)
	}
	return r, nil
}

func (r *request) parseInclude(obj map[string]any) error {
	v, ok := obj["include"]
	if !ok {
		return nil
	}
	inc, ok := v.(map[string]any)
	if !ok {
		return bad("Invalid include %s: it has to be an object.", query.Show(v))
	}
	if err := checkKeys("key of include", inc, []string{"time_labels", "total_rows", "imports", "comparisons"}); err != nil {
		return err
	}
	for key, to := range map[string]*bool{"time_labels": &r.include.TimeLabels, "total_rows": &r.include.TotalRows, "imports": &r.include.Imports} {
		if v, ok := inc[key]; ok {
			if *to, ok = v.(bool); !ok {
				return bad("Invalid include.%s %s: it has to be true or false.", key, query.Show(v))
			}
		}
	}
	if v, ok := inc["comparisons"]; ok {
		if err := r.parseComparisons(v); err != nil {
			return err
		}
	}
	r.TimeLabels = r.include.TimeLabels
	if r.TimeLabels && !r.hasTime() {
		return bad("Invalid include.time_labels true: it needs a time dimension.")
	}
	r.TimeLabels = r.TimeLabels || r.include.Comparisons != nil && r.hasTime() // buckets are compared by their number
	return nil
}

func (r *request) parsePagination(obj map[string]any) error {
	v, ok := obj["pagination"]
	if !ok {
		return nil
	}
	p, ok := v.(map[string]any)
	if !ok {
		return bad("Invalid pagination %s: it has to be an object.", query.Show(v))
	}
	if err := checkKeys("key of pagination", p, []string{"limit", "offset"}); err != nil {
		return err
	}
	f := func(key string, to *int, least, most int64) error {
		v, ok := p[key]
		if !ok {
			return nil
		}
		if num, ok := v.(json.Number); ok {
			if n, err := num.Int64(); err == nil && n >= least && n <= most {
				*to = int(n)
				return nil
			}
		}
		return bad("Invalid pagination.%s %s: it has to be a whole number from %d to %d.", key, query.Show(v), least, most)
	}
	if err := f("limit", &r.Limit, 1, maxLimit); err != nil {
		return err
	}
	return f("offset", &r.Offset, 0, 1<<31-1)
}

func (r *request) parseOrder(obj map[string]any) error {
	v, ok := obj["order_by"]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return bad("Invalid order_by %s: it has to be a list.", query.Show(v))
	}
	for _, v := range list {
		o, err := r.orderEntry(v)
		if err != nil {
			return err
		}
		r.Order = append(r.Order, o)
	}
	return nil
}

func (r *request) orderEntry(v any) (query.Order, error) {
	pair, _ := v.([]any)
	if len(pair) != 2 {
		return query.Order{}, bad("Invalid order_by %s: an entry is [metric or dimension, \"asc\" or \"desc\"].", query.Show(v))
	}
	name, _ := pair[0].(string)
	o := query.Order{Index: -1}
	if i := slices.Index(r.Metrics, query.Metric(name)); i >= 0 {
		o.ByMetric, o.Index = true, i
	}
	for i, d := range r.Dimensions {
		if d.Name() == name || name == "time" && d.IsTime() {
			o.ByMetric, o.Index = false, i
		}
	}
	if o.Index < 0 {
		return o, bad("Invalid order_by %s: %s is not among the metrics and dimensions of the query.", query.Show(v), query.Show(pair[0]))
	}
	switch pair[1] {
	case "asc":
	case "desc":
		o.Desc = true
	default:
		return o, bad("Invalid order_by %s: the direction %s is not \"asc\" or \"desc\".", query.Show(v), query.Show(pair[1]))
	}
	return o, nil
}
