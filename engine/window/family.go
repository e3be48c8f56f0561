package window

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Dim is one dimension of a row.
type Dim uint8

// The dimensions. The order in which rows store them is codecOrder.
const (
	Page           Dim = iota // path of the page, without query
	Source                    // name of the site that sent the visitor, see package engine
	Referrer                  // host and path of the page that sent the visitor
	Country                   // ISO 3166-1 alpha-2
	Language                  // BCP 47, primary and region
	Browser                   // name
	OS                        // name
	Device                    // Desktop, Mobile, Tablet, TV
	Name                      // event name
	Reason                    // why a bot was taken for one
	Hostname                  // host of the page, without "www."
	EntryPage                 // first page of the visit
	ExitPage                  // last page of the visit; only of rollups of visits
	Channel                   // how the visitor came: Direct, Organic Search, ...
	UTMSource                 // parameters of the first page's address, as written
	UTMMedium                 //
	UTMCampaign               //
	UTMContent                //
	UTMTerm                   //
	Region                    // ISO 3166-2
	City                      // GeoNames id
	BrowserVersion            // major version
	OSVersion                 // major version, or name where that is what people say
	Screen                    // class of width: Mobile, Tablet, Laptop, Desktop
	Goal                      // name of a goal, see Row.Goals
	PropKey                   // key of a custom property, see Row.Props
	PropValue                 // its value
	Lacks                     // what an event or a visit has no value of, see value_lack.go
	LacksPlace                // which of region and city
	PropKeys                  // the keys of an event's custom properties
	NumDims
)

var dimNames = [NumDims]string{
	"page", "source", "referrer", "country", "language", "browser", "os", "device", "name", "reason",
	"hostname", "entry_page", "exit_page", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term",
	"region", "city", "browser_version", "os_version", "screen", "goal", "prop", "value",
	"lacks", "lacks_place", "prop_keys",
}

// OfVisit reports whether the dimension is one of the visit: every row of a visit has the value of
// its first pageview.
func (d Dim) OfVisit() bool {
	switch d {
	case Page, Name, Reason, Hostname, ExitPage, Goal, PropKey, PropValue, Lacks, LacksPlace, PropKeys:
		return false
	}
	return d < NumDims
}

// String returns the tag that carries the dimension in line protocol.
func (d Dim) String() string { return dimNames[d] }

// Family is one rollup: a named set of dimensions, a measurement of its own in the sink.
type Family uint8

// The families. Their numbers are part of the formats of the state store and the rollup store: add
// at the end, never renumber.
const (
	Totals Family = iota
	Pages
	Sources
	Referrers
	Countries
	Languages
	Browsers
	OSes
	Devices
	EventNames
	CountryBrowsers
	Bots
	Dropped
	Hostnames
	EntryPages
	ExitPages
	Channels
	UTMSources
	UTMMediums
	UTMCampaigns
	UTMContents
	UTMTerms
	Regions
	Cities
	BrowserVersions
	OSVersions
	Screens
	Goals
	Props
	GoalPages
	GoalEntryPages
	GoalSources
	GoalReferrers
	GoalChannels
	GoalUTMSources
	GoalUTMMediums
	GoalUTMCampaigns
	GoalUTMContents
	GoalUTMTerms
	GoalCountries
	GoalRegions
	GoalCities
	GoalBrowsers
	GoalOSes
	GoalDevices
	GoalHostnames
	Lacking
	PlaceLacking
	GoalLacking
	PropSets
	NumFamilies
)

// A class is which rows a family counts.
type class uint8

const (
	human   class = iota // neither bot nor dropped
	bot                  // flagged as a bot
	dropped              // too late for its window
)

// What a family counts.
const (
	ofEvents = 1 << iota // in windows of minutes and hours
	ofVisits             // in windows of visits
	both     = ofEvents | ofVisits
)

