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
)

var (
	metrics = []Metric{
		visitors, visits, pageviews, events, viewsPerVisit, bounceRate, visitDuration, percentage,
		conversionRate, groupConversionRate, totalRevenue, averageRevenue, scrollDepth, timeOnPage,
	}
	visitMetrics  = []Metric{visits, viewsPerVisit, bounceRate, visitDuration}
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

// bases are the visitors that a row's are a part of; 0 is none.
type bases struct{ percentage, conversion, group uint64 }

// value computes a metric of a row: int64, float64, or nil where it would be a part of nothing.
func (g *group) value(m Metric, b *bases) any {
	c := &g.counts
	switch m {
	case visitors:
		return int64(g.visitors)
	case visits:
		return c.visits
	case pageviews:
		return c.pageviews
	case events:
		return c.events
	case viewsPerVisit:
		return ratio(c.views, c.visits, 1, 100)
	case bounceRate:
		return ratio(c.bounces, c.visits, 100, 1)
	case visitDuration:
		return mean(c.seconds, c.visits)
	case scrollDepth:
		return mean(c.scroll, c.scrolled)
	case timeOnPage:
		return mean(c.engaged, 1000*c.lingered)
	case conversionRate:
		return ratio(int64(g.visitors), int64(b.conversion), 100, 10)
	case groupConversionRate:
		return ratio(int64(g.visitors), int64(b.group), 100, 10)
	case totalRevenue:
		return float64(c.revenue) / event.MoneyScale
	case averageRevenue:
		return ratio(int64(c.revenue), c.paid, 1./event.MoneyScale, event.MoneyScale)
	}
	return ratio(int64(g.visitors), int64(b.percentage), 100, 10)
}

// mean is part/of as a whole number, halves rounded to the even one; nil if of is 0.
func mean(part, of int64) any {
	if of == 0 {
		return nil
	}
	return int64(math.RoundToEven(float64(part) / float64(of)))
}

// ratio is part/of, scaled, rounded to 1/precision, halves to the even one, as the SQL of the field's other
// implementation rounds; nil if of is 0. The division comes last, so that halves are halves.
func ratio(part, of int64, scale, precision float64) any {
	if of == 0 {
		return nil
	}
	return math.RoundToEven(float64(part)*(scale*precision)/float64(of)) / precision
}
