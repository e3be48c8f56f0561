package country

import (
	"strings"
	"testing"
)

// eachCode calls fn with each pair of capital letters.
func eachCode(fn func(code string)) {
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			fn(string([]rune{a, b}))
		}
	}
}

// A name does not depend on the case of letters, and what is no code has none. That all names are those of
// golang.org/x/text is compared in CI (-tags generated).
func TestName(t *testing.T) {
	named := 0
	eachCode(func(code string) {
		want := Name(code)
		if want != "" {
			named++
		}
		for _, text := range []string{strings.ToLower(code), code[:1] + strings.ToLower(code[1:])} {
			if got := Name(text); got != want {
				t.Errorf("%s is %q, and %s %q", text, got, code, want)
			}
		}
	})
	if named < 249 { // the codes of ISO 3166-1
		t.Errorf("only %d codes have a name", named)
	}
	for code, want := range map[string]string{
		"DE": "Germany", "CI": "Côte d’Ivoire", "XK": "Kosovo",
		"": "", "D": "", "DEU": "", "276": "", "D ": "", "ÄÖ": "", "1A": "", "(none)": "",
	} {
		if got := Name(code); got != want {
			t.Errorf("%q is named %q, want %q", code, got, want)
		}
	}
}
