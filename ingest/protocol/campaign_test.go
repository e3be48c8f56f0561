package protocol

import (
	"strings"
	"testing"
)

func TestWithCampaign(t *testing.T) {
	var p Parser
	f := func(url string, c Campaign, want string) {
		t.Helper()
		p.Reset()
		if got := p.WithCampaign(url, c); got != want || p.Adjusted() != 0 {
			t.Errorf("%q, adjusted %q, want %q", got, p.Adjusted(), want)
		}
	}
	all := Campaign{"a b", "c&d", "é", "t", "u"}
	const params = "utm_source=a+b&utm_medium=c%26d&utm_campaign=%C3%A9&utm_term=t&utm_content=u"
	f("", all, "")
	f("https://a.example/", Campaign{}, "https://a.example/")
	f("https://a.example/", all, "https://a.example/?"+params)
	f("https://a.example/?x=1#utm", all, "https://a.example/?x=1&"+params+"#utm")
	f("https://a.example/?utm_medium=x", all, "https://a.example/?utm_medium=x")
	f("https://a.example/", Campaign{Medium: "m"}, "https://a.example/?utm_medium=m")

	p.Reset()
	long := "https://a.example/" + strings.Repeat("x", MaxURL-20)
	if got := p.WithCampaign(long, all); got != long || p.Adjusted() != FieldURL {
		t.Errorf("%d bytes, adjusted %q", len(got), p.Adjusted())
	}
}
