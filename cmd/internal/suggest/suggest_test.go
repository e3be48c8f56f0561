package suggest

import (
	"slices"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"listen", "log-level", "lateness", "linger", "sites", "site-rate", "kafka", "data"}
	f := func(word string, want ...string) {
		t.Helper()
		if got := Nearest(word, names); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	f("lisetn", "listen")
	f("listn", "listen")
	f("kafak", "kafka")
	f("site", "sites")
	f("loglevel", "log-level")
	f("rate", "site-rate") // its end
	f("xyzzy")
	f("q")
	f("")
}

func TestDidYouMean(t *testing.T) {
	dashed := func(name string) string { return "--" + name }
	if got := DidYouMean([]string{"a", "b"}, dashed); got != ", did you mean --a or --b?" {
		t.Error(got)
	}
	if got := DidYouMean(nil, dashed); got != "" {
		t.Error(got)
	}
}
