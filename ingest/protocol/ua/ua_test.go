package ua

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestJoin: a path goes before that of the location, whose query it takes.
func TestJoin(t *testing.T) {
	f := func(origin, path, location, want string) {
		t.Helper()
		if got := join(origin, path, location); got != want {
			t.Errorf("%s %s %s: %s, want %s", origin, path, location, got, want)
		}
	}
	f("https://a.example", "/b", "", "https://a.example/b")
	f("https://a.example", "b", "https://a.example/a?x=1#y", "https://a.example/b?x=1")
	f("https://a.example", "/b?y=1", "https://a.example/a?x=1", "https://a.example/b?y=1")
	f("https://a.example", "/b#c", "https://a.example/a?x=1", "https://a.example/b#c")
	f("https://b.example", "", "https://a.example/a?x=1", "https://b.example/a?x=1")
	f("https://b.example", "", "https://a.example", "https://b.example")
	f("https://b.example", "/c", "https://a.example?x=1", "https://b.example/c?x=1")
}

// anySite is an installation that takes any site and has one token.
type anySite struct{}

func (anySite) Configured(string) bool              { return false }
func (anySite) ConfiguredWWW(string) (string, bool) { return "", false }
func (anySite) Any() bool                           { return true }
func (anySite) Token(token string) (string, bool) {
	return "a.example", token == "UA-1-1"
}
func (anySite) Currency(string) string { return "" }

// TestCurrency: a purchase that names no currency, as those of universal-analytics, has the site's.
func TestCurrency(t *testing.T) {
	f := func(sites protocol.Sites, query, amount string) {
		t.Helper()
		var args fasthttp.Args
		args.Parse("tid=UA-1-1&" + query)
		var p protocol.Parser
		r := reader{Parser: &p, sites: sites}
		if err := r.hit(&args, nil); err != nil {
			t.Fatal(err)
		}
		in := &p.Inputs()[0]
		if got := in.Amount.String() + " " + in.Currency; got != amount {
			t.Errorf("%s: %s, want %s", query, got, amount)
		}
	}
	f(euroSite{}, "t=transaction&tr=10.5", "10.5 EUR")
	f(euroSite{}, "t=transaction&tr=10.5&cu=usd", "10.5 USD")
	f(euroSite{}, "t=pageview&pa=refund&tr=10.5", "-10.5 EUR")
	f(euroSite{}, "t=pageview&pa=add&tr=10.5", "0 ")
	f(anySite{}, "t=transaction&tr=10.5", "0 ")
}

// euroSite is anySite with a currency.
type euroSite struct{ anySite }

func (euroSite) Currency(string) string { return "EUR" }

// FuzzRead: any query and body give an error that names something, or events that survive the way
// through the topic.
func FuzzRead(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""},
		{"v=1&tid=UA-1-1&t=pageview&dl=https://a.example/?utm_source=x%23y&dp=/b&dr=%ff&ul=de&sr=1x1&dt=T", ""},
		{"tid=UA-1-1", "t=event&ea=a%00b&ec=c&ev=1&ni=1&cd1=x&cm200=y&cg=z&p=q\r\n\nt=timing&utv=x\nt=dc"},
		{"t=transaction&tr=1e9&cu=eur&dh=http://a.example/", "t=event&ea=x&pa=refund&tr=3&cu=EUR&pr1id=a&pr1qt=3&pr200nm=b&pr201id=c&qt=5&uip=::1&ua=x&amp;tid=UA-1-1"},
	} {
		f.Add(seed[0], []byte(seed[1]), false)
		f.Add(seed[0], []byte(seed[1]), true)
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	f.Fuzz(func(t *testing.T, text string, body []byte, trusted bool) {
		var query fasthttp.Args
		query.Parse(text)
		var p protocol.Parser
		check := func(read func(*reader) *protocol.FieldError) {
			p.Reset()
			r := reader{Parser: &p, sites: anySite{}, trusted: trusted, now: now}
			err := read(&r)
			protocoltest.Reading{Body: body, Inputs: p.Inputs(), Err: err, Trusted: trusted, Now: now, Empty: true, Form: true}.Check(t)
		}
		check(func(r *reader) *protocol.FieldError { return r.form(body, &query) })
		check(func(r *reader) *protocol.FieldError { return r.hit(&query, nil) })
		check(func(r *reader) *protocol.FieldError { return r.hits(body) })
	})
}
