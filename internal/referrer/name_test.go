package referrer

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	f := func(name func(string) string, in, want string) {
		t.Helper()
		if got := name(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f(NameOfHost, "google.com", "Google")
	f(NameOfHost, "google.co.uk", "Google")
	f(NameOfHost, "google.evil.example", "google.evil.example")
	f(NameOfHost, "a.b.wikipedia.org", "Wikipedia")
	f(NameOfHost, "notgoogle.com", "notgoogle.com")
	f(NameOfTag, "FB", "Facebook")
	f(NameOfTag, "gOOgle", "Google")
	f(NameOfTag, "www.Google.de", "Google")
	f(NameOfTag, "News.Example", "news.example")
	f(NameOfTag, "xn--caf-dma.example", "café.example")
	f(NameOfTag, "Spring letter", "Spring letter")
}

// TestAliases: each alias is one of a site that can be found.
func TestAliases(t *testing.T) {
	names := slices.Concat(slices.Collect(maps.Values(hostNames)), slices.Collect(maps.Values(countryHosts)))
	for _, alias := range tagAliases {
		if !slices.Contains(names, alias) {
			t.Errorf("an alias means %q, which no host is", alias)
		}
	}
}

// TestStoredStays: a name that is stored is its own name, so that a filter by it finds it and no other.
func TestStoredStays(t *testing.T) {
	all := slices.Concat(slices.Collect(maps.Values(hostNames)), slices.Collect(maps.Values(countryHosts)))
	for _, in := range slices.Concat(all, slices.Collect(maps.Keys(hostNames)), slices.Collect(maps.Keys(tagAliases)), slices.Collect(maps.Keys(countryHosts)), []string{"x", "fb", "www.x", "t.co"}) {
		for _, stored := range []string{NameOfHost(strings.ToLower(in)), NameOfTag(in), NameOfTag(strings.ToLower(in))} {
			if got := NameOfTag(stored); got != stored {
				t.Errorf("%q is stored as %q, whose name is %q", in, stored, got)
			}
		}
	}
}
