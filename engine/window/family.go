package window

import (
	"strings"
	"unicode/utf8"
)

// Dim is one dimension of a row.
type Dim uint8

// The dimensions, in the order rows store them. New ones are added at the end: rows written before read as ""
// in them.
const (
	Page     Dim = iota // path of the page, without query
	Source              // name of the site that sent the visitor, see package engine
	Referrer            // host and path of the page that sent the visitor
	Country             // ISO 3166-1 alpha-2
	Language            // BCP 47, primary and region
	Browser             // name
	OS                  // name
	Device              // Desktop, Mobile, Tablet, TV
	Name                // event name
	Reason              // why a bot was taken for one
	NumDims
)

var dimNames = [NumDims]string{"page", "source", "referrer", "country", "language", "browser", "os", "device", "name", "reason"}

// String returns the tag that carries the dimension in line protocol.
func (d Dim) String() string { return dimNames[d] }

// Family is one rollup: a named set of dimensions, a measurement of its own in the sink.
type Family uint8

// The families. Their numbers are part of the formats of the state store and the rollup store: add at the
// end, never renumber.
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
	NumFamilies
)

// A class says which rows a family counts.
type class uint8

const (
	human   class = iota // neither bot nor dropped
	bot                  // flagged as a bot
	dropped              // too late for its window
)

// families is the one table of what is counted.
var families = [NumFamilies]struct {
	name  string
	dims  []Dim
	class class
}{
	Totals:          {"totals", nil, human},
	Pages:           {"page", []Dim{Page}, human},
	Sources:         {"source", []Dim{Source}, human},
	Referrers:       {"referrer", []Dim{Referrer}, human},
	Countries:       {"country", []Dim{Country}, human},
	Languages:       {"language", []Dim{Language}, human},
	Browsers:        {"browser", []Dim{Browser}, human},
	OSes:            {"os", []Dim{OS}, human},
	Devices:         {"device", []Dim{Device}, human},
	EventNames:      {"event", []Dim{Name}, human},
	CountryBrowsers: {"country_browser", []Dim{Country, Browser}, human},
	Bots:            {"bot", []Dim{Reason}, bot},
	Dropped:         {"dropped", nil, dropped},
}

// String returns the family's name, which is its measurement in line protocol.
func (f Family) String() string {
	if f >= NumFamilies {
		return "unknown"
	}
	return families[f].name
}

// Dims returns the family's dimensions: none, one or two. The caller must not change it.
func (f Family) Dims() []Dim { return families[f].dims }

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

// None is the value of a dimension that an event could have had and did not have. A row whose dimension is
// the empty string is not counted in that dimension's families at all.
const None = "(none)"

// MaxValueLen is the longest value of a dimension in bytes; Clean cuts longer ones.
const MaxValueLen = 512

// Clean makes a value fit for a tag of line protocol: invalid UTF-8 becomes U+FFFD, control characters become
// spaces, backslashes slashes (as browsers read them in URLs; line protocol parsers disagree about them), the
// ends are trimmed, and what is longer than MaxValueLen is cut before the character that crosses it. An empty
// result becomes None.
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
