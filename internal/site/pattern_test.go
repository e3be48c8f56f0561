package site

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	f := func(pat, page string, want bool) {
		t.Helper()
		p, err := newPattern(pat)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Matches(page); got != want {
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
			if got := p.Matches(page); got != want {
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
