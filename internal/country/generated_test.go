//go:build generated

package country

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// After an update of golang.org/x/text: go test -tags generated ./internal/country -write.
var write = flag.Bool("write", false, "write names.txt from golang.org/x/text")

// ofText is the name that golang.org/x/text has: the source of names.txt.
func ofText(code string) string {
	if r, err := language.ParseRegion(code); err == nil {
		return display.English.Regions().Name(r)
	}
	return ""
}

// Every code has the name that golang.org/x/text gives it, in any case of letters. The tables of that package take as
// long to compile as many of ours, so that only CI does.
func TestNamesOfText(t *testing.T) {
	if *write {
		var b strings.Builder
		eachCode(func(code string) {
			if name := ofText(code); name != "" {
				fmt.Fprintf(&b, "%s %s\n", code, name)
			}
		})
		if err := os.WriteFile("names.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Skip("names.txt is written; run the test again without -write")
	}
	eachCode(func(code string) {
		want := ofText(code)
		for _, text := range []string{code, strings.ToLower(code), code[:1] + strings.ToLower(code[1:])} {
			if got := Name(text); got != want {
				t.Errorf("%s is %q, golang.org/x/text has %q", text, got, want)
			}
		}
	})
}
