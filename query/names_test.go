package query

import (
	"strings"
	"testing"
)

// Each other name finds what it stands for, in any case of letters, and what it stands for is a name here, which is no other
// name of something else.
func TestOtherNames(t *testing.T) {
	for name, list := range otherNames {
		d, err := ParseDimension(name)
		if err != nil {
			t.Fatal(err)
		}
		for other, here := range list {
			if other != strings.ToLower(other) {
				t.Errorf("%s: %q is not in lower case", name, other)
			}
			if hint := impossible(d, here, false); hint != "" {
				t.Errorf("%s: %q stands for %q, which there is not: %s", name, other, here, hint)
			}
			if again, ok := list[strings.ToLower(here)]; ok && again != here {
				t.Errorf("%s: %q stands for %q, and that for %q", name, other, here, again)
			}
			if hint := impossible(d, other, true); hint == "" {
				t.Errorf("%s: %q is a name here too", name, other)
			}
			for _, v := range []string{other, strings.ToUpper(other)} {
				f, err := NewCondition(Is, d, []string{v}, false)
				if err != nil {
					t.Error(err)
				} else if len(f.clauses) != 1 || f.clauses[0] != here {
					t.Errorf("%s is %q finds %q, want %q", name, v, f.clauses, here)
				}
			}
		}
	}
}
