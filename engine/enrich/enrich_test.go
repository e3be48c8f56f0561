package enrich

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/site"
	"millrace/internal/spelling"
)

const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36"

func rowOf(e event.Event) window.Row {
	var r window.Row
	whole(New(Options{}), &e, &r)
	return r
}

// whole fills r with all that there is to know.
func whole(d *Deriver, e *event.Event, r *window.Row) {
	if d.Row(e, r); r.Flags&window.BotRow == 0 {
		d.Origin(e, r)
	}
}

func TestRow(t *testing.T) {
	got := rowOf(event.Event{
		Site: "example.com", Name: event.Pageview, Visitor: 7, URL: "https://example.com/pricing?x=1#top",
		Referrer: "https://www.google.co.uk/", UA: chrome, Language: "en-gb,en;q=0.9", Country: "GB", Region: "GB-LND", City: "2643743", Screen: "1920x1080", Client: "v1",
	})
	want := window.Row{Flags: window.PageviewRow, Visitor: 7, Dims: [window.NumDims]string{
		window.Page: "/pricing", window.EntryPage: "/pricing", window.Hostname: "example.com", window.Name: "pageview",
		window.Source: "Google", window.Referrer: "google.co.uk", window.Channel: "Organic Search",
		window.Country: "GB", window.Region: "GB-LND", window.City: "2643743", window.Language: "en-GB",
		window.Browser: "Chrome", window.BrowserVersion: "149", window.OS: "Windows", window.OSVersion: "10",
		window.Device: "Desktop", window.Screen: "Desktop",
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got = rowOf(event.Event{Site: "example.com", Name: "signup", UA: chrome, Amount: 5, Currency: "EUR", Props: []event.Prop{{Key: "plan", Value: "pro"}}})
	want = window.Row{Revenue: 5, Paid: true, Props: []event.Prop{{Key: "plan", Value: "pro"}}, Dims: [window.NumDims]string{
		window.Page: "(none)", window.Hostname: "(none)", window.Name: "signup",
		window.Source: "(none)", window.Referrer: "(none)", window.Channel: "Direct",
		window.Country: "(none)", window.Language: "(none)",
		window.Browser: "Chrome", window.BrowserVersion: "149", window.OS: "Windows", window.OSVersion: "10",
		window.Device: "Desktop", window.Screen: "(none)",
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got = rowOf(event.Event{Name: "x", UA: chrome, Amount: 5}); got.Revenue != 0 {
		t.Errorf("an amount without a currency counts %d", got.Revenue)
	}
}

func TestRowOfBot(t *testing.T) {
	f := func(e event.Event, reason string) {
		t.Helper()
		e.Name, e.Visitor, e.URL = event.Pageview, 9, "https://example.com/"
		want := window.Row{Flags: window.PageviewRow | window.BotRow, Visitor: 9}
		want.Dims[window.Reason] = reason
		if got := rowOf(e); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	f(event.Event{Client: "v1"}, reasonEmpty)
	f(event.Event{Client: "v1", UA: "curl/8.5.0"}, reasonLibrary)
	f(event.Event{Client: "v1", UA: chrome, Bot: "data centre\n"}, "data centre")
	f(event.Event{Client: "v1.server", UA: "curl/8.5.0", Bot: "rate"}, "rate")

	// A server's own user agent says nothing about the visitor it speaks for.
	for _, ua := range []string{"", "curl/8.5.0", "Mozilla/5.0 Umami/v20"} {
		r := rowOf(event.Event{Client: "v1.server", UA: ua, Name: "signup"})
		if r.Flags != 0 || r.Dims[window.Browser] != window.None || r.Dims[window.Name] != "signup" {
			t.Errorf("server with user agent %q: %+v", ua, r)
		}
	}
}

// Where pages are told apart by the fragment, it is part of the page, and only there.
func TestHashRoute(t *testing.T) {
	f := func(url, page string) {
		t.Helper()
		r := rowOf(event.Event{Name: event.Pageview, URL: url, UA: chrome, HashRoute: true})
		if r.Dims[window.Page] != page || r.Dims[window.EntryPage] != page || r.Dims[window.Hostname] != "example.com" {
			t.Errorf("%q: page %q, entry page %q, host %q; want %q", url, r.Dims[window.Page], r.Dims[window.EntryPage], r.Dims[window.Hostname], page)
		}
		path, _, _ := strings.Cut(page, "#")
		if r := rowOf(event.Event{Name: event.Pageview, URL: url, UA: chrome}); r.Dims[window.Page] != path {
			t.Errorf("%q without: page %q, want %q", url, r.Dims[window.Page], path)
		}
	}
	f("https://example.com/#/about", "/#/about")
	f("https://example.com#/about", "/#/about")
	f("https://example.com/app?x=1#/about", "/app#/about")
	f("https://example.com/app#!/a/b?tab=2", "/app#!/a/b")
	f("https://example.com/app#", "/app")
	f("https://example.com/app#?tab=2", "/app")
	f("https://example.com/app", "/app")
	f("https://example.com/#"+strings.Repeat("x", 3000), "/#"+strings.Repeat("x", window.MaxValueLen-2))
}

func TestPage(t *testing.T) {
	f := func(url, host, page string) {
		t.Helper()
		h, p, _ := spelling.SplitURL(url)
		if p = spelling.Value(spelling.Path(p)); h != host || p != page {
			t.Errorf("%q: host %q page %q, want %q %q", url, h, p, host, page)
		}
	}
	f("", "", "(none)")
	f("https://example.com", "example.com", "/")
	f("https://example.com/", "example.com", "/")
	f("https://Example.COM:8443/a/b/?q=1#f", "example.com", "/a/b/")
	f("https://example.com?q=/x", "example.com", "/")
	f("https://example.com#/route/7", "example.com", "/")
	f("https://user:pw@example.com/a", "example.com", "/a")
	f("https://[2001:db8::1]:8080/a", "[2001:db8::1]", "/a")
	f("https://example.com./a", "example.com", "/a")
	f("//example.com/a", "example.com", "/a")
	f("example.com/a?b", "example.com", "/a")
	f("example.com", "example.com", "/")
	f("localhost:3000/a", "localhost", "/a")
	f("/a/b?x", "", "/a/b")
	f("?x=1", "", "/")
	f("pricing/eu", "", "/pricing/eu")
	f("about:blank", "", "(none)")
	f("mailto:a@example.com", "", "(none)")
	f("https://example.com/caf%C3%A9", "example.com", "/café")
	f("https://example.com/a\\b\x00c", "example.com", "/a/b%00c")
	f("https://example.com/\xff", "example.com", "/%FF")
	f("file:///C:/x.html", "", "/C:/x.html")
	f("http://example.com//double", "example.com", "//double")
	f("/redirect?to=https://other.example/x", "", "/redirect")
	f("/redirect/https://other.example/x", "", "/redirect/https://other.example/x")
}

func TestArrival(t *testing.T) {
	f := func(url, ref, source, referrer string) {
		t.Helper()
		r := rowOf(event.Event{Site: "example.com", Name: event.Pageview, UA: chrome, URL: url, Referrer: ref})
		if s, p := r.Dims[window.Source], r.Dims[window.Referrer]; s != source || p != referrer {
			t.Errorf("url %q referrer %q:\n got %q %q\nwant %q %q", url, ref, s, p, source, referrer)
		}
	}
	const page = "https://example.com/"
	f(page, "", "(none)", "(none)")
	f(page, "-", "(none)", "(none)")
	f(page, "about:blank", "(none)", "(none)")
	f(page, "file:///home/me/x.html", "(none)", "(none)")
	f(page, "javascript://example.org/%0a", "(none)", "(none)")
	f(page, "http://bad host/", "(none)", "(none)")

	// Names.
	f(page, "https://www.google.com/", "Google", "google.com")
	f(page, "http://www.google.ro/url?sa=t&rct=j", "Google", "google.ro/url")
	f(page, "https://news.google.com/", "Google News", "news.google.com")
	f(page, "https://google.evil.example/", "google.evil.example", "google.evil.example")
	f(page, "https://notgoogle.com/", "notgoogle.com", "notgoogle.com")
	f(page, "https://uk.search.yahoo.com/search", "Yahoo", "uk.search.yahoo.com/search")
	f(page, "https://l.facebook.com/l.php?u=x", "Facebook", "l.facebook.com/l.php")
	f(page, "https://t.co/AbC", "Twitter", "t.co/AbC")
	f(page, "https://old.reddit.com/r/golang/", "Reddit", "old.reddit.com/r/golang")
	f(page, "https://news.ycombinator.com/item?id=1", "Hacker News", "news.ycombinator.com/item")
	f(page, "http://en.wikipedia.org/wiki/Xvfb", "Wikipedia", "en.wikipedia.org/wiki/Xvfb")
	f(page, "https://chatgpt.com/", "ChatGPT", "chatgpt.com")
	f(page, "https://www.perplexity.ai/", "Perplexity", "perplexity.ai")
	f(page, "android-app://com.google.android.googlequicksearchbox/", "Google", "com.google.android.googlequicksearchbox")

	// Hosts.
	f(page, "https://WWW.Blog.Example.ORG:8080/Post/1/?x#y", "blog.example.org", "blog.example.org/Post/1")
	f(page, "blog.example.org/post", "blog.example.org", "blog.example.org/post")
	f(page, "http://localhost:3000/", "localhost", "localhost")
	f(page, "https://bücher.example/x", "bücher.example", "bücher.example/x")

	// Steps within the site.
	f(page, "https://example.com/other", "", "")
	f(page, "https://www.example.com/other", "", "")
	f("https://www.example.com/", "http://example.com:8080/", "", "")
	f("https://shop.example.com/", "https://shop.example.com/a", "", "")
	f("https://shop.example.com/", "https://example.com/a", "", "") // the site's id is a host of it
	f(page, "https://blog.example.com/a", "blog.example.com", "blog.example.com/a")
	f("", "https://example.com/other", "", "")

	// Tags.
	f(page+"?utm_source=newsletter", "", "newsletter", "(none)")
	f(page+"?utm_source=Spring+News%20%C3%A4", "", "Spring News ä", "(none)")
	f(page+"?ref=a&source=b&utm_source=c", "https://www.google.com/", "c", "google.com")
	f(page+"?ref=a&source=b", "", "b", "(none)")
	f(page+"?ref=a", "https://example.com/x", "a", "")
	f(page+"?ref=&x=1", "https://t.co/x", "Twitter", "t.co/x")
	f(page+"?href=1&xsource=2", "", "(none)", "(none)")
	f(page+"?utm_source=google", "", "Google", "(none)")
	f(page+"?utm_source=FB", "", "Facebook", "(none)")
	f(page+"?utm_source=www.producthunt.com", "", "Product Hunt", "(none)")
	f(page+"?utm_source=chatgpt.com", "", "ChatGPT", "(none)")
	f(page+"?utm_source=%zz", "", "%zz", "(none)")
	f(page+"?utm_source=%ff%00", "", "\uFFFD", "(none)")
	f(page+"#?utm_source=a", "", "(none)", "(none)")
}

// TestSpelling: one page, host, source and name were several rows.
func TestSpelling(t *testing.T) {
	f := func(dim window.Dim, want string, events ...event.Event) {
		t.Helper()
		for _, e := range events {
			e.Site, e.UA = "example.com", chrome
			if e.Name == "" {
				e.Name = event.Pageview
			}
			if r := rowOf(e); r.Dims[dim] != want {
				t.Errorf("%s of %q from %q: got %q, want %q", dim, e.URL, e.Referrer, r.Dims[dim], want)
			}
		}
	}
	urls := func(list ...string) (events []event.Event) {
		for _, u := range list {
			events = append(events, event.Event{URL: u})
		}
		return events
	}
	f(window.Page, "/a_b", urls("https://example.com/a_b", "https://example.com/a%5fb", "https://example.com/a%5Fb", "/a%5fb")...)
	f(window.Page, "/café", urls("https://x.example/café", "https://x.example/caf%C3%A9", "https://x.example/caf%c3%a9", "https://x.example/cafe\u0301", "https://x.example/cafe%CC%81")...)
	f(window.EntryPage, "/a_b", urls("https://example.com/a%5fb")...)
	f(window.Hostname, "café.example", urls("https://café.example/", "https://CAFÉ.example./", "https://www.xn--caf-dma.example:443/", "https://caf%C3%A9.example/", "https://cafe\u0301.example")...)
	f(window.UTMCampaign, "spring_sale", urls("/?utm_campaign=spring_sale", "/?utm_campaign=spring%5fsale", "/?a=1&amp;utm_campaign=spring_sale", "/?a=1&amp;amp;utm_campaign=spring%5Fsale", "/?utm%5Fcampaign=spring_sale")...)
	f(window.UTMMedium, "café", urls("/?utm_medium=caf%C3%A9", "/?utm_medium=cafe%CC%81", "/?utm_medium=café")...)
	f(window.UTMTerm, "50% off %", urls("/?utm_term=50%+off+%25", "/?utm_term=50%25%20off%20%")...)
	f(window.Source, "news.example", urls("/?utm_source=news.example", "/?utm_source=News.Example", "/?utm_source=www.news.example.", "/?x&amp;ref=news%2Eexample")...)
	f(window.Source, "bücher.example", urls("/?utm_source=bücher.example", "/?utm_source=xn--bcher-kva.example")...)
	for _, ref := range []string{"https://bücher.example/a_b/", "HTTPS://www.XN--BCHER-KVA.example:443/a%5fb", "https://b%C3%BCcher.example./a%5Fb?q"} {
		f(window.Source, "bücher.example", event.Event{URL: "https://example.com/", Referrer: ref})
		f(window.Referrer, "bücher.example/a_b", event.Event{URL: "https://example.com/", Referrer: ref})
	}
	f(window.Source, "", event.Event{URL: "https://xn--bcher-kva.example/", Referrer: "https://bücher.example/x"}) // a step within the site
	f(window.Name, "a/b", event.Event{Name: `a\b`}, event.Event{Name: "a/b"})
	f(window.Name, "café", event.Event{Name: "café"}, event.Event{Name: "cafe\u0301"})
}

func TestLocale(t *testing.T) {
	d := New(Options{})
	f := func(in, want string) {
		t.Helper()
		if got := d.language(in); got != want {
			t.Errorf("language %q: got %q, want %q", in, got, want)
		}
	}
	f("", "(none)")
	f("*", "(none)")
	f("de", "de")
	f("EN-gb", "en-GB")
	f("en_US", "en-US")
	f("en-GB,en;q=0.9", "en-GB")
	f(" fr ; q=0.5", "fr")
	f("zh-Hans-CN", "zh-CN")
	f("zh-cmn-Hant-TW", "zh-TW")
	f("es-419", "es-419")
	f("de-1996", "de")
	f("fil-PH", "fil-PH")
	f("e", "(none)")
	f("english", "(none)")
	f("und", "(none)")
	f("12-34", "(none)")

	g := func(in, want string) {
		t.Helper()
		if got := country(in); got != want {
			t.Errorf("country %q: got %q, want %q", in, got, want)
		}
	}
	g("", "(none)")
	g("DE", "DE")
	g("de", "DE")
	g("XX", "(none)")
	g("ZZ", "(none)")
	g("T1", "(none)")
	g("DEU", "(none)")
}

// TestCacheChangesNothing derives a stream that overflows small caches with Deriver after Deriver.
func TestCacheChangesNothing(t *testing.T) {
	sizes := []int{1, 2, 7, 1 << 14}
	derivers := make([]*Deriver, len(sizes))
	for i, n := range sizes {
		derivers[i] = New(Options{CacheSize: n})
	}
	agents := []string{chrome, "", "curl/8.5.0", chrome + " Edg/149.0.0.0", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15"}
	langs := []string{"de", "de-at", "en_US", "", "zh-Hans-CN"}
	for i := range 3000 {
		e := event.Event{Site: "example.com", Name: "x", UA: agents[i*i%5], Language: langs[i*7%5], URL: fmt.Sprint("/", i)}
		if i%2 == 0 {
			e.URL += fmt.Sprintf("?utm_source=%d&utm_campaign=c%%2B%d&utm_medium=cpc", i%9, i%20)
			e.Referrer = fmt.Sprintf("https://%d.example.org/%d", i%30, i)
		}
		if i%3 == 0 {
			e.UA += fmt.Sprint(" App/", i%100)
		}
		var want, got window.Row
		whole(New(Options{}), &e, &want)
		for j, d := range derivers {
			whole(d, &e, &got)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("cache of %d, event %d:\n got %+v\nwant %+v", sizes[j], i, got, want)
			}
		}
	}
}

// TestCacheBound: different user agents without end, each as long as can be.
func TestCacheBound(t *testing.T) {
	d := New(Options{CacheSize: 64})
	pad := string(make([]byte, 4096))
	for i := range 1000 {
		e := event.Event{UA: "Mozilla/5.0 (X11; Linux) AppleWebKit/5 " + fmt.Sprint(i, pad), Language: fmt.Sprint("a", i, pad),
			URL: fmt.Sprintf("https://a.example/?utm_source=%d%s", i, strings.Repeat("%20x", 999)), Referrer: fmt.Sprintf("https://%d.example.org/", i)}
		var r window.Row
		whole(d, &e, &r)
		d.language(e.Language)
	}
	for _, gen := range []map[string]*agent{d.agents.young, d.agents.old} {
		if len(gen) > 32 {
			t.Errorf("a generation of the cache holds %d user agents, want at most 32", len(gen))
		}
		for k := range gen {
			if len(k) > maxAgentLen {
				t.Errorf("a key of %d bytes", len(k))
			}
		}
	}
	f := func(what string, young, old int) {
		t.Helper()
		if n := young + old; n == 0 || n > 64 {
			t.Errorf("the cache holds %d %s, want 1 to 64", n, what)
		}
	}
	f("languages", len(d.languages.young), len(d.languages.old))
	f("hosts", len(d.hosts.young), len(d.hosts.old))
	f("tags", len(d.tags.young), len(d.tags.old))
	for k, v := range d.tags.young {
		if len(k) > maxTagLen || len(v.value) > window.MaxValueLen {
			t.Errorf("a tag of %d bytes with a value of %d", len(k), len(v.value))
		}
	}
}

var typical = event.Event{
	Site: "example.com", Name: event.Pageview, Visitor: 7, URL: "https://example.com/blog/2025/how-we-count?page=2&sort=new#comments",
	Referrer: "https://www.google.co.uk/search?q=count", UA: chrome, Language: "en-GB,en;q=0.9", Country: "GB", Screen: "1920x1080", Client: "v1",
}

// tagged is an event of a campaign, with all that an event can have.
var tagged = event.Event{
	Site: "example.com", Name: event.Pageview, Visitor: 7,
	URL:      "https://www.example.com/blog/2025/how-we-count?utm_source=google&utm_medium=cpc&utm_campaign=Spring%20Sale&utm_term=web+analytics&gclid=Cj0KCQ",
	Referrer: "https://www.google.co.uk/", UA: chrome, Language: "en-GB", Country: "GB", Region: "GB-LND", City: "2643743", Screen: "390x844", Client: "v1",
	Amount: 125000, Currency: "EUR", Props: []event.Prop{{Key: "author", Value: "ada"}, {Key: "plan", Value: "pro"}},
}

const someGoals = `{"example.com": [{"name": "Signup", "event": "signup"}, {"name": "Blog", "page": "/blog/**"},
	{"name": "Thanks", "page": "/*/thanks"}, {"name": "Pricing", "page": "/pricing"}, {"name": "Article", "page": "/blog/*/*"}]}`

func mustGoals(t testing.TB, s string) *Goals {
	t.Helper()
	sites, err := site.ParseGoals(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return NewGoals(sites, site.Site{})
}

// TestLiteralNone: what an event says itself is no value that stands for none or for the rest.
func TestLiteralNone(t *testing.T) {
	d := New(Options{})
	var r window.Row
	whole(d, &event.Event{
		Site: "a.example", Name: "(other)", UA: chrome, URL: "https://a.example/x?utm_source=(none)&utm_medium=(none)&utm_campaign=((none))&utm_term=(other)",
		Props: []event.Prop{{Key: "(none)", Value: "(other)"}, {Key: "empty"}, {Key: "plan", Value: "(none)"}},
	}, &r)
	want := map[window.Dim]string{
		window.Name: "((other))", window.UTMSource: "((none))", window.UTMMedium: "((none))", window.UTMCampaign: "(((none)))", window.UTMTerm: "((other))",
		window.Source: window.None, window.Country: window.None, window.UTMContent: "", window.Channel: "Other",
	}
	for dim, v := range want {
		if r.Dims[dim] != v {
			t.Errorf("%s is %q, want %q", dim, r.Dims[dim], v)
		}
	}
	props := []event.Prop{{Key: "(none)", Value: "((other))"}, {Key: "empty", Value: window.None}, {Key: "plan", Value: "((none))"}}
	if !reflect.DeepEqual(r.Props, props) {
		t.Errorf("properties %q, want %q", r.Props, props)
	}
}

func TestRowAllocatesNothing(t *testing.T) {
	d := New(Options{Goals: mustGoals(t, `{"example.com":[{"name":"Blog","page":"/blog/**"},{"name":"Signup","event":"signup"}]}`)})
	internal := typical
	internal.Referrer = "https://www.example.com/blog/"
	var r window.Row
	for _, e := range []event.Event{typical, internal, tagged} {
		if n := testing.AllocsPerRun(100, func() { whole(d, &e, &r) }); n != 0 {
			t.Errorf("%s: %v allocations per row", e.URL, n)
		}
	}
}

func FuzzRow(f *testing.F) {
	f.Add("example.com", "pageview", "https://example.com/a?utm_source=x", "https://www.google.com/", chrome, "en-GB", "GB", "v1", "", "1x1", "k", "v")
	f.Add("s", "", "//a@:0/\\?ref=%ff+", "http://www.:80/\xff//", "\x02curl\xff", "de_\xff", "d\xff", ".server", "\x01", "x", "\xff", "")
	f.Add("s", "\n", "a:b?utm_medium=%20&utm_campaign=shop&dclid=1", "[::1]/x", "Silk/", "-", "US-CA", "", " ", "99x", " ", " ")
	d := New(Options{CacheSize: 8})
	f.Fuzz(func(t *testing.T, site, name, url, ref, ua, lang, place, client, bot, screen, key, value string) {
		e := event.Event{Site: site, Name: name, URL: url, Referrer: ref, UA: ua, Language: lang, Country: place, Region: place, City: place,
			Screen: screen, Client: client, Bot: bot, Props: []event.Prop{{Key: key, Value: value}, {Key: value, Value: key}}}
		var got, again window.Row
		whole(d, &e, &got)
		isClean := func(what, v string) {
			if v != window.Clean(v) || !utf8.ValidString(v) {
				t.Errorf("%s is %q, which is not clean", what, v)
			}
		}
		always := []window.Dim{window.Page, window.Hostname, window.Name, window.Country, window.Language, window.Browser, window.BrowserVersion,
			window.OS, window.OSVersion, window.Device, window.Screen}
		for i, v := range got.Dims {
			if v != "" {
				isClean(window.Dim(i).String(), v)
			} else if got.Flags&window.BotRow == 0 && slices.Contains(always, window.Dim(i)) {
				t.Errorf("%s is empty", window.Dim(i))
			}
		}
		for i, p := range got.Props {
			isClean("a key", p.Key)
			isClean("a value", p.Value)
			if i > 0 && p.Key <= got.Props[i-1].Key {
				t.Errorf("keys are not in order: %q", got.Props)
			}
		}
		if whole(d, &e, &again); !reflect.DeepEqual(got, again) {
			t.Errorf("second time %+v, first %+v", again, got)
		}
	})
}

func BenchmarkRow(b *testing.B) {
	b.ReportAllocs()
	d := New(Options{})
	var r window.Row
	for b.Loop() {
		whole(d, &typical, &r)
	}
}

// BenchmarkRowUncached is what an attacker pays for: every user agent is new.
func BenchmarkRowUncached(b *testing.B) {
	b.ReportAllocs()
	d := New(Options{})
	e := typical
	ua := []byte(chrome + " ABCDEFGH")
	var r window.Row
	n := 0
	for b.Loop() {
		for i, v := 0, n; i < 8; i, v = i+1, v/26 {
			ua[len(ua)-1-i] = byte('A' + v%26)
		}
		n++
		e.UA = string(ua)
		whole(d, &e, &r)
	}
}

// BenchmarkRowTagged is an event of a campaign: all parameters, properties, revenue and goals.
func BenchmarkRowTagged(b *testing.B) {
	b.ReportAllocs()
	d := New(Options{Goals: mustGoals(b, someGoals)})
	var r window.Row
	for b.Loop() {
		whole(d, &tagged, &r)
	}
}

// TestClosed: what the query API takes for all values of a dimension is all that is given.
func TestClosed(t *testing.T) {
	f := func(d window.Dim, list ...string) {
		t.Helper()
		for _, v := range list {
			if !slices.Contains(window.Closed(d), v) {
				t.Errorf("%s %q is not in window.Closed", d, v)
			}
		}
		if n := len(window.Closed(d)); n != len(list) {
			t.Errorf("window.Closed has %d values of %s, want %d", n, d, len(list))
		}
	}
	f(window.Device, deviceDesktop, deviceMobile, deviceTablet, deviceTV)
	f(window.Screen, screen("1x1"), screen("600x1"), screen("1000x1"), screen("9999x1"))
	f(window.Channel, chDirect, chCrossNetwork, chPaidSearch, chPaidSocial, chPaidVideo, chPaidShopping, chPaidOther, chDisplay, chOrganicSearch, chOrganicSocial,
		chOrganicVideo, chOrganicShopping, chAI, chEmail, chAffiliates, chAudio, chSMS, chPush, chReferral, chOther)
	named := func(rules []rule, more ...string) []string {
		for i := range rules {
			more = append(more, rules[i].name)
		}
		slices.Sort(more)
		return slices.Compact(more)
	}
	f(window.Browser, named(browsers[:], "Android Browser", "Safari", "iOS WebView", "macOS WebView")...)
	f(window.OS, named(systems[:])...)
	f(window.Reason, reasonEmpty, reasonMalformed, reasonLink, reasonLibrary, reasonAutomation, reasonFeed, reasonPreview, reasonSearch, reasonAI, reasonScanner,
		reasonMonitoring, reasonArchiver, reasonResearch, reasonAdvertising, reasonCrawler)
}
