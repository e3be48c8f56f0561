package enrich

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestMatcher holds the automaton against the search it stands for.
func TestMatcher(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(most int) string {
		b := make([]byte, 1+rng.IntN(most))
		for i := range b {
			b[i] = "abc"[rng.IntN(3)]
		}
		return string(b)
	}
	found := 0
	for range 2000 {
		list := make([]crawler, 1+rng.IntN(8))
		literals := make([]string, len(list))
		seen := make(map[string]bool)
		for i := range list {
			l := word(5)
			switch rng.IntN(6) {
			case 0:
				l = string(rune(markBegin)) + l
			case 1:
				l += string(rune(markEnd))
			}
			for seen[l] {
				l = "a" + l
			}
			seen[l] = true
			list[i].literal, literals[i] = l, l
		}
		text := word(12)
		got := newMatcher(literals).find(list, text)
		want := 0
		for _, l := range literals {
			if strings.Contains(string(rune(markBegin))+text+string(rune(markEnd)), l) {
				want = max(want, len(l))
			}
		}
		have := 0
		if got >= 0 {
			found++
			if have = len(literals[got]); !strings.Contains(string(rune(markBegin))+text+string(rune(markEnd)), literals[got]) {
				t.Fatalf("%q is not in %q", literals[got], text)
			}
		}
		if have != want {
			t.Fatalf("longest of %q in %q: got %d bytes, want %d", literals, text, have, want)
		}
	}
	if found < 500 || found > 1990 {
		t.Fatalf("%d of 2000 cases found a literal: the test tests little", found)
	}
}

// TestCrawlersFit: states are 16 bits, and no literal may be found in everything.
func TestCrawlersFit(t *testing.T) {
	m, crawlers := sharedTables().matcher, sharedTables().crawlers
	if len(m.hit) > 1<<16 || m.width > 1<<8 {
		t.Fatalf("%d states, %d classes", len(m.hit), m.width)
	}
	for i, c := range crawlers {
		if got := m.find(crawlers, strings.Trim(c.literal, "\x02\x03")); got < 0 {
			t.Errorf("crawlers[%d] %q does not find itself", i, c.literal)
		}
		if c.reason == "" {
			t.Errorf("crawlers[%d] %q has no reason", i, c.literal)
		}
	}
}
