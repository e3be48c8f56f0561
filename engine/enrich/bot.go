package enrich

import (
	"strings"

	"millrace/engine/enrich/internal/device"
)

// Reasons to take a sender for a bot by its user agent. They are values of window.Reason, seen by
// users and kept in stores: a change of one is a change of Version.
const (
	reasonEmpty       = "empty user agent"
	reasonMalformed   = "malformed user agent"
	reasonLink        = "link in user agent"
	reasonLibrary     = "tool or library"
	reasonAutomation  = "automated browser"
	reasonFeed        = "feed reader"
	reasonPreview     = "link preview"
	reasonSearch      = "search engine"
	reasonAI          = "ai crawler"
	reasonScanner     = "scanner"
	reasonMonitoring  = "monitoring"
	reasonArchiver    = "archiver"
	reasonResearch    = "research"
	reasonAdvertising = "advertising"
	reasonCrawler     = "crawler"
)

// crawler is a literal that no browser's user agent holds, and what who sends it is.
type crawler struct{ literal, reason string }

// moreCrawlers are those that crawlers does not have. The first part was seen in logs, the second
// are names of isbot 1.0.0 (see NOTICE) that no literal of crawlers is in. AlexaToolbar is not
// among them: people had it.
var moreCrawlers = [...]crawler{
	{"Digg Feed Fetcher", reasonFeed}, // shows a Safari's user agent behind its name
	{"libfetch/", reasonLibrary},      // FreeBSD's fetch
	{"DuplexWeb-Google", reasonAutomation},
	{"CloudflareObservatory", reasonMonitoring},
	{"CloudflareDiagnostics", reasonMonitoring},
	// Probes of orchestrators and balancers.
	{"kube-probe/", reasonMonitoring}, {"ELB-HealthChecker/", reasonMonitoring}, {"GoogleHC/", reasonMonitoring},
	{"GoogleStackdriverMonitoring", reasonMonitoring}, {"Amazon-Route53-Health-Check-Service", reasonMonitoring},
	{"Amazon Route 53 Health Check", reasonMonitoring}, {"Consul Health Check", reasonMonitoring}, {"Edge Health Probe", reasonMonitoring},
	{"Envoy/HC", reasonMonitoring}, {"Load Balancer Agent", reasonMonitoring}, {"Prometheus/", reasonMonitoring},

	{"curl/", reasonLibrary}, {"HttpClient/", reasonLibrary}, {"HTTPClient/", reasonLibrary}, {"PycURL/", reasonLibrary},
	{"Robosourcer/", reasonLibrary}, {"WinHttp.WinHttpRequest.5", reasonLibrary},
	{"DumpRenderTree/", reasonCrawler}, {"Faraday v", reasonCrawler}, {"Google favicon", reasonCrawler}, {"Google-Ad", reasonCrawler},
	{"GoogleSecurityScanner", reasonCrawler}, {"Google_Analytics_Snippet_Validator", reasonCrawler}, {"Owler/", reasonCrawler},
	{"PageAnalyzer/", reasonCrawler}, {"ScopeContentAG-HTTP-Client", reasonCrawler}, {"Survey/", reasonCrawler},
	{"Wappalyzer", reasonCrawler}, {"WinInet", reasonCrawler}, {"WordPress.com", reasonCrawler}, {"burpcollaborator.net/", reasonCrawler},
	{"wsr-agent/", reasonCrawler}, {"RuxitRecorder/", reasonCrawler}, {"ubermetrics-technologies.com", reasonCrawler},
	{"wkhtmltoimage", reasonCrawler}, {"wkhtmltopdf", reasonCrawler}, {"SlimerJS", reasonCrawler},
}

// Bytes around a user agent by which literals are bound to its beginning and end. The generator of
// crawlers writes the same.
const (
	markBegin = 0x02
	markEnd   = 0x03
)

// botByAgent returns why a user agent is taken for a bot's, "" if it is not. The lists of names are
// asked first, because they know the kinds; then its form and the words that programs call
// themselves by.
func (t *tables) botByAgent(ua string) string {
	if ua == "" {
		return reasonEmpty
	}
	said := device.Without(ua)
	if i := t.matcher.find(t.crawlers, said); i >= 0 {
		return t.crawlers[i].reason
	}
	switch {
	case malformed(ua):
		return reasonMalformed
	case strings.Contains(said, "://") && !strings.Contains(said, "bsalsa.com"):
		return reasonLink
	case isLibrary(said):
		return reasonLibrary
	case strings.Contains(said, "(KHTML, like Gecko; "), // behind it Google names some services; browsers add nothing
		callsItselfBot(said):
		return reasonCrawler
	}
	return ""
}

// malformed reports whether a user agent is none: it is not of the form "name/version (comment)",
// and no browser or phone is named in it. UC Browser's short forms are
// "dv(iPh14,2);pr(UCBrowser/11.3);ov(15_4)" and "UCWEB8.4.0".
func malformed(ua string) bool {
	if len(ua) >= minAgentLen && strings.Contains(ua, " ") && strings.Contains(ua, "/") {
		return false
	}
	return first(browsers[:], ua) == nil && first(shortAgents[:], ua) == nil && !strings.HasPrefix(ua, "iP")
}

// shortAgents are what else the user agents of browsers hold that have no blank or no slash.
var shortAgents = [...]rule{
	{token: "Android"}, {token: "(iPhone; "}, {token: "(iPad; "}, {token: "Chromium_"}, {token: "Browser/"}, {token: " Browser"}, {token: "Firefox "}, {token: "Midori "}, {token: "Links "}, {token: "links "},
	{token: "BonEcho "}, {token: "DoCoMo/"}, {token: "w3m/"}, {token: "Dillo/"}, {token: "OmniWeb "}, {token: "Mosaic "}, {token: "SmartTV"},
}

// minAgentLen is the length of the shortest user agent that needs no name of a browser or system.
const minAgentLen = 10

// isLibrary reports whether a user agent names Java or Ruby as what it is written in:
// "Java/1.8.0_161", "Ruby/2.1", "Ruby". Feature phones have "Java/Jbed", a browser of Sun's is
// HotJava, and phones and browsers have the name Ruby.
func isLibrary(ua string) bool {
	if i := strings.Index(ua, "Java/"); i >= 0 && (i == 0 || !isLetter(ua[i-1])) && i+5 < len(ua) && isDigit(ua[i+5]) {
		return true
	}
	_, behind, ok := strings.Cut(ua, "Ruby")
	return ok && (behind == "" || !isLetter(behind[0]))
}

// callsItselfBot reports whether a user agent has crawler or spider in it, or the word bot: at its
// beginning (Botocore), at the end of a name (SomeBot/1.0, robots), or as a part of one
// (SomeBotClient). It is none in Caboto and BOTECH.
func callsItselfBot(ua string) bool {
	low := strings.ToLower(ua)
	if strings.Contains(low, "crawler") || strings.Contains(low, "spider") || strings.HasPrefix(low, bot) {
		return true
	}
	if len(low) != len(ua) { // a letter that is longer in lower case, which no program has in its name
		ua = low
	}
	for at := 0; ; {
		i := strings.Index(low[at:], bot)
		if i < 0 {
			return false
		}
		begin := at + i
		at = begin + len(bot)
		end := strings.TrimPrefix(low[at:], "s")
		if end == "" || !isLetter(end[0]) || ua[begin:at] == "Bot" && 'A' <= ua[at] && ua[at] <= 'Z' {
			return true
		}
	}
}

const bot = "bot"

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
