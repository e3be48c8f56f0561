package query

import (
	"cmp"
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
	// prop is the key of event:props:<key>.
	prop string
}

// dimensions are those that can be answered, besides event:props:<key>.
//
// visit:region_name and visit:city_name show names where the server has Options.Places, and else the codes: golang.org/x/text
// has no names of subdivisions, and a table of cities would be larger than the program.
var dimensions = []dimension{
	{name: "time", unit: anyTime},
	{name: "time:minute", unit: minute},
	{name: "time:hour", unit: hour},
	{name: "time:day", unit: day},
	{name: "time:week", unit: week},
	{name: "time:month", unit: month},
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

// propPrefix is what the name of a dimension begins with whose rest is the key of a custom property.
const propPrefix = "event:props:"

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
	if prop, ok := strings.CutPrefix(name, propPrefix); ok && prop != "" {
		return &dimension{name: name, dim: window.PropValue, prop: prop}, nil
	}
	return nil, bad("Invalid %s %q: unknown dimension; there are %s.", key, name, dimensionNames())
}

// namePlaces gives a question dimensions of its own where p knows names of their values.
func (q *Query) namePlaces(p Places) {
	if p == nil {
		return
	}
	for i, d := range q.dims {
		q.dims[i] = d.named(p)
	}
	q.filter.namePlaces(p)
}

func (f *filter) namePlaces(p Places) {
	if f.dim != nil {
		f.dim = f.dim.named(p)
	}
	for _, sub := range f.sub {
		sub.namePlaces(p)
	}
}

// named returns the dimension with p's names, if it is one of names of regions or cities.
func (d *dimension) named(p Places) *dimension {
	var name func(string) string
	switch d.name {
	case "visit:region_name":
		name = p.RegionName
	case "visit:city_name":
		name = p.CityName
	default:
		return d
	}
	own := *d
	own.label = func(code string) string { return cmp.Or(name(code), code) }
	return &own
}

// dimensionNames lists all dimensions for a message.
func dimensionNames() string {
	names := make([]string, len(dimensions), len(dimensions)+1)
	for i := range dimensions {
		names[i] = dimensions[i].name
	}
	return strings.Join(append(names, propPrefix+"<key>"), ", ")
}

func (d *dimension) isTime() bool { return d.unit != noTime }

// ofEvent tells whether the dimension is one of single events and not of their visit.
func (d *dimension) ofEvent() bool { return strings.HasPrefix(d.name, "event:") }

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

// allDims returns the dimensions of a question and of its filters, each once, but those of time.
func (q *Query) allDims() []*dimension {
	var list []*dimension
	add := func(d *dimension) {
		if d != nil && !d.isTime() && !slices.ContainsFunc(list, func(o *dimension) bool { return o.name == d.name }) {
			list = append(list, d)
		}
	}
	for _, d := range q.dims {
		add(d)
	}
	q.filter.eachDim(add)
	return list
}

func nameList(dims []*dimension) string {
	names := make([]string, len(dims))
	for i, d := range dims {
		names[i] = d.name
	}
	return strings.Join(names, ", ")
}
