package query

import (
	"slices"
	"testing"
)

func condition(op, dim, clause string) (*Filter, error) {
	d, err := ParseDimension(dim)
	if err != nil {
		return nil, err
	}
	return NewCondition(map[string]Op{"is": Is, "contains": Contains, "matches": Matches}[op], d, []string{clause}, false)
}

// TestSpelling: a filter found a value only in the spelling that is stored.
func TestSpelling(t *testing.T) {
	f := func(op, dim, clause, stored string, want bool) {
		t.Helper()
		leaf, err := condition(op, dim, clause)
		if err != nil {
			t.Fatal(err)
		}
		if got := leaf.matchValue(stored); got != want {
			t.Errorf("%s %s %q of %q: got %v, want %v", dim, op, clause, stored, got, want)
		}
	}
	for _, page := range []string{"/café/a_b", "/caf%C3%A9/a%5fb", "/cafe\u0301/a%5Fb", "/x/../caf%c3%a9/a_b"} {
		for _, dim := range []string{"event:page", "visit:entry_page", "visit:exit_page"} {
			f("is", dim, page, "/café/a_b", true)
		}
		f("is", "event:page", page, "/cafe/a_b", false)
	}
	f("is", "event:page", "/a%2fb", "/a%2Fb", true)
	f("is", "event:page", "/a%2fb", "/a/b", false)
	f("is", "event:page", "/caf%C3%A9", "/caf%C3%A9", true) // as an older build has stored it
	f("is", "event:page", `/a\b`, "/a/b", true)
	f("is", "event:page", "(none)", "(none)", true)
	f("contains", "event:page", "caf%c3%a9", "/café/a_b", true)
	f("contains", "event:page", "cafe\u0301", "/café/a_b", true)
	f("contains", "event:page", "a%5fb", "/café/a_b", true)
	f("contains", "event:page", "", "/café/a_b", true)
	f("matches", "event:page", `^/caf\w+`, "/cafx", true)
	for _, host := range []string{"café.example", "xn--caf-dma.example", "WWW.CAF%C3%89.example.:443"} {
		f("is", "event:hostname", host, "café.example", true)
	}
	f("contains", "event:hostname", "CAFÉ.", "café.example", true)
	f("contains", "event:hostname", "xn--caf-dma.ex", "café.example", true)
	f("contains", "event:hostname", "shop.", "workshop", false)
	f("is", "visit:referrer", "https://www.Example.com/a%5fb/", "example.com/a_b", true)
	f("contains", "visit:referrer", "a%5Fb", "example.com/a_b", true)
	f("contains", "visit:referrer", "example.com/", "example.com.evil", false)
	f("is", "visit:source", "News.Example", "news.example", true)
	f("is", "visit:source", "spring%20news", "spring news", false) // a tag may be stored so
	f("is", "visit:source", "Google", "Google", true)
	f("is", "visit:source", "google", "Google", true) // as a tag has it
	f("is", "visit:source", "www.google.de", "Google", true)
	f("is", "visit:source", "fb", "Facebook", true)
	f("is", "visit:source", "Bücher.example", "bücher.example", true)
	f("is", "visit:utm_campaign", "spring%5fsale", "spring_sale", false)
	f("is", "visit:utm_campaign", "spring+sale", "spring sale", false)
	f("is", "visit:utm_campaign", `spring\sale`, "spring/sale", true)
	f("contains", "visit:utm_campaign", "g+s", "spring sale", false)
	f("is", "visit:utm_campaign", "c++", "c++", true)
	f("contains", "visit:utm_campaign", "Spring", "spring", false)
	for _, dim := range []string{"event:name", "event:goal", "event:props:x"} {
		f("is", dim, `a\b`, "a/b", true)
		f("is", dim, "a/b", "a/b", true)
		f("is", dim, "cafe\u0301", "café", true)
		f("is", dim, "a%5fb", "a_b", false) // no address
		f("contains", dim, `\b`, "a/b", true)
	}
	f("is", "visit:city", `a\b`, "a/b", false) // never sent in that way
}

// TestSpellingKeepsOne: a goal in another spelling is still one goal, of which there is a rate, and
// a property one property.
func TestSpellingKeepsOne(t *testing.T) {
	leaf, err := condition("is", "event:goal", `a\b`)
	if err != nil || !slices.Equal(leaf.clauses, []string{"a/b"}) {
		t.Errorf("got %q, %v, want one clause", leaf.clauses, err)
	}
	d, err := ParseDimension(`event:props:a\b`)
	if err != nil || d.prop != "a/b" {
		t.Errorf("got %+v, %v, want the property a/b", d, err)
	}
}
