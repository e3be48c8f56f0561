package statsapi

import (
	"context"
	"math"
	"slices"
	"strings"

	"millrace/query"
)

// comparisons is what include.comparisons says.
type comparisons struct {
	Mode             string `json:"mode"`
	DateRange        any    `json:"date_range,omitempty"`
	MatchDayOfWeek   bool   `json:"match_day_of_week,omitempty"`
	query.Comparison `json:"-"`
}

func (r *request) parseComparisons(v any) error {
	obj, ok := v.(map[string]any)
	if !ok {
		return bad("Invalid include.comparisons %s: it has to be an object such as {\"mode\":\"previous_period\"}.", query.Show(v))
	}
	if err := checkKeys("key of include.comparisons", obj, []string{"mode", "date_range", "match_day_of_week"}); err != nil {
		return err
	}
	c := &comparisons{}
	if c.Mode, ok = obj["mode"].(string); !ok || !slices.Contains(query.ComparisonModes(), c.Mode) {
		return bad("Invalid include.comparisons.mode %s: it has to be one of %s.", query.Show(obj["mode"]), query.Show(query.ComparisonModes()))
	}
	if v, given := obj["match_day_of_week"]; given {
		if c.MatchDayOfWeek, ok = v.(bool); !ok {
			return bad("Invalid include.comparisons.match_day_of_week %s: it has to be true or false.", query.Show(v))
		}
	}
	c.Comparison = query.Comparison{Mode: c.Mode, SameWeekdays: c.MatchDayOfWeek}
	c.DateRange = obj["date_range"]
	switch given := c.DateRange != nil; {
	case given != (c.Mode == "custom"):
		return bad("Invalid include.comparisons %s: date_range belongs to the mode \"custom\".", query.Show(v))
	case given:
		var err error
		if c.Comparison.Range, err = parseDateRange(c.DateRange); err != nil {
			return err
		}
	}
	r.include.Comparisons = c
	return nil
}

// Compared is a row of another range, and by how much it differs.
type Compared struct {
	Dimensions []string `json:"dimensions"`
	Metrics    []any    `json:"metrics"`
	Change     []any    `json:"change"`
}

// compare adds to each row of an answer that of the other range. Buckets of time are compared by their number: the third day with
// the third.
func (s *Server) compare(ctx context.Context, r *request, a *query.Answer, out *Answer) error {
	rng, err := s.opts.Executor.Compared(&r.Request, r.include.Comparisons.Comparison)
	if err != nil {
		return bad("Invalid include.comparisons: %s.", err)
	}
	other := r.Request
	other.Range, other.Offset, other.Limit, other.TimeLabels = rng, 0, math.MaxInt32, r.hasTime()
	b, err := s.opts.Executor.Execute(ctx, &other)
	if err != nil {
		return err
	}
	first, last := b.Query.Range()
	out.Meta.ComparisonDateRange = &[2]string{first, last}
	timeDim := slices.IndexFunc(r.Dimensions, (*query.Dimension).IsTime)
	theirs := map[string]query.Row{}
	for _, row := range b.Rows {
		theirs[strings.Join(row.Dimensions, "\x00")] = row
	}
	for i, row := range a.Rows {
		dims := slices.Clone(row.Dimensions)
		if timeDim >= 0 {
			n := slices.Index(a.Meta.TimeLabels, dims[timeDim])
			if n >= len(b.Meta.TimeLabels) {
				continue // the other range has no such bucket
			}
			dims[timeDim] = b.Meta.TimeLabels[n]
		}
		compared := r.comparedRow(row, dims, theirs)
		compared.Metrics = shown(r.Metrics, compared.Metrics, s.currency(r.Site))
		out.Results[i].Comparison = compared
	}
	return nil
}

// comparedRow compares a row with the one of these dimensions; where there is none there was nothing.
func (r *request) comparedRow(row query.Row, dims []string, theirs map[string]query.Row) *Compared {
	c := &Compared{Dimensions: dims}
	other, ok := theirs[strings.Join(dims, "\x00")]
	for i, m := range r.Metrics {
		var before any
		switch {
		case ok:
			before = other.Metrics[i]
		case !isMean(m):
			before = 0
		}
		c.Metrics = append(c.Metrics, before)
		c.Change = append(c.Change, changeOf(m, before, row.Metrics[i]))
	}
	return c
}

// isMean reports whether a metric is nothing, and not 0, where there is nothing.
func isMean(m query.Metric) bool {
	return slices.Contains([]query.Metric{"bounce_rate", "visit_duration", "views_per_visit", "average_revenue", "percentage", "conversion_rate", "group_conversion_rate",
		"scroll_depth", "time_on_page", "exit_rate"}, m)
}

// changeOf returns by how many percent a metric has changed, of rates by how many points; nil where one of them is nothing, or a
// bounce rate was 0. What there was none of before has grown by 100 %.
func changeOf(m query.Metric, before, now any) any {
	if before == nil || now == nil {
		return nil
	}
	was, is := number(before), number(now)
	switch {
	case m == "bounce_rate" && was == 0:
		return nil
	case m == "bounce_rate":
		return is - was
	case slices.Contains([]query.Metric{"conversion_rate", "group_conversion_rate", "percentage", "exit_rate"}, m):
		return math.Round((is-was)*10) / 10
	case was == 0 && is > 0:
		return 100
	case was == 0:
		return 0
	}
	return math.Round((is - was) / was * 100)
}

func number(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}
