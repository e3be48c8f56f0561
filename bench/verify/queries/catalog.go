package queries

import "strconv"

// What the traffic is made of, and what each of it has to be counted as. The right columns are written down here from the
// documents (docs/counting.md and the sources that they name) and not asked of the code that they prove.

// agent is a user agent and what it is.
type agent struct{ ua, browser, browserVersion, os, osVersion, device, bot string }

var people = []agent{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36", "Chrome", "139", "Windows", "10", "Desktop", ""},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Chrome", "140", "Windows", "10", "Desktop", ""},
	{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox", "128", "Linux", "(none)", "Desktop", ""},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Safari", "17", "iOS", "17", "Mobile", ""},
	{"Mozilla/5.0 (iPad; CPU OS 16_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Mobile/15E148 Safari/604.1", "Safari", "16", "iOS", "16", "Tablet", ""},
	{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36", "Chrome", "137", "Android", "10", "Mobile", ""},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0", "Edge", "138", "macOS", "10.15", "Desktop", ""},
	{"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36", "Samsung Browser", "25", "Android", "13", "Mobile", ""},
	{"Mozilla/5.0 (Windows NT 6.1; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0", "Opera", "110", "Windows", "7", "Desktop", ""},
	{"Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer", "11", "Windows", "8.1", "Desktop", ""},
}

var bots = []agent{
	{ua: "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", bot: "search engine"},
	{ua: "curl/8.5.0", bot: "tool or library"},
	{ua: "", bot: "empty user agent"},
	{ua: "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", bot: "ai crawler"},
}

// noAgent is what the empty user agent of a trusted server is.
var noAgent = agent{"", "(none)", "(none)", "(none)", "(none)", "(none)", ""}

// arrival is a referrer and the query of a page's address, and how a visitor came by them.
type arrival struct {
	referrer, query string

	source, page, channel                      string
	utmSource, medium, campaign, content, term string
}

var arrivals = func() []arrival {
	list := []arrival{
		{source: "(none)", page: "(none)", channel: "Direct"},
		{query: "x=1", source: "(none)", page: "(none)", channel: "Direct"},
		{referrer: "https://www.google.com/", source: "Google", page: "google.com", channel: "Organic Search"},
		{referrer: "https://www.google.co.uk/search?q=a", source: "Google", page: "google.co.uk/search", channel: "Organic Search"},
		{referrer: "https://duckduckgo.com/", source: "DuckDuckGo", page: "duckduckgo.com", channel: "Organic Search"},
		{referrer: "https://news.ycombinator.com/item?id=1", source: "Hacker News", page: "news.ycombinator.com/item", channel: "Organic Social"},
		{referrer: "https://t.co/abc", source: "Twitter", page: "t.co/abc", channel: "Organic Social"},
		{referrer: "https://www.youtube.com/watch?v=1", source: "YouTube", page: "youtube.com/watch", channel: "Organic Video"},
		{referrer: "https://chatgpt.com/", source: "ChatGPT", page: "chatgpt.com", channel: "AI Assistants"},
		{referrer: "https://mail.google.com/", source: "Gmail", page: "mail.google.com", channel: "Email"},
		{referrer: "https://www.amazon.de/", source: "Amazon", page: "amazon.de", channel: "Organic Shopping"},
		{referrer: "https://Partner.example/List/", source: "partner.example", page: "partner.example/List", channel: "Referral"},
		{referrer: "android-app://com.google.android.gm/", source: "Gmail", page: "com.google.android.gm", channel: "Email"},
		{query: "utm_source=letter&utm_medium=email&utm_campaign=may", source: "letter", page: "(none)", channel: "Email", utmSource: "letter", medium: "email", campaign: "may"},
		{query: "utm_source=google&utm_medium=cpc&utm_campaign=Brand&utm_term=red+shoes&utm_content=a%2Fb", source: "Google", page: "(none)", channel: "Paid Search",
			utmSource: "google", medium: "cpc", campaign: "Brand", content: "a/b", term: "red shoes"},
		{referrer: "https://www.facebook.com/", source: "Facebook", page: "facebook.com", channel: "Organic Social"},
		{referrer: "https://blog.partner.example/post?x=1", source: "blog.partner.example", page: "blog.partner.example/post", channel: "Referral"},
		{referrer: "https://www.facebook.com/", query: "utm_source=fb&utm_medium=paid_social", source: "Facebook", page: "facebook.com", channel: "Paid Social", utmSource: "fb", medium: "paid_social"},
		{query: "ref=friend", source: "friend", page: "(none)", channel: "Referral"},
		{query: "gclid=1", source: "(none)", page: "(none)", channel: "Paid Search"},
		{referrer: "https://www.google.com/", query: "gclid=2", source: "Google", page: "google.com", channel: "Paid Search"},
		{query: "utm_source=Partner.Example&utm_medium=affiliate", source: "partner.example", page: "(none)", channel: "Affiliates", utmSource: "Partner.Example", medium: "affiliate"},
		{query: "utm_campaign=only", source: "(none)", page: "(none)", channel: "Other", campaign: "only"},
		{referrer: "https://blog.partner.example/post?x=1", query: "utm_medium=banner", source: "blog.partner.example", page: "blog.partner.example/post", channel: "Display", medium: "banner"},
		{query: "utm_source=sms", source: "sms", page: "(none)", channel: "SMS", utmSource: "sms"},
		{query: "utm_source=news&amp;utm_medium=push", source: "news", page: "(none)", channel: "Mobile Push Notifications", utmSource: "news", medium: "push"},
	}
	for i := range 30 {
		host := "r" + strconv.Itoa(i) + ".example"
		page := host + "/" + strconv.Itoa(i%3)
		list = append(list, arrival{referrer: "https://" + page, source: host, page: page, channel: "Referral"})
	}
	return list
}()

