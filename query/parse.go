package query

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"time"

	"millrace/engine/event"
)

// Query is a question that has been understood.
type Query struct {
	Site     string
	Location *time.Location
	// From and To are the range [From, To), whole minutes. All asks for everything the site has up to To.
	From, To event.Time
	All      bool

	relative   bool // the range is relative to now
	metrics    []metric
	dims       []*dimension
	timeDim    int // index in dims, -1 if there is none
	filter     *filter
	rawFilters any
	order      []order
	timeLabels bool
	totalRows  bool
	imports    bool
	limit      int
	offset     int
}

// order is one entry of order_by: a metric or a dimension by its place.
type order struct {
	name     string
	isMetric bool
	index    int
	desc     bool
}

// maxLimit is the largest page, and the default.
const maxLimit = 10_000

var queryKeys = []string{"site_id", "metrics", "date_range", "dimensions", "filters", "order_by", "include", "pagination"}

// Parse reads the JSON of a question. Errors are of type *Error.
func (s *Server) Parse(body []byte) (*Query, error) {
	obj, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	if err := checkKeys("key", obj, queryKeys); err != nil {
		return nil, err
	}
	q := &Query{timeDim: -1, limit: maxLimit}
	site, ok := obj["site_id"]
	if !ok {
		return nil, bad("Missing site_id.")
	}
	if q.Site, ok = site.(string); !ok || event.ValidSite(q.Site) != nil {
		return nil, bad("Invalid site_id %s: %s.", show(site), event.ErrSite)
	}
	q.Location = s.zone(q.Site)
	for _, step := range []func(map[string]any) error{
		q.parseMetrics,
		q.parseDimensions,
		func(obj map[string]any) error { return q.parseRange(obj, s.opts.Now()) },
		q.parseFilters,
		q.parseInclude,
		q.parsePagination,
		q.parseOrder,
		func(map[string]any) error { q.namePlaces(s.opts.Places); return q.check() },
	} {
		if err := step(obj); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func parseObject(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		if len(bytes.TrimSpace(body)) == 0 {
			return nil, bad("The body is empty: it has to be a JSON object.")
		}
		return nil, bad("The body is not JSON: %s.", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad("The body is not JSON: there is more behind the end of the value.")
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, bad("The body %s is not a JSON object.", show(v))
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
	return bad("Unknown %s %q with value %s: allowed are %s.", what, k, show(obj[k]), show(allowed))
}

func (q *Query) parseMetrics(obj map[string]any) error {
	v, ok := obj["metrics"]
	if !ok {
		return bad("Missing metrics.")
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return bad("Invalid metrics %s: it has to be a list of at least one metric.", show(v))
	}
	for _, v := range list {
		m, err := findMetric(v)
		if err != nil {
			return err
		}
		if slices.Contains(q.metrics, m) {
			return bad("Invalid metrics %s: %q is there twice.", show(list), m)
		}
		q.metrics = append(q.metrics, m)
	}
	return nil
}

func (q *Query) parseDimensions(obj map[string]any) error {
	if v, ok := obj["dimensions"]; ok {
		list, ok := v.([]any)
		if !ok {
			return bad("Invalid dimensions %s: it has to be a list.", show(v))
		}
		for _, v := range list {
			d, err := findDimension("dimensions", v)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(q.dims, func(o *dimension) bool { return o.name == d.name }) {
				return bad("Invalid dimensions %s: %q is there twice.", show(list), d.name)
			}
			if d.isTime() {
				if q.timeDim >= 0 {
					return bad("Invalid dimensions %s: only one of them may be a time dimension.", show(list))
				}
				q.timeDim = len(q.dims)
			}
			q.dims = append(q.dims, d)
		}
	}
	return nil
}

func (q *Query) parseInclude(obj map[string]any) error {
	v, ok := obj["include"]
	if !ok {
		return nil
	}
	inc, ok := v.(map[string]any)
	if !ok {
		return bad("Invalid include %s: it has to be an object.", show(v))
	}
	if err := checkKeys("key of include", inc, []string{"time_labels", "total_rows", "imports"}); err != nil {
		return err
	}
	for key, to := range map[string]*bool{"time_labels": &q.timeLabels, "total_rows": &q.totalRows, "imports": &q.imports} {
		if v, ok := inc[key]; ok {
			if *to, ok = v.(bool); !ok {
				return bad("Invalid include.%s %s: it has to be true or false.", key, show(v))
			}
		}
	}
	if q.timeLabels && q.timeDim < 0 {
		return bad("Invalid include.time_labels true: it needs a time dimension.")
	}
	return nil
}

func (q *Query) parsePagination(obj map[string]any) error {
	v, ok := obj["pagination"]
	if !ok {
		return nil
	}
	p, ok := v.(map[string]any)
	if !ok {
		return bad("Invalid pagination %s: it has to be an object.", show(v))
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
		return bad("Invalid pagination.%s %s: it has to be a whole number from %d to %d.", key, show(v), least, most)
	}
	if err := f("limit", &q.limit, 1, maxLimit); err != nil {
		return err
	}
	return f("offset", &q.offset, 0, 1<<31-1)
}

func (q *Query) parseOrder(obj map[string]any) error {
	v, ok := obj["order_by"]
	if !ok {
		q.defaultOrder()
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return bad("Invalid order_by %s: it has to be a list.", show(v))
	}
	for _, v := range list {
		o, err := q.orderEntry(v)
		if err != nil {
			return err
		}
		q.order = append(q.order, o)
	}
	if len(q.order) == 0 {
		q.defaultOrder()
	}
	return nil
}

func (q *Query) orderEntry(v any) (order, error) {
	pair, _ := v.([]any)
	if len(pair) != 2 {
		return order{}, bad("Invalid order_by %s: an entry is [metric or dimension, \"asc\" or \"desc\"].", show(v))
	}
	name, _ := pair[0].(string)
	o := order{name: name, index: -1}
	if i := slices.Index(q.metrics, metric(name)); i >= 0 {
		o.isMetric, o.index = true, i
	}
	for i, d := range q.dims {
		if d.name == name || name == "time" && d.isTime() {
			o.name, o.index = d.name, i
		}
	}
	if o.index < 0 {
		return order{}, bad("Invalid order_by %s: %s is not among the metrics and dimensions of the query.", show(v), show(pair[0]))
	}
	switch pair[1] {
	case "asc":
	case "desc":
		o.desc = true
	default:
		return order{}, bad("Invalid order_by %s: the direction %s is not \"asc\" or \"desc\".", show(v), show(pair[1]))
	}
	return o, nil
}

func (q *Query) defaultOrder() {
	if q.timeDim >= 0 {
		q.order = []order{{name: q.dims[q.timeDim].name, index: q.timeDim}}
		return
	}
	q.order = []order{{name: string(q.metrics[0]), isMetric: true, desc: true}}
}
