package main

import (
	"io"
	"slices"
	"testing"
)

func TestNarrow(t *testing.T) {
	people := []string{
		begin + "A/5.0 (Linux; Android 4; HTC Butterfly Build/J1) B/1" + end,
		begin + "A/5.0 (Linux; Android 14; X) B/1 Viber/23.9" + end,
		begin + "A/5.0 (Linux; Android 15; X Build/AP3A) B/1" + end,
		begin + "Opera (39008/37.8) WIRED/3" + end,
	}
	f := func(literal string, instances, want []string) {
		t.Helper()
		if got := narrow(literal, instances, people, io.Discard); !slices.Equal(got, want) {
			t.Errorf("%q in %q: got %q, want %q", literal, instances, got, want)
		}
	}
	f("Googlebot", nil, []string{"Googlebot"})
	f("Butterfly", []string{"A/5.0 (compatible; Butterfly/1.0; +http://x)"}, []string{"Butterfly/"})
	f("Viber", []string{"Viber"}, []string{begin + "Viber"})
	f("RED/", []string{"RED/2.0", "x (RED/2.1)"}, []string{begin + "RED/", "(RED/"})
	f("RED/", []string{"RED/2.0", "another pattern's"}, []string{begin + "RED/"})
	// What crawlers have alike with people, and what no crawler is known to have.
	f("AP3A", []string{"A/5.0 (Linux; Android 15; Y Build/AP3A) C/2"}, nil)
	f("008/", nil, nil)
}