// families is the one table of what is counted.
var families = [NumFamilies]struct {
	name   string
	dims   []Dim
	class  class
	counts uint8
}{
	Totals:           {"totals", nil, human, both},
	Pages:            {"page", []Dim{Page}, human, ofEvents},
	Sources:          {"source", []Dim{Source}, human, both},
	Referrers:        {"referrer", []Dim{Referrer}, human, both},
	Countries:        {"country", []Dim{Country}, human, both},
	Languages:        {"language", []Dim{Language}, human, both},
	Browsers:         {"browser", []Dim{Browser}, human, both},
	OSes:             {"os", []Dim{OS}, human, both},
	Devices:          {"device", []Dim{Device}, human, both},
	EventNames:       {"event", []Dim{Name}, human, ofEvents},
	CountryBrowsers:  {"country_browser", []Dim{Country, Browser}, human, both},
	Bots:             {"bot", []Dim{Reason}, bot, ofEvents},
	Dropped:          {"dropped", nil, dropped, ofEvents},
	Hostnames:        {"hostname", []Dim{Hostname}, human, both},
	EntryPages:       {"entry_page", []Dim{EntryPage}, human, both},
	ExitPages:        {"exit_page", []Dim{ExitPage}, human, ofVisits},
	Channels:         {"channel", []Dim{Channel}, human, both},
	UTMSources:       {"utm_source", []Dim{UTMSource}, human, both},
	UTMMediums:       {"utm_medium", []Dim{UTMMedium}, human, both},
	UTMCampaigns:     {"utm_campaign", []Dim{UTMCampaign}, human, both},
	UTMContents:      {"utm_content", []Dim{UTMContent}, human, both},
	UTMTerms:         {"utm_term", []Dim{UTMTerm}, human, both},
	Regions:          {"region", []Dim{Country, Region}, human, both},
	Cities:           {"city", []Dim{Country, City}, human, both},
	BrowserVersions:  {"browser_version", []Dim{Browser, BrowserVersion}, human, both},
	OSVersions:       {"os_version", []Dim{OS, OSVersion}, human, both},
	Screens:          {"screen", []Dim{Screen}, human, both},
	Goals:            {"goal", []Dim{Goal}, human, ofEvents},
	Props:            {"prop", []Dim{PropKey, PropValue}, human, ofEvents},
	GoalPages:        {"goal_page", []Dim{Goal, Page}, human, ofEvents},
	GoalEntryPages:   {"goal_entry_page", []Dim{Goal, EntryPage}, human, ofEvents},
	GoalSources:      {"goal_source", []Dim{Goal, Source}, human, ofEvents},
	GoalReferrers:    {"goal_referrer", []Dim{Goal, Referrer}, human, ofEvents},
	GoalChannels:     {"goal_channel", []Dim{Goal, Channel}, human, ofEvents},
	GoalUTMSources:   {"goal_utm_source", []Dim{Goal, UTMSource}, human, ofEvents},
	GoalUTMMediums:   {"goal_utm_medium", []Dim{Goal, UTMMedium}, human, ofEvents},
	GoalUTMCampaigns: {"goal_utm_campaign", []Dim{Goal, UTMCampaign}, human, ofEvents},
	GoalUTMContents:  {"goal_utm_content", []Dim{Goal, UTMContent}, human, ofEvents},
	GoalUTMTerms:     {"goal_utm_term", []Dim{Goal, UTMTerm}, human, ofEvents},
	GoalCountries:    {"goal_country", []Dim{Goal, Country}, human, ofEvents},
	GoalRegions:      {"goal_region", []Dim{Goal, Region}, human, ofEvents},
	GoalCities:       {"goal_city", []Dim{Goal, City}, human, ofEvents},
	GoalBrowsers:     {"goal_browser", []Dim{Goal, Browser}, human, ofEvents},
	GoalOSes:         {"goal_os", []Dim{Goal, OS}, human, ofEvents},
	GoalDevices:      {"goal_device", []Dim{Goal, Device}, human, ofEvents},
	GoalHostnames:    {"goal_hostname", []Dim{Goal, Hostname}, human, ofEvents},
	Lacking:          {"lacking", []Dim{Lacks}, human, both},
	PlaceLacking:     {"place_lacking", []Dim{Country, LacksPlace}, human, both},
	GoalLacking:      {"goal_lacking", []Dim{Goal, Lacks}, human, ofEvents},
	PropSets:         {"prop_set", []Dim{PropKeys}, human, ofEvents},
}

