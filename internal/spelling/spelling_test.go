package spelling

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	f := func(want string, spellings ...string) {
		t.Helper()
		for _, p := range append(spellings, want) {
			if got := Path(p); got != want {
				t.Errorf("%q: got %q, want %q", p, got, want)
			}
		}
	}
	f("", "")
	f("/")
	f("/a_b-c.d~e", "/a%5fb%2Dc%2ed%7ee", "/a%5Fb%2dc%2Ed%7Ee")
	f("/A", "/%41")
	f("/a")
	f("/café", "/caf%C3%A9", "/caf%c3%a9", "/cafe\u0301", "/cafe%CC%81", "/caf%65%cc%81")
	f("/日本/x", "/%E6%97%A5%E6%9C%AC/x", "/%e6%97%a5本/x")
	f("/😀", "/%F0%9F%98%80")
	f("/a b", "/a%20b")
	f("/{x}|^", "/%7Bx%7D%7C%5E", "/%7bx}%7c^")
	// What means something else stays as it is, with digits in upper case.
	f("/a%2Fb", "/a%2fb")
	f("/a%3Fb%23%5B%5D%40", "/a%3fb%23%5b%5d%40")
	f("/a!$&'()*+,;=:@b")
	f("/a%5Cb", "/a%5cb")
	f("/a/cart", "/a/cart;jsessionid=0A1B.node1", "/a;JSESSIONID=1/cart", "/a;jsessionid=1;PHPSESSID=2/cart;jsessionid=", "/b/..;jsessionid=1/a/cart")
	f("/a;v=1;w=2", "/a;v=1;jsessionid=3;w=2", "/a;jsessionid=3;v=1;w=2")
	f("/a;/b;jsessionid;xjsessionid=1;=2%3Bjsessionid=3", "/a;jsessionid=9;/b;jsessionid;xjsessionid=1;=2%3bjsessionid=3")
	f("/a#/r", "/a;jsessionid=1#/r")
	f("/a/b", `/a\b`)
	f("/100%25", "/100%")
	f("/%25zz", "/%zz")
	f("/%2541", "/%%341")
	f("/%FF%C3x", "/%ff%c3x", "/\xff\xc3x")
	f("/%00%0A%7F", "/\x00\n\x7f")
	f("/%C2%80", "/\u0080")
	f("/%E2%80%AEx", "/\u202ex")
	f("/%22%3Cb%3E%60", "/\"<b>`", "/%22<b%3e`")
	f("/%0A\u0301", "/%0a%CC%81")
	f("/%60", "/\u1fef") // whose NFC is a grave accent
	// Blanks at the end: as they come they are none of the address.
	f("/a", "/a  ")
	f("/a%20", "/a%20 ")
	f("/a%20%20", "/a%20%20")
	// Dots.
	f("/a/c", "/a/b/../c", "/a/./c", "/a/%2e/c", "/a/b/%2E%2e/c", "/../a/c")
	f("/a/", "/a/.", "/a/b/..")
	f("/", "/..", "/a/..", "/.")
	f("/a//b//")
	f("/.well-known/x", "/%2ewell-known/x")
	f("/a/...")
	f("/a/.*/**", "/%61/.*/**")
	f("/#/a/../b")
	f("relative/_", "relative/%5f")
}

func TestHostname(t *testing.T) {
	f := func(want string, spellings ...string) {
		t.Helper()
		for _, h := range append(spellings, want) {
			if got := Hostname(h); got != want {
				t.Errorf("%q: got %q, want %q", h, got, want)
			}
		}
	}
	f("")
	f("example.com", "EXAMPLE.com", "www.example.com", "example.com.", "example.com:443", "WWW.Example.COM.:8080", "user:pw@example.com")
	f("a_b.example.com")
	f("a--b.example.com", "A--B.example.com")
	f("-a.example.com", "-a.example.com..")
	f("café.example", "xn--caf-dma.example", "XN--CAF-DMA.example:80", "CAFÉ.example", "cafe\u0301.example", "caf%C3%A9.example", "www.café.example.")
	f("日本.example", "xn--wgv71a.example", "日本。example", "日本．example")
	f("straße.example", "xn--strae-oqa.example")
	f("xn--a.example")                  // no Punycode
	f("a%2fb.example", "a%2Fb.example") // no host
	f("a%2540.example")                 // nor this
	f("[2001:db8::1]", "[2001:DB8:0:0:0:0:0:1]:443", "[2001:0db8::0001]")
	f("[x]")
	f("bad host")
}

