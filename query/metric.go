package query

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"millrace/engine/event"
)

// Metric is one number of a row, by its name in the API.
type Metric string

const (
	visitors            Metric = "visitors"
	visits              Metric = "visits"
	pageviews           Metric = "pageviews"
	events              Metric = "events"
	viewsPerVisit       Metric = "views_per_visit"
	bounceRate          Metric = "bounce_rate"
	visitDuration       Metric = "visit_duration"
	percentage          Metric = "percentage"
	conversionRate      Metric = "conversion_rate"
	groupConversionRate Metric = "group_conversion_rate"
	totalRevenue        Metric = "total_revenue"
	averageRevenue      Metric = "average_revenue"
	scrollDepth         Metric = "scroll_depth"
	timeOnPage          Metric = "time_on_page"
	exitRate            Metric = "exit_rate"
)

var (
	metrics = []Metric{
		visitors, visits, pageviews, events, viewsPerVisit, bounceRate, visitDuration, percentage,
		conversionRate, groupConversionRate, totalRevenue, averageRevenue, scrollDepth, timeOnPage, exitRate,
	}
	visitMetrics  = []Metric{visits, viewsPerVisit, bounceRate, visitDuration, exitRate}
	countMetrics  = []Metric{pageviews, events, totalRevenue, averageRevenue}
	sketchMetrics = []Metric{visitors, percentage, conversionRate, groupConversionRate}
	rateMetrics   = []Metric{conversionRate, groupConversionRate}
	pingMetrics   = []Metric{scrollDepth, timeOnPage}
)

// Metrics returns all that there are, in the order of the reference.
func Metrics() []Metric { return slices.Clone(metrics) }

// ParseMetric looks a name up. Its error completes "Invalid metrics NAME: ".
func ParseMetric(name string) (Metric, error) {
	if slices.Contains(metrics, Metric(name)) {
		return Metric(name), nil
	}
	return "", fmt.Errorf("unknown metric; there are %s", joinMetrics(metrics))
}

func joinMetrics(list []Metric) string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}

// counts are the sums of a row.
type counts struct {
	events, pageviews               int64
	revenue                         event.Money
	paid                            int64 // events with an amount
	visits, bounces, seconds, views int64
	// Of visits that have told it by pings: the sum of the greatest scroll depths and the number of visits, and the time engaged,
	// in ms, and the number of visits.
	scroll, scrolled, engaged, lingered int64
}

// bases are the visitors that a row's are a part of, and the pageviews that its visits may have ended with; 0 is none.
type bases struct {
	percentage, conversion, group uint64
	views                         int64
}

// whole reports whether values of the metric are integers.
func (m Metric) whole() bool {
	switch m {
	case visitors, visits, pageviews, events, visitDuration, scrollDepth, timeOnPage:
		return true
	}
	return false
}

// value computes a metric of a row: int64, float64, or nil where it would be a part of nothing.
func (m Metric) value(c *counts, visitors uint64, b *bases) any {
	n, ok := m.number(c, visitors, b)
	switch {
	case !ok:
		return nil
	case m.whole():
		return int64(n)
	}
	return n
}

// number is value as a float64, which holds it exactly; false where it would be a part of nothing.
func (m Metric) number(c *counts, seen uint64, b *bases) (float64, bool) {
	switch m {
	case visitors:
		return float64(seen), true
	case visits:
		return float64(c.visits), true
	case pageviews:
		return float64(c.pageviews), true
	case events:
		return float64(c.events), true
	case viewsPerVisit:
		return ratio(c.views, c.visits, 1, 100)
	case bounceRate:
		return ratio(c.bounces, c.visits, 100, 1)
	case visitDuration:
		return ratio(c.seconds, c.visits, 1, 1)
	case scrollDepth:
		return ratio(c.scroll, c.scrolled, 1, 1)
	case timeOnPage:
		return ratio(c.engaged, 1000*c.lingered, 1, 1)
	case conversionRate:
		return ratio(int64(seen), int64(b.conversion), 100, 10)
	case groupConversionRate:
		return ratio(int64(seen), int64(b.group), 100, 10)
	case exitRate:
		return ratio(c.visits, b.views, 100, 10)
	case totalRevenue:
		return float64(c.revenue) / event.MoneyScale, true
	case averageRevenue:
		return ratio(int64(c.revenue), c.paid, 1./event.MoneyScale, event.MoneyScale)
	}
	return ratio(int64(seen), int64(b.percentage), 100, 10)
}

// ratio is part/of, scaled, rounded to 1/precision, halves to the even one, as the SQL of the field's other
// implementation rounds; false if of is 0. The division comes last, so that halves are halves.
func ratio(part, of int64, scale, precision float64) (float64, bool) {
	if of == 0 {
		return 0, false
	}
	return math.RoundToEven(float64(part)*(scale*precision)/float64(of)) / precision, true
}
