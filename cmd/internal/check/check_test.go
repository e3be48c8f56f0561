package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	tried := ""
	probe := func(name, needs, found string, err error) Probe {
		return Probe{name, needs, func(context.Context) (string, error) { tried += name; return found, err }}
	}
	var out strings.Builder
	failed, untried := Run(t.Context(), &out, []Probe{
		probe("a", "", "3 of it", nil),
		probe("long", "a", "", errors.New("wrong; type\n  this\n")),
		probe("c", "long", "", nil),
		probe("d", "c", "", nil), // what it needs was not tried
		probe("e", "a", "", nil),
		probe("f", "", "", fmt.Errorf("of f: %w", Warning("look here"))),
		probe("g", "f", "", nil),
	})
	const want = `ok    a     3 of it
FAIL  long  wrong; type
        this
-     c     not tried, it needs long
-     d     not tried, it needs c
ok    e
warn  f     look here
ok    g
`
	if out.String() != want || failed != 1 || untried != 2 || tried != "alongefg" {
		t.Errorf("%d failed, %d untried, tried %q:\n%s", failed, untried, tried, out.String())
	}
}
