package identity

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNewPlace(t *testing.T) {
	f := func(country, region, city string, want Place) {
		t.Helper()
		if got := NewPlace(country, region, city); got != want {
			t.Errorf("%q %q %q: got %+v, want %+v", country, region, city, got, want)
		}
	}
	f("", "", "", Place{})
	f("us", "ca", "5368361", Place{"US", "US-CA", "5368361"})
	f("AT", "9", "Wien", Place{"AT", "AT-9", "Wien"})
	f("GB", "ENG", " London ", Place{"GB", "GB-ENG", "London"})
	f("US", "US-CA", "", Place{"US", "US-CA", ""})
	f("", "us-ca", "", Place{"US", "US-CA", ""}) // the code says the country
	f("", "CA", "", Place{})                     // which is this one of?
	f("DE", "US-CA", "", Place{"DE", "", ""})    // not both can be right
	f("XX", "00", "XX", Place{})
	f("T1", "", "", Place{})
	f("US", "ZZ", "unknown", Place{"US", "", ""})
	f("US", "?", "?", Place{"US", "", ""})
	f("US", "California", "", Place{"US", "", ""})
	f("US", "C\x00", "A\x00", Place{"US", "", ""})
	f("", "XX-CA", "", Place{})
	for _, name := range []string{"São Paulo", "’s-Hertogenbosch", "'Ajmān", "Halle (Saale)", "東京", "Washington, D.C.", strings.Repeat("x", MaxCity)} {
		f("", "", name, Place{City: name})
	}
	for _, none := range []string{"(other)", "(none)", "0", "012", "12345678901", "-", "?", "a\nb", "a\x7fb", "a\u0085b", "a\u2028b", "a\xffb", "\ufffd",
		"a\ufffdb", strings.Repeat("x", MaxCity+1), "4.5"} {
		f("", "", none, Place{})
	}
}

func TestHeaderText(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := HeaderText([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("S%C3%A3o%20Paulo", "São Paulo")
	f("São Paulo", "São Paulo")
	f("a+b", "a+b")
	f("100%", "")
	f("%zz", "")
	f(strings.Repeat("x", 3*MaxCity+1), "")
}

// places knows what it is told.
type places map[string]Place

func (p places) Place(addr netip.Addr) Place { return p[addr.String()] }
func (p places) CityName(id string) string {
	return map[string]string{"5375480": "Mountain View"}[id]
}

func TestLocate(t *testing.T) {
	db := places{
		"8.8.8.8":      {"US", "US-CA", "5375480"},
		"203.0.113.1":  {"AT", "AT-9", "Vienna"},
		"203.0.113.2":  {"AT", "", ""},
		"203.0.113.77": {},
	}
	f := func(said Place, addr string, want Place) {
		t.Helper()
		if got := Locate(said, db, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%+v, %s: got %+v, want %+v", said, addr, got, want)
		}
	}
	f(Place{}, "203.0.113.1", Place{"AT", "AT-9", "Vienna"})
	f(Place{Country: "AT"}, "203.0.113.1", Place{"AT", "AT-9", "Vienna"})
	f(Place{"AT", "AT-9", ""}, "203.0.113.1", Place{"AT", "AT-9", "Vienna"})
	f(Place{"AT", "", "Vienna"}, "203.0.113.1", Place{"AT", "AT-9", "Vienna"})
	// Who contradicts is not mixed: the proxy is right.
	f(Place{Country: "DE"}, "203.0.113.1", Place{Country: "DE"})
	f(Place{"AT", "AT-5", ""}, "203.0.113.1", Place{"AT", "AT-5", ""})
	f(Place{"AT", "", "Linz"}, "203.0.113.1", Place{"AT", "", "Linz"})
	f(Place{City: "Linz"}, "203.0.113.1", Place{"AT", "", "Linz"})
	f(Place{"AT", "AT-9", "2761369"}, "203.0.113.1", Place{"AT", "AT-9", "2761369"})
	f(Place{"AT", "AT-9", ""}, "203.0.113.2", Place{"AT", "AT-9", ""})
	// A name becomes the id of the same city.
	f(Place{"US", "US-CA", "mountain view"}, "8.8.8.8", Place{"US", "US-CA", "5375480"})
	f(Place{"US", "", "Mountain View"}, "8.8.8.8", Place{"US", "US-CA", "5375480"})
	f(Place{"US", "US-MO", "Mountain View"}, "8.8.8.8", Place{"US", "US-MO", "Mountain View"})
	f(Place{"US", "US-CA", "Palo Alto"}, "8.8.8.8", Place{"US", "US-CA", "Palo Alto"})
	// The table in the program is asked last, and for countries only.
	f(Place{}, "8.8.4.4", Place{Country: "US"})
	f(Place{}, "8.8.8.8", Place{"US", "US-CA", "5375480"})
	f(Place{Country: "FR"}, "8.8.4.4", Place{Country: "FR"})
	f(Place{}, "10.0.0.1", Place{})
	if got := Locate(Place{}, nil, netip.MustParseAddr("8.8.4.4")); got != (Place{Country: "US"}) {
		t.Errorf("without a database: got %+v", got)
	}
	if got := Locate(Place{}, nil, netip.Addr{}); got != (Place{}) {
		t.Errorf("without an address: got %+v", got)
	}
}

// FuzzNewPlace: whatever a source says, what is kept is a code, an id or a clean name, and making a place of it again changes nothing.
func FuzzNewPlace(f *testing.F) {
	f.Add("us", "us-ca", "Los Angeles")
	f.Add("\xff", "--", "(other)")
	f.Fuzz(func(t *testing.T, country, region, city string) {
		p := NewPlace(country, region, city)
		if again := NewPlace(p.Country, p.Region, p.City); again != p {
			t.Fatalf("%+v becomes %+v", p, again)
		}
		if len(p.City) > MaxCity || p.City != Clean(p.City, MaxCity) {
			t.Fatalf("city %q", p.City)
		}
	})
}