// A host that is taken as it stands is one that is spelled so.
func TestPlainHost(t *testing.T) {
	const letters = "axn0.-_%A:@[] é"
	plain := 0
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		b := make([]byte, rng.IntN(10))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		if host := string(b); isPlainHost(host) {
			plain++
			if got := spellHost(host); got != host {
				t.Fatalf("%q is %q", host, got)
			}
		}
	}
	if plain < 1000 || isPlainHost(strings.Repeat("a", maxHost+1)) {
		t.Errorf("%d were plain", plain)
	}
}

func TestASCII(t *testing.T) {
	f := func(host, want string) {
		t.Helper()
		if got := ASCII(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
	f("", "")
	f("Example.com", "example.com")
	f("münchen.example", "xn--mnchen-3ya.example")
	f("MÜNCHEN.Example", "xn--mnchen-3ya.example")
	f("mu\u0308nchen.example", "xn--mnchen-3ya.example")
	f("日本。example", "xn--wgv71a.example")
	f("straße.example", "xn--strae-oqa.example")
	f("xn--mnchen-3ya.example", "xn--mnchen-3ya.example")
	f("xn--a.example", "xn--a.example")
	f("https://É.example/", "https://é.example/")
	f("\u200dé.example", "\u200dé.example")
}

func TestReferrer(t *testing.T) {
	f := func(ref, want string) {
		t.Helper()
		if got := Referrer(ref); got != want {
			t.Errorf("%q: got %q, want %q", ref, got, want)
		}
	}
	f("", "")
	f("https://", "")
	f("google.com", "google.com")
	f("https://www.Google.com:443/search/?q=1#x", "google.com/search")
	f("https://xn--caf-dma.example/a%5fb/", "café.example/a_b")
	f("café.example/Caf%C3%A9", "café.example/Café")
	f("example.com?x=/", "example.com")
}

func TestValue(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := Value(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
	f("", "(none)")
	f("a", "a")
	f(`a\b`, "a/b")
	f(" a\tb ", "a b")
	f("cafe\u0301", "café")
	f("a\xff", "a\ufffd")
	f("\xf7\u037e", "\ufffd;")
	f(strings.Repeat("e\u0301", 300), strings.Repeat("é", 256))
	f(strings.Repeat("a", 600), strings.Repeat("a", 512))
}

func TestUnescape(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := Unescape(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
	f("a", "a")
	f("a+b%20c%2bd", "a b c+d")
	f("50%", "50%")
	f("%zz%4", "%zz%4")
	f("%C3%A9", "é")
}

// FuzzSpelling: what is spelled right stays, so that a filter may hold what a report shows.
func FuzzSpelling(f *testing.F) {
	f.Add("/a%5fb/../%41%%341\u1fef <\\")
	f.Add("www.xn--caf-dma.example.:80")
	f.Add("cafe\u0301 \xff\u037e=\u0338")
	f.Fuzz(func(t *testing.T, s string) {
		s = s[:min(len(s), 600)] // beyond, both times something else is cut
		twice := func(name string, fn func(string) string) {
			t.Helper()
			once := fn(s)
			if again := fn(once); again != once {
				t.Errorf("%s of %q: %q, and of that %q", name, s, once, again)
			}
		}
		twice("Path", Path)
		twice("PathPart", PathPart)
		twice("Value", Value)
		twice("Part", Part)
		if h := Hostname(s); len(s) < maxHost/3 && ValidHost(h) && !strings.HasPrefix(h, "www.") {
			twice("Hostname", Hostname)
		}
	})
}
