package statsapi

import (
	"strings"
	"testing"
)

// TestImpossibleValues: a value that no event can have is refused, and the hint is one that is
// taken.
func TestImpossibleValues(t *testing.T) {
	check := func(op, dim, value, mods string) error {
		_, err := parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":"day","filters":[["`+op+`","`+dim+`",["`+value+`"]`+mods+`]]}`), nil)
		return err
	}
	refused := func(dim, value, want string) {
		t.Helper()
		for _, op := range []string{"is", "is_not"} {
			err := check(op, dim, value, "")
			if err == nil || strings.Contains(err.Error(), "?.") || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), value) || !strings.Contains(err.Error(), dim) {
				t.Errorf("%s %s %q: %v, want a hint of %s", op, dim, value, err, want)
			}
		}
		if hint, ok := strings.CutPrefix(want, "did you mean "); ok {
			if err := check("is", dim, strings.Trim(hint, `"`), ""); err != nil {
				t.Errorf("%s: the hint %s is refused: %v", dim, hint, err)
			}
		}
		if err := check("contains", dim, value, ""); err != nil {
			t.Errorf("contains %s %q: %v", dim, value, err)
		}
	}
	taken := func(dim, value, mods string) {
		t.Helper()
		if err := check("is", dim, value, mods); err != nil {
			t.Errorf("%s %q: %v", dim, value, err)
		}
	}
	const anyCase = `,{"case_sensitive":false}`
	refused("visit:country", "Germany", `did you mean "DE"`)
	refused("visit:country", "united states", `did you mean "US"`)
	refused("visit:country", "DEU", `did you mean "DE"`)
	refused("visit:country", "de", `did you mean "DE"`)
	refused("visit:country", "Narnia", "ISO 3166-1")
	refused("visit:country_name", "DE", `did you mean "Germany"`)
	refused("visit:country_name", "germany", `did you mean "Germany"`)
	refused("visit:country_name", "Deutschland", "English name")
	refused("visit:region", "California", "ISO 3166-2")
	refused("visit:region", "us-ca", `did you mean "US-CA"`)
	refused("visit:language", "de-de", `did you mean "de-DE"`)
	refused("visit:language", "German", "a code such as")
	refused("visit:device", "mobile", `did you mean "Mobile"`)
	refused("visit:device", "Phone", "Desktop, Mobile, Tablet, TV")
	refused("visit:screen", "1920x1080", "Laptop")
	refused("visit:channel", "organic search", `did you mean "Organic Search"`)
	refused("event:bot_reason", "bot", "crawler")
	refused("visit:browser", "chrome", `did you mean "Chrome"`)
	refused("visit:browser", "Chrom", "such as Chrome, Safari, Firefox")
	refused("visit:os", "MacOS", `did you mean "macOS"`)
	refused("visit:os", "OS/2", "such as Windows, Android, iOS")
	refused("visit:country", "UK", `did you mean "GB"`)
	refused("visit:country", "EL", `did you mean "GR"`)
	refused("visit:country", "uk", `did you mean "GB"`)
	refused("visit:country", "XX", `did you mean "(none)"`)
	refused("visit:country", "ZZ", `did you mean "(none)"`)
	refused("event:page", "/a?b=1", `did you mean "/a"`)
	refused("event:page", "/#/a?b=1", `did you mean "/#/a"`)
	refused("event:page", "/a?b=1#c", `did you mean "/a"`)
	refused("event:page", "?b=1", `did you mean "/"`)
	refused("visit:entry_page", "https://example.com?x=1", `did you mean "/"`)
	refused("event:page", "https://example.com/a?b#/c?d", `did you mean "/a#/c"`)
	refused("event:hostname", "https://example.com/", `did you mean "example.com"`)
	refused("event:hostname", "https://www.Example.com:8080/a?b", `did you mean "example.com"`)
	refused("event:hostname", "https://example.com", `did you mean "example.com"`)
	refused("event:hostname", " example.com", `did you mean "example.com"`)
	refused("event:hostname", "example.com/a", `did you mean "example.com"`)
	refused("event:hostname", "//example.com", `did you mean "example.com"`)
	refused("event:hostname", "exam ple.com", "a host such as")
	refused("event:hostname", "(not set)", "a host such as")
	refused("event:page", "about", `did you mean "/about"`)
	refused("visit:entry_page", "https://example.com/about?x=1", `did you mean "/about"`)
	for _, dim := range []string{"visit:device", "visit:browser", "visit:screen", "visit:country", "visit:country_name", "visit:region", "visit:language",
		"visit:channel", "visit:utm_term", "visit:source", "visit:entry_page"} {
		taken(dim, "(not set)", "")
	}
	taken("event:hostname", "www.Example.com:443", "")
	taken("event:hostname", "localhost", "")
	taken("event:hostname", "xn--caf-dma.example", "")
	taken("event:hostname", "[::1]:80", "")
	taken("event:page", "/app#about", "")
	taken("event:page", `\\a`, "")
	taken("visit:country", "DE", "")
	taken("visit:country", "de", anyCase)
	taken("visit:country", "(none)", "")
	taken("visit:country", "", "")
	taken("visit:country", "XK", "")
	taken("visit:country_name", "Kosovo", "")
	taken("visit:country_name", "germany", anyCase)
	taken("visit:device", "mobile", anyCase)
	taken("visit:os", "MACOS", anyCase)
	taken("visit:browser", "iOS WebView", "")
	for _, dim := range []string{"visit:device", "visit:country", "visit:region", "visit:language", "visit:entry_page"} {
		taken(dim, "(None)", anyCase)
		taken(dim, "(OTHER)", anyCase)
	}
	taken("visit:source", "direct / none", anyCase)
	taken("visit:region", "AT-9", "")
	taken("visit:city", "Berlin", "")
	taken("visit:language", "es-419", "")
	taken("event:page", "/", "")
	taken("event:name", "about", "")
	taken("visit:source", "google", "")
}
