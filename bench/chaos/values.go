package chaos

// The values that events are made of, each with what is to be counted for it: written by hand, so that the recount
// needs no parser.

// agentValue is a user agent.
type agentValue struct {
	ua, browser, os, device string
	bot                     string // why it is taken for a bot
}

var agents = []agentValue{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome", "Windows", "Desktop", ""},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15", "Safari", "macOS", "Desktop", ""},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1", "Safari", "iOS", "Mobile", ""},
	{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome", "Android", "Mobile", ""},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "Windows", "Desktop", ""},
	{"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "Linux", "Desktop", ""},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Edge", "Windows", "Desktop", ""},
	{"Googlebot/2.1 (+http://www.google.com/bot.html)", "", "", "", "search engine"},
	{"curl/8.14.1", "", "", "", "tool or library"},
}

const humanAgents = 7 // the rest are bots

// arrivalValue is a referrer. That of internalArrival is the site itself.
type arrivalValue struct{ referrer, source, page string }

const none = "(none)"

var arrivals = []arrivalValue{
	{"", none, none},
	{"https://www.google.com/", "Google", "google.com"},
	{"https://www.bing.com/", "Bing", "bing.com"},
	{"https://duckduckgo.com/", "DuckDuckGo", "duckduckgo.com"},
	{"https://t.co/x1", "Twitter", "t.co/x1"},
	{"https://news.ycombinator.com/item?id=1", "Hacker News", "news.ycombinator.com/item"},
	{"https://www.reddit.com/r/golang/", "Reddit", "reddit.com/r/golang"},
	{"https://blog.other.example/post/7", "blog.other.example", "blog.other.example/post/7"},
}

// internalArrival marks a step within the site, which brings nobody.
const internalArrival = 255

var (
	countryValues  = []string{"US", "IN", "DE", "BR", "GB", "FR", "JP", "IT", "ES", "CA", "MX", "NL", "PL", "TR", "AU", "KR", "SE", "CH", "AT", "PT"}
	languageValues = []string{"en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "pt-BR", "ja-JP", "it-IT", "pl-PL", "tr-TR"}
	nameValues     = []string{"pageview", "signup", "download", "outbound", "search"}
)

// campaign is the query of an address that names a source itself.
const (
	campaignQuery  = "?utm_source=newsletter&utm_medium=email&utm_campaign=spring"
	campaignSource = "newsletter"
)
