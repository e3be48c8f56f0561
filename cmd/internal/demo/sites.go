package demo

import "time"

// weighted is one of several choices; the chance of each is its weight over the sum of all.
type weighted[T any] struct {
	weight int
	value  T
}

// site is a made-up site.
type site struct {
	id     string
	share  float64 // of all visits
	zone   *time.Location
	pages  []page // the first is the home page
	from   []weighted[string]
	people []weighted[country]
}

// page is a page of a site and what is done on it now and then.
type page struct {
	path   string
	weight int
	goal   goal
}

// goal is a custom event: name "" is none.
type goal struct {
	name   string
	chance float64 // of a view of the page
	prop   string
	values []string
	prices []string // in currency; none: no revenue
	money  string
}

// country is where a visitor is: a network of an access provider there, and the languages of the browsers.
type country struct {
	network   string
	languages []string
}

var (
	germany   = country{"91.0.0.0/10", []string{"de-DE", "de-DE", "de-DE", "en-US"}}
	usa       = country{"73.0.0.0/8", []string{"en-US", "en-US", "en-US", "es-US"}}
	britain   = country{"86.128.0.0/10", []string{"en-GB", "en-GB", "en-US"}}
	spain     = country{"88.0.0.0/11", []string{"es-ES", "es-ES", "ca-ES"}}
	italy     = country{"79.0.0.0/10", []string{"it-IT"}}
	poland    = country{"83.0.0.0/11", []string{"pl-PL", "pl-PL", "en-US"}}
	sweden    = country{"81.224.0.0/12", []string{"sv-SE", "en-GB"}}
	india     = country{"49.36.0.0/14", []string{"en-IN", "hi-IN", "en-US"}}
	canada    = country{"99.224.0.0/11", []string{"en-CA", "en-CA", "fr-CA"}}
	australia = country{"1.120.0.0/13", []string{"en-AU"}}
)

var (
	phone   = []string{"390x844", "412x915", "360x800", "393x852"}
	desktop = []string{"1920x1080", "1536x864", "2560x1440", "1440x900"}
	tablet  = []string{"820x1180", "810x1080"}
)

// browser is a user agent and the screens it comes with.
type browser struct {
	ua      string
	screens []string
}

// browsers are user agents in about the shares of 2026.
func browsers() []weighted[browser] {
	return []weighted[browser]{
		{26, browser{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Mobile Safari/537.36", phone}},
		{24, browser{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36", desktop}},
		{19, browser{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", phone}},
		{8, browser{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36", desktop}},
		{6, browser{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", desktop}},
		{5, browser{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0", desktop}},
		{5, browser{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36 Edg/148.0.0.0", desktop}},
		{3, browser{"Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0", desktop}},
		{3, browser{"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", tablet}},
		{1, browser{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", []string{""}}},
	}
}

// Sites are the ids of the made-up sites.
func Sites() []string {
	var ids []string
	for _, s := range sites() {
		ids = append(ids, s.id)
	}
	return ids
}

func sites() []site {
	return []site{
		{
			id: "harbour-books.example", share: 0.5, zone: zone("Europe/London", 0),
			pages: []page{
				{path: "/", weight: 30},
				{path: "/new", weight: 14}, {path: "/fiction", weight: 12}, {path: "/travel", weight: 7}, {path: "/children", weight: 8},
				{path: "/book/the-salt-road", weight: 9}, {path: "/book/a-year-of-tides", weight: 7}, {path: "/book/northern-light", weight: 5},
				{path: "/book/letters-to-a-lighthouse", weight: 3}, {path: "/events", weight: 4},
				{path: "/basket", weight: 5, goal: goal{"Purchase", 0.45, "payment", []string{"card", "card", "paypal"},
					[]string{"8.99", "12.5", "14.99", "18", "24.98", "37.49"}, "GBP"}},
			},
			from: []weighted[string]{
				{32, ""}, {30, "https://www.google.com/"}, {6, "https://duckduckgo.com/"}, {5, "https://www.bing.com/"},
				{8, "https://www.instagram.com/"}, {5, "https://t.co/"}, {4, "https://www.goodreads.com/"}, {6, "utm:newsletter/email/spring-list"},
			},
			people: []weighted[country]{{50, britain}, {14, usa}, {10, germany}, {8, canada}, {6, australia}, {5, spain}, {5, italy}, {4, sweden}},
		},
		{
			id: "kiln-and-clay.example", share: 0.2, zone: zone("Europe/Berlin", 3600),
			pages: []page{
				{path: "/", weight: 24},
				{path: "/kurse", weight: 16, goal: goal{name: "Signup", chance: 0.06, prop: "kurs", values: []string{"drehen", "aufbau", "glasur"}}},
				{path: "/kurse/drehen", weight: 10}, {path: "/kurse/glasur", weight: 6},
				{path: "/werkstatt", weight: 8}, {path: "/kontakt", weight: 6}, {path: "/preise", weight: 9},
				{path: "/gutschein", weight: 4, goal: goal{"Purchase", 0.2, "payment", []string{"card", "invoice"}, []string{"35", "60", "120"}, "EUR"}},
			},
			from: []weighted[string]{
				{40, ""}, {38, "https://www.google.de/"}, {6, "https://www.ecosia.org/"}, {10, "https://www.instagram.com/"}, {6, "utm:local/cpc/autumn"},
			},
			people: []weighted[country]{{82, germany}, {6, poland}, {4, britain}, {4, italy}, {4, usa}},
		},
		{
			id: "packet-notes.example", share: 0.3, zone: zone("America/New_York", -5*3600),
			pages: []page{
				{path: "/", weight: 12},
				{path: "/2026/reading-a-pcap-by-hand", weight: 22}, {path: "/2026/why-your-cache-lies", weight: 18},
				{path: "/2025/the-last-byte", weight: 9}, {path: "/2025/clock-skew-in-practice", weight: 7}, {path: "/2024/udp-and-me", weight: 4},
				{path: "/about", weight: 4},
				{path: "/tools", weight: 7, goal: goal{name: "Download", chance: 0.3, prop: "file", values: []string{"pcapview-linux", "pcapview-mac", "pcapview-windows"}}},
			},
			from: []weighted[string]{
				{24, ""}, {26, "https://www.google.com/"}, {22, "https://news.ycombinator.com/"}, {10, "https://lobste.rs/"},
				{8, "https://github.com/"}, {6, "https://www.reddit.com/r/networking/"}, {4, "utm:packet-weekly/email/issue-112"},
			},
			people: []weighted[country]{{38, usa}, {16, india}, {12, germany}, {9, britain}, {8, canada}, {6, sweden}, {6, poland}, {5, australia}},
		},
	}
}

// zone is a time zone by name, or a fixed offset where the machine has no time zone data.
func zone(name string, offsetSec int) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.FixedZone(name, offsetSec)
	}
	return loc
}