// page is a path as it is sent, and the page that it is.
type page struct{ sent, is string }

var pages = func() []page {
	list := []page{
		{"/", "/"}, {"/pricing", "/pricing"}, {"/caf%C3%A9", "/café"}, {"/a%5fb", "/a_b"}, {"/cart;jsessionid=0A1B", "/cart"}, {"/shop/thanks", "/shop/thanks"},
		{"/x/thanks", "/x/thanks"}, {"/Blog/", "/Blog/"}, {"/a/../b", "/b"}, {"/docs/", "/docs/"}, {"/docs/x/y", "/docs/x/y"}, {"/blog", "/blog"}, {"/blog/", "/blog/"},
	}
	for i := range 150 {
		kind := [...]string{"/p/", "/blog/", "/docs/ref/"}[i%3]
		list = append(list, page{kind + strconv.Itoa(i), kind + strconv.Itoa(i)})
	}
	return list
}()

// place is what a collector knows of an address, and what that is.
type place struct{ country, region, city, isCountry, name, isRegion, isCity string }

var places = []place{
	{"DE", "DE-BE", "2950159", "DE", "Germany", "DE-BE", "2950159"},
	{"DE", "DE-HH", "2911298", "DE", "Germany", "DE-HH", "2911298"},
	{"US", "US-CA", "5391959", "US", "United States", "US-CA", "5391959"},
	{"us", "us-ny", "5128581", "US", "United States", "US-NY", "5128581"},
	{"UK", "", "", "GB", "United Kingdom", "(none)", "(none)"},
	{"FR", "", "2988507", "FR", "France", "(none)", "2988507"},
	{"AT", "AT-9", "", "AT", "Austria", "AT-9", "(none)"},
	{"BR", "BR-SP", "São Paulo", "BR", "Brazil", "BR-SP", "São Paulo"},
	{"JP", "JP-13", "1850147", "JP", "Japan", "JP-13", "1850147"},
	{"XX", "", "", "(none)", "(none)", "(none)", "(none)"},
	{"", "", "", "(none)", "(none)", "(none)", "(none)"},
}

// word is a value as it is sent, and what it is.
type word struct{ sent, is string }

var languages = []word{
	{"de-DE,de;q=0.9", "de-DE"}, {"en-US", "en-US"}, {"en", "en"}, {"fr", "fr"}, {"zh-Hant-TW", "zh-TW"}, {"es-419", "es-419"}, {"pt_BR", "pt-BR"}, {"und", "(none)"}, {"", "(none)"},
}

var screens = []word{
	{"1920x1080", "Desktop"}, {"1440x900", "Desktop"}, {"1439x900", "Laptop"}, {"992x700", "Laptop"}, {"991x700", "Tablet"}, {"576x900", "Tablet"},
	{"390x844", "Mobile"}, {"0x0", "(none)"}, {"", "(none)"},
}

// goal is a goal of the file of sites, and the regular expression of the pages that reach it.
type goal struct{ name, event, page, expression string }

var goals = []goal{
	{name: "Sign up", event: "signup"},
	{name: "Engaged", event: "signup"},
	{name: "Engaged", event: "download"},
	{name: "Order", event: "purchase"},
	{name: "Pricing", page: "/pricing", expression: `^/pricing$`},
	{name: "Blog", page: "/blog/*", expression: `^/blog/[^/]*$`},
	{name: "Docs", page: "/docs/**", expression: `^/docs/.*$`},
	{name: "Thanks", page: "/*/thanks", expression: `^/[^/]*/thanks$`},
}

// zones are those of the sites: some change their clocks by half an hour, some at midnight.
var zones = []string{
	"Europe/Berlin", "UTC", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu", "America/Santiago", "Pacific/Chatham",
	"America/St_Johns", "Africa/Cairo", "Asia/Tokyo", "Asia/Beirut", "Europe/London", "America/Los_Angeles", "Australia/Adelaide", "Pacific/Auckland", "Asia/Kolkata",
}

// site is a site of the traffic.
type site struct {
	name, zone, currency, bots string
	goals                      []goal
	hash                       bool // pages are told apart by the fragment
	shards                     int
	weight                     int // of the traffic
}

// giant has most of the traffic, and its visitors are in all partitions.
const giant = "giant.example"

func makeSites(n int) []site {
	list := []site{{name: giant, zone: zones[0], currency: "EUR", goals: goals, shards: partitions, weight: 1200}}
	for i := 1; i < n; i++ {
		s := site{name: "s" + strconv.Itoa(i) + ".example", zone: zones[i%len(zones)], shards: 1, weight: 400 / (i + 4)}
		s.currency = [...]string{"", "USD", "EUR"}[i%3]
		s.goals = goals[i%3 : len(goals)-i%4]
		switch i {
		case 2:
			s.hash = true
		case 3:
			s.bots = "count"
		case 4:
			s.bots = "drop"
		case 5:
			s.goals = nil
		}
		list = append(list, s)
	}
	return list
}
