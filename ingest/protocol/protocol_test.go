package protocol

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// nothing is a Handler.
type nothing struct{}

func (nothing) Read(*Request) ([]Input, *Refusal) { return nil, nil }
func (nothing) Accept(*Request, Outcome)          {}
func (nothing) Refuse(*Request, *Refusal)         {}

func TestValidate(t *testing.T) {
	endpoint := func(path string, methods ...string) Endpoint {
		return Endpoint{Path: path, Methods: methods, Handler: nothing{}}
	}
	f := func(want string, list ...Protocol) {
		t.Helper()
		got := ""
		if err := Validate(list); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f("", Protocol{Name: "a-1", Endpoints: []Endpoint{endpoint("/a", "GET", "POST"), endpoint("/a/{x}/b/{y}", "POST")}})
	of := func(endpoints ...Endpoint) Protocol { return Protocol{Name: "a", Endpoints: endpoints} }
	f(`protocol "a" has no endpoints`, of())
	f(`protocol "A": the name is not 1 to 32 of a-z 0-9 -`, Protocol{Name: "A", Endpoints: []Endpoint{endpoint("/a", "GET")}})
	f(`protocol "a" is there twice`, of(endpoint("/a", "GET")), of(endpoint("/b", "GET")))
	f(`protocol "a": path "/a" is there twice`, of(endpoint("/a", "GET"), endpoint("/a", "POST")))
	f(`protocol "a": path "/{y}/b" is there twice`, of(endpoint("/{x}/b", "GET"), endpoint("/{y}/b", "GET")))
	claiming := func(name, path string) Protocol {
		e := endpoint(path, "GET")
		e.Claims = func(*Request) bool { return true }
		return Protocol{Name: name, Endpoints: []Endpoint{e}}
	}
	f("", of(endpoint("/a", "GET")), claiming("b", "/a"), claiming("c", "/a"))
	f("", claiming("b", "/a"), of(endpoint("/a", "POST")))
	f(`protocol "b": path "/a" is also protocol "a"'s, and neither claims its requests`,
		of(endpoint("/a", "GET")), Protocol{Name: "b", Endpoints: []Endpoint{endpoint("/a", "POST")}})
	f(`protocol "b": path "/{y}" is spelled "/{x}" by protocol "a"`, of(endpoint("/{x}", "GET")), claiming("b", "/{y}"))
	f("", claiming("b", "/a"), claiming("c", "/a"))
	f(`protocol "a": path "/a": it has no methods`, of(endpoint("/a")))
	f(`protocol "a": path "/a": it has no handler`, of(Endpoint{Path: "/a", Methods: []string{"GET"}}))
	for _, method := range []string{"", "get", "HEAD", "OPTIONS"} {
		f(`protocol "a": path "/a": the method "`+method+`" can't be its own`, of(endpoint("/a", method)))
	}
	f(`protocol "a": path "a": it does not begin with /`, of(endpoint("a", "GET")))
	f(`protocol "a": path "/a?b": it has a query or a fragment`, of(endpoint("/a?b", "GET")))
	f(`protocol "a": path "/{x}/{x}": a name is there twice`, of(endpoint("/{x}/{x}", "GET")))
	for _, path := range []string{"/x{y}", "/{}", "/{x}}", "/{{x}}"} {
		f(`protocol "a": path "`+path+`": braces stand around a whole segment`, of(endpoint(path, "GET")))
	}
}

func TestMatchPath(t *testing.T) {
	f := func(pattern, path string, want bool) {
		t.Helper()
		if got := MatchPath(pattern, path); got != want {
			t.Errorf("%s, %s: %v", pattern, path, got)
		}
	}
	f("/a", "/a", true)
	f("/a", "/b", false)
	f("/a", "/a/", false)
	f("/a/", "/a", false)
	f("/a/{x}", "/a/b", true)
	f("/a/{x}", "/a/", false)
	f("/a/{x}", "/a", false)
	f("/a/{x}", "/a/b/", false)
	f("/a/{x}", "/a/{x}", true)
	f("/{x}/b/{y}/", "/a/b/c/", true)
	f("/{x}/b/{y}/", "/a/c/c/", false)
	f("/{x}", "", false)

	g := func(pattern, path, name, want string) {
		t.Helper()
		if got, _ := walk(pattern, path, name); got != want {
			t.Errorf("%s, %s: %s is %q, want %q", pattern, path, name, got, want)
		}
	}
	g("/a/{x}/b/{y}", "/a/1/b/2", "x", "1")
	g("/a/{x}/b/{y}", "/a/1/b/2", "y", "2")
	g("/a/{x}/b/{y}", "/a/1/b/2", "z", "")
	g("/a/{x}/b/{y}", "/a/1/b/2", "", "")
}

// TestLooseProps: properties are the event's, each key once, and no more than there may be.
func TestLooseProps(t *testing.T) {
	var p Parser
	for _, key := range []string{"b", "a", "b"} {
		p.LooseProp(key, strings.Repeat("x", 3))
	}
	if props := p.SortedProps(); len(props) != 2 || props[0].Key != "a" || p.Adjusted() != FieldProps {
		t.Errorf("%+v, adjusted %q", props, p.Adjusted())
	}
	p.Next() // has properties of its own
	p.LooseProp("c", "1")
	if props := p.SortedProps(); len(props) != 1 || props[0].Key != "c" {
		t.Errorf("of the next event: %+v", props)
	}
	for i := range 2 * MaxProps {
		p.LooseProp(itoa(i), "1")
	}
	if n := len(p.SortedProps()); n != MaxProps {
		t.Errorf("%d properties", n)
	}
}

// TestPageOf: what browsers say of the page that makes a request.
func TestPageOf(t *testing.T) {
	f := func(origin, referer, wantOrigin, wantPage string) {
		t.Helper()
		var h fasthttp.RequestHeader
		h.Set("Origin", origin)
		h.Set("Referer", referer)
		if got, page := PageOrigin(&h), RefererPage(&h); got != wantOrigin || page != wantPage {
			t.Errorf("%q %q: origin %q, page %q, want %q, %q", origin, referer, got, page, wantOrigin, wantPage)
		}
	}
	f("", "", "", "")
	f("null", "", "", "")
	f("https://a.example", "", "https://a.example", "")
	f("http://a.example:8080", "https://b.example/", "http://a.example:8080", "")
	f("null", "https://b.example/", "https://b.example", "")
	f("", "https://b.example/1?q#f", "https://b.example", "https://b.example/1?q#f")
	f("", "https://b.example", "https://b.example", "")
	f("", "https://b.example?q", "https://b.example", "")
	f("", "about:blank", "", "")
}

func TestFirstLanguage(t *testing.T) {
	f := func(header, want string) {
		t.Helper()
		if got := FirstLanguage(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
	f("", "")
	f("*", "")
	f("de-AT,de;q=0.9", "de-AT")
	f(" en ;q=1", "en")
	f(strings.Repeat("x", MaxLanguage+1), "")
}

func TestLooseScreen(t *testing.T) {
	var p Parser
	f := func(w, h, want string, adjusted Fields) {
		t.Helper()
		p.Reset()
		if got := p.LooseScreen(w, h); got != want || p.Adjusted() != adjusted {
			t.Errorf("%q %q: %q, adjusted %q", w, h, got, p.Adjusted())
		}
	}
	f("", "", "", 0)
	f("0", "0", "", 0)
	f("1280", "720", "1280x720", 0)
	f("1280", "", "1280x0", 0)
	f("1280.5", "720", "", FieldScreen)
	f("12345678", "1", "", FieldScreen)
}
