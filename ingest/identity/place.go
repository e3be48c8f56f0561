package identity

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Place is where a client is, each part "" where unknown.
type Place struct {
	// Country is an ISO 3166-1 alpha-2 code, in capitals.
	Country string
	// Region is an ISO 3166-2 code, in capitals, such as "US-CA". It begins with Country.
	Region string
	// City is a GeoNames id in decimal, or, from a source that has none, the city's name.
	City string
}

// Places is a database of places. What it does not know is "".
type Places interface {
	// Place looks an address up.
	Place(addr netip.Addr) Place
	// CityName names a city by its GeoNames id.
	CityName(id string) string
}

// Locate completes what a trusted proxy says about where addr is: by places, which may be nil, and then by the table of
// countries in the program.
func Locate(said Place, places Places, addr netip.Addr) Place {
	p := said
	if places != nil && (p.Country == "" || p.Region == "" || !IsCityID(p.City)) {
		p = p.completedBy(places.Place(addr), places)
	}
	if p.Country == "" {
		p.Country = Country(addr)
	}
	return p
}

// completedBy returns q, of places, if it contradicts p in nothing; q then has a city's id where p has the name. A place is not
// put together from two sources that disagree: the city of the one may lie in another region than the other's.
func (p Place) completedBy(q Place, places Places) Place {
	sameCity := p.City == "" || p.City == q.City || strings.EqualFold(p.City, places.CityName(q.City))
	if sameCity && (p.Country == "" || p.Country == q.Country) && (p.Region == "" || p.Region == q.Region) {
		return q
	}
	if p.Country == "" {
		p.Country = q.Country
	}
	return p
}

// NewPlace makes a Place of what a source says: a country's code; a region's code with or without the country before it;
// and a GeoNames id or a name of a city. What is none of these is left out, and a region of another country too.
func NewPlace(country, region, city string) Place {
	p := Place{Country: CountryCode(country), City: cityValue(city)}
	if len(region) > 3 && region[2] == '-' {
		of := CountryCode(region[:2])
		if p.Country == "" {
			p.Country = of
		}
		if of != p.Country {
			return p
		}
		region = region[3:]
	}
	if p.Country != "" && isSubdivision(region) {
		p.Region = p.Country + "-" + strings.ToUpper(region)
	}
	return p
}

// isSubdivision tells the second part of a code of ISO 3166-2: one to three letters or digits. 0, 00 and ZZ and XX stand for
// "unknown" at some sources.
func isSubdivision(s string) bool {
	if len(s) < 1 || len(s) > 3 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return strings.Trim(s, "0") != "" && !strings.EqualFold(s, "zz") && !strings.EqualFold(s, "xx")
}

// MaxCity is the longest value of a city in bytes. The longest names of GeoNames that are in use have about 60.
const MaxCity = 100

// cityValue returns a city's id or name as it is kept, "" for what is neither.
func cityValue(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > MaxCity || !utf8.ValidString(s) {
		return ""
	}
	if IsCityID(s) {
		return s
	}
	// A name begins with a letter, or an apostrophe: what begins with a bracket is the engine's, "(other)".
	first, _ := utf8.DecodeRuneInString(s)
	if !unicode.IsLetter(first) && first != '\'' && first != '‘' && first != '’' {
		return ""
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return ""
		}
	}
	if strings.EqualFold(s, "unknown") || strings.EqualFold(s, "xx") || strings.EqualFold(s, "zz") {
		return ""
	}
	return s
}

// IsCityID tells a GeoNames id in decimal from a name.
func IsCityID(s string) bool {
	if s == "" || len(s) > 10 || s[0] == '0' {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// HeaderText returns the text of a header in which a proxy sends a name: as it is, or unescaped where it is URL-encoded.
// "" where the escapes are broken, or the value is so long that no name is in it.
func HeaderText(v []byte) string {
	if len(v) > 3*MaxCity {
		return ""
	}
	s := string(v)
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	s, err := url.PathUnescape(s)
	if err != nil {
		return ""
	}
	return s
}
