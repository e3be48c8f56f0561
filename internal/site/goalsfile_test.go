package site

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParseGoals(t *testing.T) {
	sites, err := ParseGoals(strings.NewReader(`{"a":[],"b":{"currency":"EUR","goals":[{"name":"Blog","page":"/blog/**"}]}}`))
	if err != nil || len(sites) != 2 || sites[0].ID != "a" || sites[1].Currency != "EUR" || len(sites[1].Goals) != 1 {
		t.Fatalf("%+v, %v", sites, err)
	}
	if g := sites[1].Goals[0]; g.Name != "Blog" || g.Page != "/blog/**" || !g.Pattern.Matches("/blog/1") {
		t.Errorf("%+v", g)
	}
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
	f("{\"a\": [],\n \"b\": [{\"name\": \"\\ud800\", \"event\": \"x\"}]}", "goals: line 2: not JSON: an escape that is none, or half of a surrogate pair,")
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
	f(`{"a": [{"name": " x"}]}`, `goals: line 1: a[0].name: " x" has control characters or spaces at its ends, or more than 512 bytes`)
	f(`{"a": [{"name": "(other)"}]}`, "goals: line 1: a[0].name: (other) means something else in reports")
	f(`{"a": [{"name": "x", "name": "x"}]}`, "goals: line 1: a[0].name: is there twice")
	f(`{"a": [{"event": "x"}]}`, "goals: line 1: a[0]: has no name")
	f(`{"a": [{"name": "x"}]}`, "goals: line 1: a[0]: has neither event nor page")
	f(`{"a": [{"name": "x", "event": "y", "page": "/"}]}`, "goals: line 1: a[0]: has event and page; make it two goals of the same name if both reach it")
	f(`{"a": [{"name": "x", "event": "y", "revenue": true}]}`,
		`goals: line 1: a[0].revenue: unknown field; revenue comes with the event, {"amount":12.5,"currency":"EUR"}, and a site's currency is beside its goals: {"currency":"EUR","goals":[…]}`)
	f(`{"a": {"revenue": true, "goals": []}}`,
		`goals: line 1: a.revenue: unknown field; a site that takes revenue in one currency names that: "currency":"EUR"`)
	f(`{"a": [{"name": "x", "path": "/"}]}`, "goals: line 1: a[0].path: unknown field; a goal has name, and event or page")
	f(`{"a": [{"name": "x", "page": "https://a/"}]}`, `goals: line 1: a[0].page: "https://a/" does not begin with "/" or "*": it is matched with the path alone, without scheme, host and query`)
	f(`{"a": [{"name": "x", "page": "/a?b"}]}`, `goals: line 1: a[0].page: "/a?b" has a "?", or ends in "#", which no page does: it is matched with the path, without the query`)
	f(`{"a": [{"name": "x", "page": "/a#"}]}`, `goals: line 1: a[0].page: "/a#" has a "?", or ends in "#", which no page does: it is matched with the path, without the query`)
	f(`{"a": [{"name": "x", "page": "/a#b?c"}]}`, `goals: line 1: a[0].page: "/a#b?c" has a "?", or ends in "#", which no page does: it is matched with the path, without the query`)
	f(`{"a": [{"name": "x", "page": "/***"}]}`, `goals: line 1: a[0].page: "/***" has three stars in a row: * stands for a part of a segment, ** for anything`)
	f(`{"a": [{"name": "x", "page": "/*`+strings.Repeat("a", 63)+`*"}]}`, `goals: line 1: a[0].page: "/*`+strings.Repeat("a", 58)+`" has more than 63 characters between its first and its last wildcard`)
	f(`{"a": [`+strings.Repeat(`{"name":"x","event":"y"},`, 101)+`{}]}`, "goals: line 1: a[100]: a site has at most 100 goals")
	f("\xff", "goals: not valid UTF-8")

	broken := errors.New("broken")
	if _, err := ParseGoals(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}
