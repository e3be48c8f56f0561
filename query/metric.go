package query

import (
	"math"
	"slices"
	"strings"

	"millrace/engine/event"
)

// metric is one metric of the API.
type metric string

const (
	visitors            metric = "visitors"
	visits              metric = "visits"
	pageviews           metric = "pageviews"
	events              metric = "events"
	viewsPerVisit       metric = "views_per_visit"
	bounceRate          metric = "bounce_rate"
	visitDuration       metric = "visit_duration"
	percentage          metric = "percentage"
	conversionRate      metric = "conversion_rate"
	groupConversionRate metric = "group_conversion_rate"
	totalRevenue        metric = "total_revenue"
	averageRevenue      metric = "average_revenue"
)

var (
	metrics = []metric{
		visitors, visits, pageviews, events, viewsPerVisit, bounceRate, visitDuration, percentage,
		conversionRate, groupConversionRate, totalRevenue, averageRevenue,
	}
	visitMetrics      = []metric{visits, viewsPerVisit, bounceRate, visitDuration}
	countMetrics      = []metric{pageviews, events, totalRevenue, averageRevenue}
	sketchMetrics     = []metric{visitors, percentage, conversionRate, groupConversionRate}
	unansweredMetrics = []string{"scroll_depth", "time_on_page"}
)

// metricNames lists all metrics for a message.
func metricNames() string { return joinMetrics(metrics) }

func joinMetrics(list []metric) string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}

func findMetric(v any) (metric, error) {
	name, ok := v.(string)
	switch {
	case !ok:
		return "", bad("Invalid metrics %s: a metric is a string.", show(v))
	case slices.Contains(metrics, metric(name)):
		return metric(name), nil
	case slices.Contains(unansweredMetrics, name):
		return "", bad("Invalid metrics %q: this metric can't be answered yet; there are %s.", name, metricNames())
	}
	return "", bad("Invalid metrics %q: unknown metric; there are %s.", name, metricNames())
}

// asks tells whether the question asks for a metric.
func (q *Query) asks(m metric) bool { return slices.Contains(q.metrics, m) }

// asksAny returns the first metric of the question that is in a list, "" if none is.
func (q *Query) asksAny(list []metric) metric {
	for _, m := range q.metrics {
		if slices.Contains(list, m) {
			return m
		}
	}
	return ""
}

// ofEvents tells whether the question asks for what windows of events hold, ofVisits the same of visits.
func (q *Query) ofEvents() bool {
	return slices.ContainsFunc(q.metrics, func(m metric) bool { return !slices.Contains(visitMetrics, m) })
}
func (q *Query) ofVisits() bool { return q.asksAny(visitMetrics) != "" }

// counts are the sums of a row.
type counts struct {
	events, pageviews               int64
	revenue                         event.Money
	visits, bounces, seconds, views int64
}

// bases are the visitors that a row's are a part of; 0 is nobody.
type bases struct{ percentage, conversion, group uint64 }

// value computes a metric of a row: int64, float64, or nil where it would be a part of nothing.
func (g *group) value(m metric, b *bases) any {
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
		return ratio(c.bounces, c.visits, 100, 10)
	case visitDuration:
		if c.visits == 0 {
			return nil
		}
		return int64(math.Round(float64(c.seconds) / float64(c.visits)))
	case conversionRate:
		return ratio(int64(g.visitors), int64(b.conversion), 100, 10)
	case groupConversionRate:
		return ratio(int64(g.visitors), int64(b.group), 100, 10)
	case totalRevenue:
		return float64(c.revenue) / event.MoneyScale
	case averageRevenue:
		return ratio(int64(c.revenue), c.events, 1./event.MoneyScale, event.MoneyScale)
	}
	return ratio(int64(g.visitors), int64(b.percentage), 100, 10)
}

// ratio is part/of, scaled, rounded to 1/precision; nil if of is 0. The division comes last, so that halves are halves.
func ratio(part, of int64, scale, precision float64) any {
	if of == 0 {
		return nil
	}
	return math.Round(float64(part)*(scale*precision)/float64(of)) / precision
}
