package chaos

import (
	"millrace/engine/event"
	"millrace/engine/window"
)

// The values that events are made of, each with what is to be counted for it: written by hand, so
// that the recount needs no parser.

// agentValue is a user agent.
type agentValue struct {
	ua, browser, browserVersion, os, osVersion, device string
	bot                                                string // why it is taken for a bot
}

var agents = []agentValue{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome", "126", "Windows", "10", "Desktop", ""},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15", "Safari", "17", "macOS", "10.15", "Desktop", ""},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1", "Safari", "17", "iOS", "17", "Mobile", ""},
	{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome", "126", "Android", "10", "Mobile", ""},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "127", "Windows", "10", "Desktop", ""},
	{"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "127", "Linux", none, "Desktop", ""},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Edge", "126", "Windows", "10", "Desktop", ""},
	{"Googlebot/2.1 (+http://www.google.com/bot.html)", "", "", "", "", "", "search engine"},
	{"curl/8.14.1", "", "", "", "", "", "tool or library"},
}

const humanAgents = 7 // the rest are bots

// arrivalValue is a referrer. That of internalArrival is the site itself.
type arrivalValue struct{ referrer, source, page, channel string }

const none = window.None

var arrivals = []arrivalValue{
	{"", none, none, "Direct"},
	{"https://www.google.com/", "Google", "google.com", "Organic Search"},
	{"https://www.bing.com/", "Bing", "bing.com", "Organic Search"},
	{"https://duckduckgo.com/", "DuckDuckGo", "duckduckgo.com", "Organic Search"},
	{"https://t.co/x1", "Twitter", "t.co/x1", "Organic Social"},
	{"https://news.ycombinator.com/item?id=1", "Hacker News", "news.ycombinator.com/item", "Organic Social"},
	{"https://www.reddit.com/r/golang/", "Reddit", "reddit.com/r/golang", "Organic Social"},
	{"https://blog.other.example/post/7", "blog.other.example", "blog.other.example/post/7", "Referral"},
}

// internalArrival marks a step within the site, which brings nobody.
const internalArrival = 255

// campaign is the query of an address that names a source itself.
const campaignQuery = "?utm_source=letter&utm_medium=email&utm_campaign=spring&utm_content=top&utm_term=lamp"

var campaignDims = map[window.Dim]string{
	window.Source: "letter", window.Channel: "Email", window.UTMSource: "letter", window.UTMMedium: "email",
	window.UTMCampaign: "spring", window.UTMContent: "top", window.UTMTerm: "lamp",
}

// placeValue is where a visitor is.
type placeValue struct{ country, region, city string }

var places = []placeValue{
	{"US", "US-CA", "5391959"}, {"US", "US-NY", "5128581"}, {"DE", "DE-BE", "2950159"}, {"DE", "DE-BY", "2867714"},
	{"FR", "FR-IDF", "2988507"}, {"GB", "", ""}, {"IN", "IN-KA", ""}, {"JP", "JP-13", "1850147"}, {"BR", "", ""}, {"AT", "AT-9", "2761369"},
}

// screenValue is a screen, and its class.
type screenValue struct{ size, class string }

var screens = []screenValue{{"1920x1080", "Desktop"}, {"390x844", "Mobile"}, {"820x1180", "Tablet"}, {"1280x720", "Laptop"}}

var languageValues = []string{"en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "pt-BR", "ja-JP", "it-IT", "pl-PL", "tr-TR"}

// nameValue is an event's name.
type nameValue struct {
	name           string
	nonInteractive bool
	goal           string // that it reaches
}

var names = []nameValue{{event.Pageview, false, ""}, {"signup", false, "Sign up"}, {"download", false, ""}, {"scroll", true, ""}, {"search", false, ""}}

// signup is the name that brings money.
const signup = 1

// propValues are the properties of an event, none for the first.
var propValues = [][]event.Prop{nil, nil, nil, {{Key: "plan", Value: "pro"}}, {{Key: "plan", Value: "free"}, {Key: "variant", Value: "b"}}}

// Pages whose path begins so reach a goal.
const (
	goalSection = "/section-3/"
	goalPage    = "Read section 3"
)

// goalsOf is the file of goals of a site, as package enrich reads it.
func goalsOf(site string) string {
	return `"` + site + `":[{"name":"Sign up","event":"signup"},{"name":"` + goalPage + `","page":"/section-3/**"}]`
}
