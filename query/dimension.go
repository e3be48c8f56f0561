package query

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"millrace/engine/window"
)

// unit is the length of a time bucket.
type unit uint8

const (
	noTime unit = iota
	anyTime
	minute
	hour
	day
	week
	month
)

// dimension is one dimension of the API.
type dimension struct {
	name string
	unit unit       // for time dimensions
	dim  window.Dim // for the others: where rollups hold it
	// label turns a stored value into the one shown; nil leaves it.
	label func(string) string
}

// dimensions are those that can be answered.
var dimensions = []dimension{
	{name: "time", unit: anyTime},
	{name: "time:minute", unit: minute},
	{name: "time:hour", unit: hour},
	{name: "time:day", unit: day},
	{name: "time:week", unit: week},
	{name: "time:month", unit: month},
	{name: "event:page", dim: window.Page},
	{name: "event:name", dim: window.Name},
	{name: "event:bot_reason", dim: window.Reason}, // ours: counts what was taken for bots
	{name: "visit:source", dim: window.Source},
	{name: "visit:referrer", dim: window.Referrer},
	{name: "visit:country", dim: window.Country},
	{name: "visit:country_name", dim: window.Country, label: countryName},
	{name: "visit:language", dim: window.Language}, // ours
	{name: "visit:browser", dim: window.Browser},
	{name: "visit:os", dim: window.OS},
	{name: "visit:device", dim: window.Device},
}

// unanswered are dimensions of the API that no rollup holds yet.
var unanswered = []string{
	"event:hostname", "event:goal", "visit:entry_page", "visit:exit_page", "visit:channel",
	"visit:utm_medium", "visit:utm_source", "visit:utm_campaign", "visit:utm_content", "visit:utm_term",
	"visit:browser_version", "visit:os_version", "visit:region", "visit:city", "visit:region_name", "visit:city_name",
}

// findDimension looks a name up; key says where it stands in the question.
func findDimension(key string, v any) (*dimension, error) {
	name, ok := v.(string)
	if !ok {
		return nil, bad("Invalid %s %s: a dimension is a string.", key, show(v))
	}
	for i := range dimensions {
		if dimensions[i].name == name {
			return &dimensions[i], nil
		}
	}
	if slices.Contains(unanswered, name) || strings.HasPrefix(name, "event:props:") {
		return nil, bad("Invalid %s %q: this dimension can't be answered yet; there are %s.", key, name, dimensionNames())
	}
	return nil, bad("Invalid %s %q: unknown dimension; there are %s.", key, name, dimensionNames())
}

// dimensionNames lists all dimensions for a message.
func dimensionNames() string {
	names := make([]string, len(dimensions))
	for i := range dimensions {
		names[i] = dimensions[i].name
	}
	return strings.Join(names, ", ")
}

func (d *dimension) isTime() bool { return d.unit != noTime }

func (d *dimension) show(value string) string {
	if d.label == nil {
		return value
	}
	return d.label(value)
}

// timeName is the name of a time dimension.
func (u unit) timeName() string {
	for i := range dimensions {
		if dimensions[i].unit == u {
			return dimensions[i].name
		}
	}
	return ""
}

// countryName returns the English name of an ISO 3166-1 code, or the value itself if it is none.
func countryName(code string) string {
	if len(code) != 2 {
		return code
	}
	r, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	if name := display.English.Regions().Name(r); name != "" {
		return name
	}
	return code
}

// metric is one metric of the API.
type metric string

const (
	visitors   metric = "visitors"
	pageviews  metric = "pageviews"
	events     metric = "events"
	percentage metric = "percentage"
)

var (
	metrics           = []metric{visitors, pageviews, events, percentage}
	unansweredMetrics = []string{
		"visits", "views_per_visit", "bounce_rate", "visit_duration", "conversion_rate", "group_conversion_rate",
		"total_revenue", "average_revenue", "scroll_depth", "time_on_page",
	}
)

// metricNames lists all metrics for a message.
func metricNames() string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
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
