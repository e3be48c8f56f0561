package enrich

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/site"
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
	if mustGoals(t, `{"a":[],"b":[]}`) != nil {
		t.Error("two sites without a goal are some goals")
	}
}

// A site that has told its currency takes revenue in that alone; the event counts in any case.
// TestGoalSpelling: a goal is reached in any spelling of its page or event, and may be written in any.
func TestGoalSpelling(t *testing.T) {
	goals := mustGoals(t, `{"example.com": [
		{"name": "Menu", "page": "/caf%C3%A9/a%5fb"}, {"name": "Rooms", "page": "/r\u0065\u0301sum\u0065\u0301/**"},
		{"name": "Route", "page": "/#/caf%c3%a9"}, {"name": "Word", "page": "/app#about*"}, {"name": "Path", "page": "/a\\b"}, {"name": "Ev\\ent", "event": "a\\b"}]}`)
	f := func(e event.Event, want ...string) {
		t.Helper()
		e.Site, e.UA, e.Name = "example.com", chrome, cmp.Or(e.Name, event.Pageview)
		var r window.Row
		New(Options{Goals: goals}).Row(&e, &r)
		if !slices.Equal(r.Goals, want) {
			t.Errorf("%q %q reaches %q, want %q", e.Name, e.URL, r.Goals, want)
		}
	}
	f(event.Event{URL: "/café/a_b"}, "Menu")
	f(event.Event{URL: "/cafe%cc%81/a%5Fb"}, "Menu")
	f(event.Event{URL: "/r%C3%A9sum%C3%A9/2"}, "Rooms")
	f(event.Event{URL: `/a\b`}, "Path")
	f(event.Event{URL: "/a/b"}, "Path")
	f(event.Event{URL: "/a%5Cb"})
	f(event.Event{URL: "/#/caf%C3%A9?x", HashRoute: true}, "Route")
	f(event.Event{URL: "https://a.example/app?y=1#about-us?x", HashRoute: true}, "Word")
	f(event.Event{URL: "https://a.example/app#about"})
	f(event.Event{Name: `a\b`}, "Ev/ent")
	f(event.Event{Name: "a/b"}, "Ev/ent")
}

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

func FuzzParseGoals(f *testing.F) {
	f.Add(someGoals, "/blog/2025/x")
	f.Add(`{"a":[{"name":"x","page":"**a*b/**"}]}`, "/a")
	f.Fuzz(func(t *testing.T, text, page string) {
		sites, err := site.ParseGoals(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, site.ErrGoals) {
				t.Errorf("the error is no ErrGoals: %v", err)
			}
			return
		}
		g := NewGoals(sites, site.Site{})
		for _, of := range sites {
			if g == nil {
				break
			}
			r := window.Row{Flags: window.PageviewRow}
			r.Dims[window.Page], r.Dims[window.Name] = page, event.Pageview
			if names := g.of(of.ID).reached(&r); !slices.IsSorted(names) {
				t.Errorf("goals are not sorted: %q", names)
			}
		}
	})
}

// TestSpellingAndBots: which paths are one page, and whether a bot is one, is the site's.
func TestSpellingAndBots(t *testing.T) {
	sites := []site.Site{
		{ID: "one.example", Spelling: site.Spelling{CutSlash: true, Lower: true, IndexPages: []string{"index.html"}}},
		{ID: "bots.example", Bots: site.BotsCounted},
		{ID: "drop.example", Bots: site.BotsDropped},
		{ID: "plain.example"},
	}
	d := New(Options{Goals: NewGoals(sites, site.Site{Spelling: site.Spelling{CutSlash: true}})})
	f := func(site, url, ua, page, reason string) {
		t.Helper()
		var r window.Row
		d.Row(&event.Event{Site: site, Name: event.Pageview, URL: url, UA: ua, HashRoute: strings.Contains(url, "#")}, &r)
		if r.Dims[window.Page] != page || r.Dims[window.EntryPage] != page || r.Dims[window.Reason] != reason || (r.Flags&window.BotRow != 0) != (reason != "") {
			t.Errorf("%s: page %q, reason %q; want %q, %q", url, r.Dims[window.Page], r.Dims[window.Reason], page, reason)
		}
		if got := r.Flags&window.UncountedRow != 0; got != (site == "drop.example" && reason != "") {
			t.Errorf("%s: uncounted is %t", url, got)
		}
	}
	const crawler = "Googlebot/2.1 (+http://www.google.com/bot.html)"
	f("one.example", "https://one.example/Blog/Index.html?x=1", chrome, "/blog", "")
	f("one.example", "https://one.example/%C3%89t%C3%A9/A%2FB/", chrome, "/été/a%2Fb", "")
	f("one.example", "https://one.example/App/#/About/", chrome, "/app#/About/", "")
	f("one.example", "https://one.example/", chrome, "/", "")
	f("one.example", "", chrome, window.None, "")
	f("one.example", "https://one.example/A", crawler, "", reasonSearch)
	f("bots.example", "https://bots.example/A/", crawler, "/A/", "")
	f("drop.example", "https://drop.example/A", crawler, "", reasonSearch)
	f("plain.example", "https://plain.example/A/", chrome, "/A/", "")
	f("other.example", "https://other.example/A/", chrome, "/A", "")
}
