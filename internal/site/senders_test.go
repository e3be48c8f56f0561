package site

import (
	"net/netip"
	"strings"
	"testing"

	"millrace/engine/window"
	"millrace/internal/spelling"
)

func TestSpelling(t *testing.T) {
	f := func(s Spelling, path, want string) {
		t.Helper()
		got := s.Page(spelling.Path(path))
		if got != want || s.Page(got) != got || spelling.Path(got) != got {
			t.Errorf("%+v: %q is %q, want %q, and then %q and %q", s, path, got, want, s.Page(got), spelling.Path(got))
		}
	}
	index := []string{"index.html", "index.php"}
	f(Spelling{}, "/A/index.html", "/A/index.html")
	f(Spelling{CutSlash: true}, "/a/", "/a")
	f(Spelling{CutSlash: true}, "/a//", "/a")
	f(Spelling{CutSlash: true}, "/", "/")
	f(Spelling{CutSlash: true}, "//", "/")
	f(Spelling{CutSlash: true}, "", "")
	f(Spelling{CutSlash: true}, "/a/#/b/", "/a#/b/")
	f(Spelling{CutSlash: true}, "/blog/**", "/blog/**")
	f(Spelling{CutSlash: true}, "/a%20/", "/a%20")
	f(Spelling{CutSlash: true}, "/a /", "/a%20")
	f(Spelling{Lower: true}, "/A #/b", "/a #/b")
	f(Spelling{Lower: true}, "/a #/b", "/a #/b")
	f(Spelling{Lower: true, CutSlash: true}, "/É /", "/é%20")
	f(Spelling{IndexPages: index}, "/a/index.php", "/a/")
	f(Spelling{IndexPages: index}, "/index.html", "/")
	f(Spelling{IndexPages: index}, "/index.htm", "/index.htm")
	f(Spelling{IndexPages: index}, "/Index.html", "/Index.html")
	f(Spelling{IndexPages: index, CutSlash: true}, "/a/index.html/", "/a")
	f(Spelling{IndexPages: index, CutSlash: true}, "/index.php/index.html", "/")
	f(Spelling{IndexPages: index, Lower: true}, "/A/INDEX.html", "/a/")
	f(Spelling{Lower: true}, "/%C3%89T%c3%a9/%2f%4A", "/été/%2Fj")
	f(Spelling{Lower: true}, "/\u0130/\u1E9E/K\u030C", "/i/ß/\u01E9")
}

func FuzzSpelling(f *testing.F) {
	f.Add("/A/%C3%89/Index.HTML/", true, true)
	f.Add("A%C2%\xc00/B /", true, true)
	f.Fuzz(func(t *testing.T, path string, slash, lower bool) {
		if len(path) > window.MaxValueLen { // its spelling may be cut, within an escape
			return
		}
		s := Spelling{CutSlash: slash, Lower: lower, IndexPages: []string{"index.html", "a"}}
		page := s.Page(spelling.Path(path))
		if again := s.Page(page); again != page {
			t.Errorf("%q is %q, and that is %q", path, page, again)
		}
	})
}

func TestHosts(t *testing.T) {
	f := func(rule, host string, want bool) {
		t.Helper()
		h, ok := parseHost(rule, spelling.Hostname)
		if s := (&Senders{Hostnames: []Host{h}}); !ok || s.TakesHost(spelling.Hostname(host)) != want {
			t.Errorf("%q and %q: parsed %v, want %v", rule, host, ok, want)
		}
	}
	f("shop.example", "shop.example", true)
	f("shop.example", "www.Shop.example:443", true)
	f("www.shop.example", "shop.example", true)
	f("shop.example", "evilshop.example", false)
	f("shop.example", "", false)
	f("*.shop.example", "a.b.shop.example", true)
	f("*.shop.example", "shop.example", false)
	f("*.shop.example", "evilshop.example", false)
	f("*.shop.example", ".shop.example", false)
	f("xn--mnchen-3ya.example", "MÜNCHEN.example", true)
	for _, bad := range []string{"", "*", "*.", "https://a.example", "a.example/x", "a.example:80", "*.*.example", "a b", ".a"} {
		if h, ok := parseHost(bad, spelling.Hostname); ok {
			t.Errorf("%q is %+v", bad, h)
		}
	}
}

func TestOrigins(t *testing.T) {
	f := func(rule, origin string, want bool) {
		t.Helper()
		o, ok := parseOrigin(rule)
		if s := (&Senders{Origins: []Origin{o}}); !ok || s.TakesOrigin(origin) != want {
			t.Errorf("%q and %q: parsed %v, want %v", rule, origin, ok, want)
		}
	}
	f("https://shop.example", "https://shop.example", true)
	f("https://shop.example:443", "https://shop.example", true)
	f("https://shop.example", "http://shop.example", false)
	f("https://shop.example", "https://shop.example:8443", false)
	f("https://shop.example", "https://www.shop.example", false)
	f("https://shop.example", "https://shop.example.evil.example", false)
	f("https://shop.example:8443", "https://shop.example:8443", true)
	f("https://shop.example", "https://shop.example/page?x", true)
	f("shop.example", "http://shop.example:8080", true)
	f("shop.example:8080", "http://shop.example", false)
	f("https://*.shop.example", "https://de.shop.example", true)
	f("https://*.shop.example", "https://shop.example", false)
	f("https://MÜNCHEN.example", "https://xn--mnchen-3ya.example", true)
	f("app://shop", "app://shop", true)
	f("shop.example", "null", false)
	f("shop.example", "", false)
	for _, bad := range []string{"", "*", "https://", "https://a.example/x", "https://a.example:", "https://a.example:x", "htt ps://a.example", "https://*"} {
		if o, ok := parseOrigin(bad); ok {
			t.Errorf("%q is %+v", bad, o)
		}
	}
}

func TestNetworks(t *testing.T) {
	f := func(rule, addr string, want bool) {
		t.Helper()
		p, err := parseNetwork(rule)
		if s := (&Senders{ExcludedAddresses: []netip.Prefix{p}}); err != nil || s.ExcludesAddress(netip.MustParseAddr(addr)) != want {
			t.Errorf("%q and %q: %v, want %v", rule, addr, err, want)
		}
	}
	f("203.0.113.7", "203.0.113.7", true)
	f("203.0.113.7", "203.0.113.8", false)
	f("203.0.113.0/24", "::ffff:203.0.113.9", true)
	f("::ffff:203.0.113.7", "203.0.113.7", true)
	f("2001:db8::/32", "2001:db8:1::1", true)
	f("2001:db8::/32", "203.0.113.7", false)
	for rule, want := range map[string]string{
		"": "is neither", "203.0.113": "is neither", "0.0.0.0/0": "is every address", "203.0.113.7/24": "write 203.0.113.0/24, or 203.0.113.7 for",
		"::ffff:1.2.3.0/120": "in the form of IPv6", "fe80::1%eth0": "is neither",
	} {
		if _, err := parseNetwork(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", rule, err)
		}
	}
}
