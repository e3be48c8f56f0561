package query

import (
	"cmp"
	"fmt"
	"strings"

	"millrace/engine/window"
	"millrace/internal/country"
	"millrace/internal/spelling"
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
	quarterYear
	year
)

// Dimension is what rows are by, or a filter is of. Make one with ParseDimension; it is never
// changed.
type Dimension struct {
	name string
	unit unit       // for time dimensions
	dim  window.Dim // for the others: where rollups hold it
	// label turns a stored value into the one shown; nil leaves it.
	label func(string) string
	// prop is the key of event:props:<key>.
	prop string
}

// dimensions are those that can be answered, besides event:props:<key>.
//
// visit:region_name and visit:city_name show names where the Executor has Options.Places, and else
// the codes: a table of subdivisions is not in the program, and one of cities would be larger
// than the program.
var dimensions = []Dimension{
	{name: "time", unit: anyTime},
	{name: "time:minute", unit: minute},
	{name: "time:hour", unit: hour},
	{name: "time:day", unit: day},
	{name: "time:week", unit: week},
	{name: "time:month", unit: month},
	{name: "time:quarter", unit: quarterYear}, // ours, as is the next
	{name: "time:year", unit: year},
	{name: "event:page", dim: window.Page},
	{name: "event:hostname", dim: window.Hostname},
	{name: "event:goal", dim: window.Goal},
	{name: "event:name", dim: window.Name},
	{name: "event:bot_reason", dim: window.Reason}, // ours: counts what was taken for bots
	{name: "visit:entry_page", dim: window.EntryPage},
	{name: "visit:exit_page", dim: window.ExitPage},
	{name: "visit:source", dim: window.Source},
	{name: "visit:referrer", dim: window.Referrer},
	{name: "visit:channel", dim: window.Channel},
	{name: "visit:utm_medium", dim: window.UTMMedium},
	{name: "visit:utm_source", dim: window.UTMSource},
	{name: "visit:utm_campaign", dim: window.UTMCampaign},
	{name: "visit:utm_content", dim: window.UTMContent},
	{name: "visit:utm_term", dim: window.UTMTerm},
	{name: "visit:device", dim: window.Device},
	{name: "visit:screen", dim: window.Screen}, // ours
	{name: "visit:browser", dim: window.Browser},
	{name: "visit:browser_version", dim: window.BrowserVersion},
	{name: "visit:os", dim: window.OS},
	{name: "visit:os_version", dim: window.OSVersion},
	{name: "visit:language", dim: window.Language}, // ours
	{name: "visit:country", dim: window.Country},
	{name: "visit:country_name", dim: window.Country, label: countryName},
	{name: "visit:region", dim: window.Region},
	{name: "visit:region_name", dim: window.Region},
	{name: "visit:city", dim: window.City},
	{name: "visit:city_name", dim: window.City},
}

// propPrefix is what the name of a dimension begins with whose rest is the key of a custom
// property.
const propPrefix = "event:props:"

// ParseDimension looks a name up. Its error completes "Invalid dimensions NAME: ".
func ParseDimension(name string) (*Dimension, error) {
	for i := range dimensions {
		if dimensions[i].name == name {
			return &dimensions[i], nil
		}
	}
	if prop, ok := strings.CutPrefix(name, propPrefix); ok && prop != "" {
		return &Dimension{name: name, dim: window.PropValue, prop: spelling.Value(prop)}, nil
	}
	return nil, fmt.Errorf("unknown dimension; there are %s", strings.Join(append(DimensionNames(), propPrefix+"<key>"), ", "))
}

// DimensionNames returns the names of all dimensions but event:props:<key>, in the order of the
// reference.
func DimensionNames() []string {
	names := make([]string, len(dimensions))
	for i := range dimensions {
		names[i] = dimensions[i].name
	}
	return names
}

// Name returns the dimension's name in the API.
func (d *Dimension) Name() string { return d.name }

// IsTime reports whether rows by the dimension are buckets of time.
func (d *Dimension) IsTime() bool { return d.unit != noTime }

// named returns the dimension with the names that p knows, if it is one of names of regions or
// cities.
func (d *Dimension) named(p Places) *Dimension {
	var name func(string) string
	switch {
	case p == nil:
		return d
	case d.name == "visit:region_name":
		name = p.RegionName
	case d.name == "visit:city_name":
		name = p.CityName
	default:
		return d
	}
	own := *d
	own.label = func(code string) string { return cmp.Or(name(code), code) }
	return &own
}

// inUnit returns the dimension of time with a unit if d is "time", else d.
func (d *Dimension) inUnit(u unit) *Dimension {
	if d.unit != anyTime {
		return d
	}
	for i := range dimensions {
		if dimensions[i].unit == u {
			return &dimensions[i]
		}
	}
	return d
}

// ofEvent reports whether the dimension is one of single events and not of their visit.
func (d *Dimension) ofEvent() bool { return strings.HasPrefix(d.name, "event:") }

func (d *Dimension) isGoal() bool { return d.dim == window.Goal && !d.IsTime() }

// show returns the value of a row for a stored one.
func (d *Dimension) show(value string) string {
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
func countryName(code string) string { return cmp.Or(country.Name(code), code) }

func nameList(dims []*Dimension) string {
	names := make([]string, len(dims))
	for i, d := range dims {
		names[i] = d.name
	}
	return strings.Join(names, ", ")
}
