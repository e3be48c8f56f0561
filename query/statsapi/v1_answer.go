package statsapi

import (
	"context"
	"strings"
	"time"

	"millrace/query"
)

// answerV1 returns the results of a request in the form of its path.
func (s *Server) answerV1(ctx context.Context, r *v1Request) (any, error) {
	a, err := s.opts.Executor.Execute(ctx, &r.Request)
	if err != nil {
		return nil, err
	}
	if s.opts.Rows != nil {
		s.opts.Rows(len(a.Rows))
	}
	switch r.path {
	case PathTimeseries:
		return v1Series(r, a), nil
	case PathBreakdown:
		return v1Breakdown(r, a), nil
	}
	var before *query.Answer
	if r.compare {
		earlier := r.Request
		days := 1 + int(r.last.Sub(r.first)/(24*time.Hour))
		if earlier.Range, err = query.DayRange(r.first.AddDate(0, 0, -days), r.first.AddDate(0, 0, -1)); err != nil {
			return nil, bad("Invalid compare previous_period: the period before: %s.", err)
		}
		if before, err = s.opts.Executor.Execute(ctx, &earlier); err != nil {
			return nil, err
		}
	}
	return v1Aggregate(r, a, before), nil
}

// v1Value is a number of an aggregate. Change is by how many percent it differs from before, of rates
// by how many points.
type v1Value struct {
	Value  any  `json:"value"`
	Change *any `json:"change,omitempty"`
}

func v1Aggregate(r *v1Request, a, before *query.Answer) map[query.Metric]v1Value {
	out := map[query.Metric]v1Value{}
	for i, m := range r.Metrics {
		v := v1Value{Value: orZero(a.Rows[0].Metrics[i])}
		if before != nil {
			change := changeOf(m, orZero(before.Rows[0].Metrics[i]), v.Value)
			v.Change = &change
		}
		out[m] = v
	}
	return out
}

// orZero is what v1 has for a mean of nothing.
func orZero(v any) any {
	if v == nil {
		return 0
	}
	return v
}

// v1Series has a row for each label, those without numbers and those to come among them.
func v1Series(r *v1Request, a *query.Answer) []map[string]any {
	byLabel := map[string]query.Row{}
	for _, row := range a.Rows {
		byLabel[row.Dimensions[0]] = row
	}
	out := make([]map[string]any, 0, len(a.Meta.TimeLabels))
	for _, label := range a.Meta.TimeLabels {
		one := map[string]any{"date": label}
		row, ok := byLabel[label]
		for i, m := range r.Metrics {
			switch {
			case ok:
				one[string(m)] = row.Metrics[i]
			case isMean(m) && m != "views_per_visit" && m != "conversion_rate": // which v1 has as 0
				one[string(m)] = nil
			default:
				one[string(m)] = 0
			}
		}
		out = append(out, one)
	}
	return out
}

// v1Breakdown names the value of a row by the property without what is before its name: page, source,
// and of event:props:plan plan.
func v1Breakdown(r *v1Request, a *query.Answer) []map[string]any {
	property := r.Dimensions[0].Name()
	key := property[strings.LastIndexByte(property, ':')+1:]
	if prop, ok := strings.CutPrefix(property, "event:props:"); ok {
		key = prop
	}
	out := make([]map[string]any, 0, len(a.Rows))
	for _, row := range a.Rows {
		one := map[string]any{}
		for i, m := range r.Metrics {
			one[string(m)] = row.Metrics[i]
		}
		one[key] = row.Dimensions[0] // a property may have the name of a metric; then its value is what is asked for
		out = append(out, one)
	}
	return out
}