// pick is which values of a row a family counts: one or two dimensions, NumDims for none.
type pick struct {
	family        Family
	first, second Dim
	need          dimSet // those of the two that must not be empty
}

// What counts a row, by its class, and what counts once for each of its goals, by the second
// dimension; what counts a change of visits, and of that what depends on the exit page.
var (
	rowPicks   = [...][]pick{human: picksOf(human), bot: picksOf(bot), dropped: picksOf(dropped)}
	goalPicks  = picksWhere(func(f Family) bool { return len(f.Dims()) == 2 && f.Dims()[0] == Goal })
	visitPicks = picksWhere(func(f Family) bool { return f.In(Visits) && f != ExitPages })
)

func picksOf(c class) []pick {
	return picksWhere(func(f Family) bool {
		return families[f].class == c && f.In(Minute) && !slices.Contains(f.Dims(), Goal) && f != Props
	})
}

func picksWhere(ok func(Family) bool) (list []pick) {
	for _, f := range familiesWhere(ok) {
		p := pick{family: f, first: NumDims, second: NumDims, need: setOf(f.Dims()...) &^ setOf(Goal)}
		if len(f.Dims()) > 0 {
			p.first = f.Dims()[0]
		}
		if len(f.Dims()) > 1 {
			p.second = f.Dims()[1]
		}
		list = append(list, p)
	}
	return list
}

func familiesWhere(ok func(Family) bool) (list []Family) {
	for f := range NumFamilies {
		if ok(f) {
			list = append(list, f)
		}
	}
	return list
}

// String returns the family's name, which is its measurement in line protocol of minutes.
func (f Family) String() string {
	if f >= NumFamilies {
		return "unknown"
	}
	return families[f].name
}

// Dims returns the family's dimensions: none, one or two. The caller must not change it.
func (f Family) Dims() []Dim { return families[f].dims }

// In reports whether windows of a kind hold points of the family.
func (f Family) In(k Kind) bool {
	if k == Visits {
		return families[f].counts&ofVisits != 0
	}
	return families[f].counts&ofEvents != 0
}

// ParseFamily returns the family of a measurement.
func ParseFamily(name string) (Family, bool) {
	for f := range NumFamilies {
		if families[f].name == name {
			return f, true
		}
	}
	return 0, false
}

// Other is the value that the values past a family's budget are counted under.
const Other = "(other)"

// None is the value of a dimension that an event could have had and did not have. A row whose
// dimension is the empty string is not counted in that dimension's families, but in Lacking:
// readers see it as None too.
const None = "(none)"

// MaxValueLen is the longest value of a dimension in bytes; Clean cuts longer ones.
const MaxValueLen = 512

// Clean makes a value fit for a tag of line protocol: invalid UTF-8 becomes U+FFFD, control
// characters become spaces, backslashes slashes (as browsers read them in URLs; line protocol
// parsers disagree about them), the ends are trimmed, and what is longer than MaxValueLen is cut
// before the character that crosses it. An empty result becomes None.
func Clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	if len(s) > MaxValueLen {
		cut := MaxValueLen
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		s = s[:cut]
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == 0x7f || c == '\\' {
			s = strings.Map(func(r rune) rune {
				switch {
				case r == '\\':
					return '/'
				case r < 0x20 || r == 0x7f:
					return ' '
				}
				return r
			}, s)
			break
		}
	}
	if s = strings.Trim(s, " "); s == "" {
		return None
	}
	return s
}
