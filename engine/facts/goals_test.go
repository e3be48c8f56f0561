package facts

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"millrace/engine/event"
	"millrace/engine/window"
)

func TestGoals(t *testing.T) {
	d := New(Options{Goals: mustGoals(t, `{
		"a.example": [
			{"name": "Signup", "event": "signup"},
			{"name": "Blog", "page": "/blog/**"},
			{"name": "Article", "page": "/blog/*"},
			{"name": "Contact", "page": "/contact"},
			{"name": "Contact", "event": "call"},
			{"name": "Any view", "event": "pageview"},
			{"name": "All in one", "event": "call"}
		],
		"b.example": []
	}`)})
	f := func(site, name, url string, want ...string) {
		t.Helper()
		var r window.Row
		d.Row(&event.Event{Site: site, Name: name, URL: url, UA: chrome}, &r)
		if !slices.Equal(r.Goals, want) {
			t.Errorf("%s %s %s: got %q, want %q", site, name, url, r.Goals, want)
		}
	}
	f("a.example", "signup", "https://a.example/", "Signup")
	f("a.example", "signup", "https://a.example/blog/1", "Signup") // no view of the page
	f("a.example", "call", "", "All in one", "Contact")
	f("a.example", "pageview", "https://a.example/contact?x", "Any view", "Contact")
	f("a.example", "pageview", "https://a.example/blog/1/2", "Any view", "Blog")
	f("a.example", "pageview", "https://a.example/blog/1", "Any view", "Article", "Blog")
	f("a.example", "pageview", "https://a.example/blog", "Any view")
	f("a.example", "scroll", "https://a.example/contact")
	f("b.example", "signup", "")
	f("c.example", "signup", "")

	var r window.Row
	d.Row(&event.Event{Site: "a.example", Name: "signup", UA: "curl/8.5.0"}, &r)
	if len(r.Goals) != 0 {
		t.Errorf("a bot reaches %q", r.Goals)
	}
	if n := mustGoals(t, `{"a":[],"b":[]}`).Len(); n != 2 {
		t.Errorf("%d sites, want 2", n)
	}
	if n := (*Goals)(nil).Len(); n != 0 {
		t.Errorf("nil has %d sites", n)
	}
}

// A site that has told its currency takes revenue in that alone; the event counts in any case.
func TestCurrency(t *testing.T) {
	with := mustGoals(t, `{
		"eur.example": {"currency": "EUR", "goals": [{"name": "Order", "event": "order"}]},
		"yen.example": {"currency": "JPY"},
		"any.example": [{"name": "Order", "event": "order"}]
	}`)
	f := func(goals *Goals, site, currency string, want event.Money, goal ...string) {
		t.Helper()
		var r window.Row
		New(Options{Goals: goals}).Row(&event.Event{Site: site, Name: "order", UA: chrome, Amount: 125_000, Currency: currency}, &r)
		if r.Revenue != want || !slices.Equal(r.Goals, goal) {
			t.Errorf("%s %s: revenue %d, goals %q; want %d, %q", site, currency, r.Revenue, r.Goals, want, goal)
		}
	}
	f(with, "eur.example", "EUR", 125_000, "Order")
	f(with, "eur.example", "USD", 0, "Order")
	f(with, "yen.example", "JPY", 125_000)
	f(with, "yen.example", "EUR", 0)
	f(with, "any.example", "USD", 125_000, "Order")
	f(with, "none.example", "USD", 125_000)
	f(with, "none.example", "", 0)
	f(nil, "eur.example", "USD", 125_000)
}

func TestParseGoalsRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := ParseGoals(strings.NewReader(text))
		if !errors.Is(err, ErrGoals) || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
	f("", "goals: line 1: the file ends too early")
	f("[]", "goals: line 1: want an object of goals by site, this is a list")
	f("{", "goals: line 1: the file ends too early")
	f("{\n\"a\": [}", "goals: line 2: a: not JSON: invalid character '}' looking for beginning of value")
	f("{} {}", "goals: line 1: something follows the object of sites")
	f("{\"A b\": []}", "goals: line 1: A b: no site id: 1 to 253 of a-z 0-9 . -")
	f("{\"a\": [],\n \"a\": []}", "goals: line 2: a: is there twice")
	f(`{"a": null}`, "goals: line 1: a: want a list of goals, or an object with currency and goals, this is null")
	f(`{"a": {"goals": {}}}`, "goals: line 1: a.goals: want a list of goals, this is an object")
	f(`{"a": {"goals": [{}]}}`, "goals: line 1: a.goals[0]: has no name")
	f(`{"a": {"currency": "EUR", "currency": "EUR"}}`, "goals: line 1: a.currency: is there twice")
	f("{\"a\": {\n\"currency\": \"euro\"}}", `goals: line 2: a.currency: want an ISO 4217 code of three capitals, this is the string "euro"`)
	f(`{"a": {"currency": 978}}`, "goals: line 1: a.currency: want an ISO 4217 code of three capitals, this is 978")
	f(`{"a": {"money": "EUR"}}`, "goals: line 1: a.money: unknown field; a site has currency and goals")
	f(`{"a": {"currency": "EUR"`, "goals: line 1: a: the file ends too early")
	f("{\"a\": [\n\n{\"name\": \"x\", \"event\": \"e\"},\n \"y\"]}", `goals: line 4: a[1]: want a goal such as {"name":"Order","event":"purchase"}, this is the string "y"`)
	f(`{"a": [{"name": 1}]}`, "goals: line 1: a[0].name: want a string, this is 1")
	f(`{"a": [{"name": ""}]}`, "goals: line 1: a[0].name: is empty")
	f(`{"a": [{"name": " x"}]}`, `goals: line 1: a[0].name: " x" has control characters, backslashes or spaces at its ends, or more than 512 bytes`)
	f(`{"a": [{"name": "(other)"}]}`, "goals: line 1: a[0].name: (other) means something else in reports")
	f(`{"a": [{"name": "x", "name": "x"}]}`, "goals: line 1: a[0].name: is there twice")
	f(`{"a": [{"event": "x"}]}`, "goals: line 1: a[0]: has no name")
	f(`{"a": [{"name": "x"}]}`, "goals: line 1: a[0]: has neither event nor page")
	f(`{"a": [{"name": "x", "event": "y", "page": "/"}]}`, "goals: line 1: a[0]: has event and page; make it two goals of the same name if both reach it")
	f(`{"a": [{"name": "x", "path": "/"}]}`, "goals: line 1: a[0].path: unknown field; a goal has name, and event or page")
	f(`{"a": [{"name": "x", "page": "https://a/"}]}`, `goals: line 1: a[0].page: "https://a/" does not begin with "/" or "*": it is matched with the path alone, without scheme, host and query`)
	f(`{"a": [{"name": "x", "page": "/a?b"}]}`, `goals: line 1: a[0].page: "/a?b" has a "?" or "#", which no page has: it is matched with the path, without query and fragment`)
	f(`{"a": [{"name": "x", "page": "/a\\b"}]}`, `goals: line 1: a[0].page: "/a\\b" has control characters, backslashes or spaces at its ends, or more than 512 bytes`)
	f(`{"a": [{"name": "x", "page": "/***"}]}`, `goals: line 1: a[0].page: "/***" has three stars in a row: * stands for a part of a segment, ** for anything`)
	f(`{"a": [{"name": "x", "page": "/*`+strings.Repeat("a", 63)+`*"}]}`, `goals: line 1: a[0].page: "/*`+strings.Repeat("a", 58)+`" has more than 63 characters between its first and its last wildcard`)
	f(`{"a": [`+strings.Repeat(`{"name":"x","event":"y"},`, 101)+`{}]}`, "goals: line 1: a[100]: a site has at most 100 goals")
	f("\xff", "goals: not valid UTF-8")

	broken := errors.New("broken")
	if _, err := ParseGoals(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

func TestPattern(t *testing.T) {
	f := func(pat, page string, want bool) {
		t.Helper()
		p, err := newPattern(pat)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.matches(page); got != want {
			t.Errorf("%q matches %q: %v, want %v", pat, page, got, want)
		}
	}
	f("/*", "/", true)
	f("/*", "/a", true)
	f("/*", "/a/", false)
	f("/**", "/a/b/", true)
	f("/blog/**", "/blog", false)
	f("/blog**", "/blog", true)
	f("*/x", "/x", true)
	f("*/x", "/a/x", false)
	f("**/x", "/a/x", true)
	f("/a*a", "/a", false) // the same byte can't be before and behind
	f("/a*a", "/aa", true)
	f("/*/thanks", "/de/thanks", true)
	f("/*/thanks", "/a/b/thanks", false)
	f("/**/b/*/c", "/a/b/b/x/c", true)
	f("/**/b/*/c", "/a/b/b/x/y/c", false)
	f("/*-*.html", "/a-b-c.html", true)
	f("/*-*.html", "/a-b/c.html", false)
	f("/**a**", "/bbb/a", true)
	f("/ä*", "/äöü", true)
	f("/*"+strings.Repeat("a", 61)+"*", "/"+strings.Repeat("a", 61), true)
}

// TestPatternAgainstRegexp holds patterns against regular expressions that say the same.
func TestPatternAgainstRegexp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"*", "**", "a", "b", "/", "ab"}
	draw := func(n int, from []string) string {
		var b strings.Builder
		for range n {
			b.WriteString(from[r.IntN(len(from))])
		}
		return b.String()
	}
	matched := 0
	for range 20_000 {
		pat := "/" + draw(r.IntN(9), pieces)
		if !strings.Contains(pat, "*") || strings.Contains(pat, "***") {
			continue
		}
		p, err := newPattern(pat)
		if err != nil {
			t.Fatal(err)
		}
		expr := strings.NewReplacer("**", "(?s:.*)", "*", "[^/]*").Replace(pat)
		re := regexp.MustCompile("^" + expr + "$")
		for range 10 {
			page := "/" + draw(r.IntN(12), pieces[2:])
			want := re.MatchString(page)
			if got := p.matches(page); got != want {
				t.Fatalf("%q matches %q: %v, want %v", pat, page, got, want)
			}
			if want {
				matched++
			}
		}
	}
	if matched < 10_000 {
		t.Errorf("only %d pages matched: the test tests little", matched)
	}
}

func FuzzParseGoals(f *testing.F) {
	f.Add(someGoals, "/blog/2025/x")
	f.Add(`{"a":[{"name":"x","page":"**a*b/**"}]}`, "/a")
	f.Fuzz(func(t *testing.T, text, page string) {
		g, err := ParseGoals(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrGoals) {
				t.Errorf("the error is no ErrGoals: %v", err)
			}
			return
		}
		for site := range g.sites {
			r := window.Row{Flags: window.PageviewRow}
			r.Dims[window.Page], r.Dims[window.Name] = page, event.Pageview
			if names := g.reached(site, &r); !slices.IsSorted(names) {
				t.Errorf("goals are not sorted: %q", names)
			}
		}
	})
}
