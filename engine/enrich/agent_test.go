package enrich

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgent holds user agents seen in the wild, one or two of each kind that the rules distinguish.
func TestAgent(t *testing.T) {
	f := func(ua, browser, os, device string) {
		t.Helper()
		got := sharedTables().parseAgent(ua)
		got.browserVersion, got.osVersion = "", "" // TestVersions looks at them
		if want := (agent{browser: browser, os: os, device: device}); got != want {
			t.Errorf("%s\n got %+v\nwant %+v", ua, got, want)
		}
	}
	const (
		ios     = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
		droid   = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
		webview = "Mozilla/5.0 (Linux; Android 16; SM-S926U Build/BP4A.251205.006; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/153.0.8010.36 Mobile Safari/537.36"
		win     = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
	)
	// Desktop.
	f(win+"Chrome/149.0.0.0 Safari/537.36", "Chrome", "Windows", "Desktop")
	f(win+"Chrome/149.0.0.0 Safari/537.36 Edg/149.0.0.0", "Edge", "Windows", "Desktop")
	f(win+"Chrome/64.0.3282.140 Safari/537.36 Edge/17.17134", "Edge", "Windows", "Desktop")
	f(win+"Chrome/148.0.0.0 Safari/537.36 OPR/132.0.0.0", "Opera", "Windows", "Desktop")
	f(win+"Chrome/148.0.0.0 Safari/537.36 Vivaldi/7.9", "Vivaldi", "Windows", "Desktop")
	f(win+"Chrome/146.0.0.0 YaBrowser/26.4.0.0 Safari/537.36", "Yandex Browser", "Windows", "Desktop")
	f("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:151.0) Gecko/20100101 Firefox/151.0", "Firefox", "Windows", "Desktop")
	f("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; Touch; rv:11.0) like Gecko", "Internet Explorer", "Windows", "Desktop")
	f("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; SLCC2; Media Center PC 6.0; Tablet PC 2.0)", "Internet Explorer", "Windows", "Desktop")
	f("Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.16", "Opera", "Windows", "Desktop")
	f("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15", "Safari", "macOS", "Desktop")
	f("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:151.0) Gecko/20100101 Firefox/151.0", "Firefox", "macOS", "Desktop")
	f("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:26.0) Gecko/20100101 Firefox/26.0", "Firefox", "Linux", "Desktop")
	f("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Ubuntu Chromium/32.0.1700.102 Chrome/32.0.1700.102 Safari/537.36", "Chromium", "Linux", "Desktop")
	f("Mozilla/5.0 (X11; Linux x86_64; rv:24.0) Gecko/20140205 Firefox/24.0 Iceweasel/24.3.0", "Firefox", "Linux", "Desktop")
	f("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36", "Chrome", "ChromeOS", "Desktop")
	f("Mozilla/5.0 (X11; FreeBSD amd64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "FreeBSD", "Desktop")
	f("Mozilla/5.0 (Windows; U; Windows NT 5.1; en-US; rv:1.8.1.1pre) Gecko/20061122 BonEcho/2.0.0.1pre", "Firefox", "Windows", "Desktop")
	f("Midori/0.2 (X11; Linux; U; fr-fr) WebKit/531.2+", "Midori", "Linux", "Desktop")
	f("Mozilla/5.0 (X11; Linux; rv:2.0.1) Gecko/20100101 Firefox/4.0.1 Midori/0.4", "Midori", "Linux", "Desktop")
	f("Mozilla/5.0 (X11; Linux i686; rv:27.0) Gecko/20100101 conkeror/1.0pre", "Conkeror", "Linux", "Desktop")
	f("Lynx/2.8.7rel.2 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/1.0.1f", "Lynx", "(none)", "(none)")
	f("Links (2.7; CYGWIN_NT-5.1 1.7.15(0.260/5/3) i686; GNU C 4.5.3; text)", "Links", "(none)", "(none)")
	// Phones and tablets.
	f(ios+"Version/26.6.1 Mobile/15E148 Safari/604.1", "Safari", "iOS", "Mobile")
	f(ios+"CriOS/149.0.7827.50 Mobile/15E148 Safari/604.1", "Chrome", "iOS", "Mobile")
	f(ios+"FxiOS/151.0 Mobile/15E148 Safari/605.1.15", "Firefox", "iOS", "Mobile")
	f(ios+"Version/18.0 EdgiOS/148.0.3856.59 Mobile/15E148 Safari/604.1", "Edge", "iOS", "Mobile")
	f(ios+"Version/26.1 Mobile/15E148 Safari/604.1 OPT/6.7.3", "Opera", "iOS", "Mobile")
	f(ios+"Mobile/15E148", "iOS WebView", "iOS", "Mobile")
	f("Mozilla/5.0 (iPad; CPU OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Mobile/15E148 Safari/604.1", "Safari", "iOS", "Tablet")
	f(droid+"Chrome/149.0.0.0 Mobile Safari/537.36", "Chrome", "Android", "Mobile")
	f(droid+"Chrome/149.0.0.0 Safari/537.36", "Chrome", "Android", "Tablet")
	f(droid+"SamsungBrowser/30.0 Chrome/143.0.0.0 Mobile Safari/537.36", "Samsung Browser", "Android", "Mobile")
	f(droid+"Chrome/150.0.0.0 Mobile Safari/537.36 (Ecosia android@150.0.0.0)", "Ecosia", "Android", "Mobile")
	f("Mozilla/5.0 (Android 15; Mobile; rv:151.0) Gecko/151.0 Firefox/151.0", "Firefox", "Android", "Mobile")
	f("Mozilla/5.0 (Android 15; Tablet; rv:151.0) Gecko/151.0 Firefox/151.0", "Firefox", "Android", "Tablet")
	f("Mozilla/5.0 (Linux; U; Android 4.0.4; en-us; LG-MS770 Build/IMM76D) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30", "Android Browser", "Android", "Mobile")
	f("Mozilla/5.0 (Linux; Android 11; KFTRWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/147.1.1 like Chrome/147.0.0.0 Safari/537.36", "Amazon Silk", "Android", "Tablet")
	f("Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15254", "Edge", "Windows Phone", "Mobile")
	f("Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16", "Opera Mini", "Android", "Mobile")
	f("Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5", "Firefox", "KaiOS", "Mobile")
	f("SAMSUNG-GT-E2232/1.0 Openwave/6.2.3 Profile/MIDP-2.0 Configuration/CLDC-1.1 UP.Browser/6.2.3.3.c.1.101 (GUI) MMP/2.0", "UP.Browser", "(none)", "Mobile")
	f("Reeder/2.1.1 CFNetwork/672.0.8 Darwin/14.0.0", "Reeder", "(none)", "(none)")
	f("QS304 Profile/MIDP-2.0 Configuration/CLDC-1.1", "(none)", "(none)", "Mobile")
	// Television and consoles.
	f("Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) 94.0.4606.31/7.0 TV Safari/537.36", "Safari", "Tizen", "TV")
	f("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.5359.211 Safari/537.36", "Chrome", "webOS", "TV")
	f("Mozilla/5.0 (PlayStation; PlayStation 5/9.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15", "Safari", "PlayStation", "TV")
	// Apps that show pages in themselves.
	f(webview, "Android WebView", "Android", "Mobile")
	f(webview+" [FB_IAB/FB4A;FBAV/530.0.0.48.74;]", "Facebook", "Android", "Mobile")
	f(webview+" Barcelona 448.0.0.54.85 Android (36/16; 540dpi; 1080x2340; samsung; SM-S926U; e2q; qcom; en_US; 1073639361)", "Threads", "Android", "Mobile")
	f(ios+"Mobile/22H31 Instagram 400.0.0.29.66 (iPhone16,2; iOS 18_7; en_US; en; scale=3.00; 1290x2796; 790000000)", "Instagram", "iOS", "Mobile")
	f(ios+"GSA/404.0.856692123 Mobile/15E148 Safari/604.1", "Google App", "iOS", "Mobile")
	f(ios+"Version/26.5 Mobile/15E148 Safari/604.1 Ddg/26.5", "DuckDuckGo", "iOS", "Mobile")
	f(ios+"Version/26.6.1 Mobile/15E148 Snapchat/14.25.0.48 (like Safari/8624.5.1.10.3, panda)", "Snapchat", "iOS", "Mobile")
	f(ios+"Mobile/15E148 musical_ly_41.5.0 JsSdk/2.0 NetType/WIFI Channel/App Store BytedanceWebview/d8a21c6", "TikTok", "iOS", "Mobile")
	f(ios+"Mobile/15E148 [LinkedInApp]/9.31.4287", "LinkedIn", "iOS", "Mobile")
	f(ios+"Mobile/15E148 MicroMessenger/8.0.60(0x18003c2f) NetType/WIFI Language/zh_CN", "WeChat", "iOS", "Mobile")
	f(ios+"Mobile/15E148 [Pinterest/iOS]", "Pinterest", "iOS", "Mobile")
	f("Mozilla/5.0 (Linux; U; Android 12; zh-CN; V2072A) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/83.0.4103.106 Mobile Safari/537.36 SogouMSE,SogouMobileBrowser/5.30.8", "Sogou Explorer", "Android", "Mobile")
}

// TestVersions: of each way to say a version one.
func TestVersions(t *testing.T) {
	f := func(ua, browser, os string) {
		t.Helper()
		got := sharedTables().parseAgent(ua)
		if b, o := got.browser+" "+got.browserVersion, got.os+" "+got.osVersion; b != browser || o != os {
			t.Errorf("%s\n got %q on %q\nwant %q on %q", ua, b, o, browser, os)
		}
	}
	const (
		win = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
		mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
		ios = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
		wv  = "Mozilla/5.0 (Linux; Android 16; SM-S926U Build/BP4A.251205.006; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/153.0.8010.36 Mobile Safari/537.36"
	)
	// Windows.
	f(win+"Chrome/149.0.0.0 Safari/537.36", "Chrome 149", "Windows 10")
	f(win+"Chrome/149.0.0.0 Safari/537.36 Edg/148.0.0.0", "Edge 148", "Windows 10")
	f(win+"Chrome/64.0.3282.140 Safari/537.36 Edge/17.17134", "Edge 17", "Windows 10")
	f(win+"Chrome/148.0.0.0 Safari/537.36 OPR/132.0.0.0", "Opera 132", "Windows 10")
	f("Mozilla/5.0 (Windows NT 6.3; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0", "Firefox 115", "Windows 8.1")
	f("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; Touch; rv:11.0) like Gecko", "Internet Explorer 11", "Windows 7")
	f("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)", "Internet Explorer 8", "Windows XP")
	f("Mozilla/4.0 (compatible; MSIE 5.0; Windows 98; DigExt)", "Internet Explorer 5", "Windows 98")
	f("Opera/9.80 (Windows NT 6.0; WOW64) Presto/2.12.388 Version/12.16", "Opera 12", "Windows Vista")
	f("Opera/9.64 (Windows NT 99.9)", "Opera 9", "Windows (none)")
	// macOS, Linux and others.
	f(mac+"Version/26.0 Safari/605.1.15", "Safari 26", "macOS 10.15")
	f("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:151.0) Gecko/20100101 Firefox/151.0", "Firefox 151", "macOS 10.15")
	f("Mozilla/5.0 (Macintosh; Intel Mac OS X 13_4) AppleWebKit/605.1.15 (KHTML, like Gecko)", "macOS WebView (none)", "macOS 13")
	f("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:26.0) Gecko/20100101 Firefox/26.0", "Firefox 26", "Linux (none)")
	f("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36", "Chrome 149", "ChromeOS 14541")
	f("Lynx/2.8.7rel.2 libwww-FM/2.14", "Lynx 2", "(none) (none)")
	f("Links (2.7; CYGWIN_NT-5.1 1.7.15(0.260/5/3) i686; GNU C 4.5.3; text)", "Links 2", "(none) (none)")
	f("Mozilla/5.0 (PlayStation; PlayStation 5/9.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15", "Safari 17", "PlayStation 5")
	f("Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) 94.0.4606.31/7.0 TV Safari/537.36", "Safari (none)", "Tizen 7")
	f("Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5", "Firefox 48", "KaiOS 2")
	f("Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15254", "Edge 15", "Windows Phone 10")
	f("Mozilla/5.0 (compatible; MSIE 9.0; Windows Phone OS 7.5; Trident/5.0; IEMobile/9.0)", "Internet Explorer 9", "Windows Phone 7")
	// Phones.
	f(ios+"Version/26.6.1 Mobile/15E148 Safari/604.1", "Safari 26", "iOS 18")
	f(ios+"CriOS/149.0.7827.50 Mobile/15E148 Safari/604.1", "Chrome 149", "iOS 18")
	f(ios+"Mobile/15E148", "iOS WebView (none)", "iOS 18")
	f("Mozilla/5.0 (iPad; CPU OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Mobile/15E148 Safari/604.1", "Safari 13", "iOS 13")
	f("Mozilla/5.0 (iPhone; U; CPU like Mac OS X; en) AppleWebKit/420+ (KHTML, like Gecko) Version/3.0 Mobile/1A543a Safari/419.3", "Safari 3", "iOS (none)")
	f("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Mobile Safari/537.36", "Chrome 149", "Android 10")
	f("Mozilla/5.0 (Linux; U; Android 4.0.4; en-us; LG-MS770 Build/IMM76D) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30", "Android Browser 4", "Android 4")
	f("Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16", "Opera Mini 36", "Android (none)")
	// Apps.
	f(wv, "Android WebView 153", "Android 16")
	f(wv+" [FB_IAB/FB4A;FBAV/530.0.0.48.74;]", "Facebook 530", "Android 16")
	f(ios+"Mobile/22H31 Instagram 400.0.0.29.66 (iPhone16,2; iOS 18_7; en_US)", "Instagram 400", "iOS 18")
	f(ios+"Mobile/15E148 musical_ly_41.5.0 JsSdk/2.0 NetType/WIFI BytedanceWebview/d8a21c6", "TikTok 41", "iOS 18")
	f(ios+"Mobile/15E148 [LinkedInApp]/9.31.4287", "LinkedIn 9", "iOS 18")
	f(ios+"Mobile/15E148 [Pinterest/iOS]", "Pinterest (none)", "iOS 18")
	f("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36 (Ecosia android@151.0.0.0)", "Ecosia 151", "Android 10")
	// What is no version.
	f(win+"Chrome/1234567.0 Safari/537.36", "Chrome (none)", "Windows 10")
	f(win+"Chrome/", "Chrome (none)", "Windows 10")
}

func TestBot(t *testing.T) {
	f := func(ua, want string) {
		t.Helper()
		if got := sharedTables().botByAgent(ua); got != want {
			t.Errorf("%q\n got %q\nwant %q", ua, got, want)
		}
	}
	f("", reasonEmpty)
	f("-", reasonMalformed)
	f("Mozilla/5.0", reasonMalformed)
	f("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", reasonSearch)
	f("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36", reasonSearch)
	f("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", reasonAI)
	f("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", reasonPreview)
	f("WhatsApp/2.23.20.0 A", reasonPreview)
	f("Tiny Tiny RSS/1.11 (http://tt-rss.org/)", reasonFeed)
	f("Digg Feed Fetcher 1.0 (Mozilla/5.0 (Macintosh; Intel Mac OS X 10_7_1) AppleWebKit/534.48.3 (KHTML, like Gecko) Version/5.1 Safari/534.48.3)", reasonFeed)
	f("fetch libfetch/2.0", reasonLibrary)
	for _, ua := range []string{
		"kube-probe/1.29", "ELB-HealthChecker/2.0", "GoogleHC/1.0", "Envoy/HC", "Consul Health Check", "Edge Health Probe", "Load Balancer Agent", "Prometheus/2.51.0",
		"GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)", "Mozilla/5.0 (compatible; GoogleStackdriverMonitoring)",
		"Amazon-Route53-Health-Check-Service (ref 1; report http://amzn.to/1vsZADi)", "Amazon Route 53 Health Check",
	} {
		f(ua, reasonMonitoring)
	}
	f("UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/", reasonLink)
	f("curl/8.5.0 (linux) libcurl/8.5.0", reasonLibrary)
	f("my curl/8.5.0 thing", reasonLibrary) // the list wants curl at the beginning
	f("python-requests/2.31.0", reasonLibrary)
	f("Go-http-client/1.1", reasonLibrary)
	f("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.6099.28 Safari/537.36", reasonAutomation)
	f("Some Qualys SSL Labs", reasonScanner) // bound to the end
	f("Mozilla/5.0 (compatible; SomeNewSpider/1.0)", reasonCrawler)
	f("SomeNewBot/1.0 (no link)", reasonCrawler)
	f("SomeNewBotClient/1.0 (no link)", reasonCrawler)
	f("New robots/1.0", reasonCrawler)
	f("Boto3/1.28 Botocore/1.31", reasonCrawler)
	f("Apache-HttpClient/4.5 (Java/1.8.0_161)", reasonLibrary)
	f("Viber", reasonPreview)
	f("Viber/13.3 (link preview)", reasonPreview)
	f("Mozilla/5.0 (compatible; Butterfly/1.0; +a@b.example)", reasonCrawler)
	f("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; Google-Something) Chrome/120.0.0.0 Safari/537.36", reasonCrawler)
	// Crawlers that pretend to be a phone.
	f("Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", reasonSearch)
	f("Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3.170816.012; Storebot-Google/1.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/81.0.4044.138 Mobile Safari/537.36", reasonSearch)
	f("Mozilla/5.0 (Linux; Android 13; Cubot P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36 SomeSpider/1.0", reasonCrawler)
	f("Mozilla/5.0 (Linux; Android 7.0;) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; PetalBot;)", reasonSearch)
	// People.
	f("Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/92.0.4515.115 Mobile Safari/537.36", "")
	f("Mozilla/5.0 (Some SSL Labs Browser) AppleWebKit/537.36 (KHTML, like Gecko) Safari/537.36", "")
}

// TestCompatible: neither list knew a crawler that made a twelfth of a real log's page views.
func TestCompatible(t *testing.T) {
	f := func(ua, want string) {
		t.Helper()
		if got := sharedTables().parseAgent(ua).bot; got != want {
			t.Errorf("%q: got %q, want %q", ua, got, want)
		}
	}
	f("Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)", reasonCrawler)
	f("Mozilla/4.0 (compatible;)", reasonCrawler)
	f("Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; WOW64; Trident/6.0)", "")
	f("Mozilla/5.0 (compatible; Konqueror/3.5; OpenBSD) KHTML/3.5.9 (like Gecko)", "")
}

// agentsIn returns the user agents of a file, one a line; "#" begins a comment.
func agentsIn(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var agents []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			agents = append(agents, line)
		}
	}
	return agents
}

// TestPeople: people were bots by the name of their phone, its build or the app that shows the page.
func TestPeople(t *testing.T) {
	agents := agentsIn(t, "testdata/people.txt")
	for _, ua := range agents {
		if reason := sharedTables().parseAgent(ua).bot; reason != "" {
			t.Errorf("%q is taken for a bot: %s", ua, reason)
		}
	}
	if len(agents) < 50 {
		t.Errorf("only %d user agents were looked at", len(agents))
	}
}

// TestAgents counts what is taken for a bot of the user agents that internal/gen/agents.py writes into the folder
// $MILLRACE_TEST_AGENTS.
func TestAgents(t *testing.T) {
	dir := os.Getenv("MILLRACE_TEST_AGENTS")
	if dir == "" {
		t.Skip("MILLRACE_TEST_AGENTS names no folder that internal/gen/agents.py wrote: nothing is measured")
	}
	f := func(file string, least, from, to int) {
		t.Helper()
		agents, found := agentsIn(t, filepath.Join(dir, file)), 0
		for _, ua := range agents {
			if sharedTables().parseAgent(ua[:min(len(ua), maxAgentLen)]).bot != "" {
				found++
			}
		}
		t.Logf("%s: %d of %d user agents are taken for bots'", file, found, len(agents))
		if len(agents) < least || found < from || found > to {
			t.Errorf("%s: %d of %d are taken for bots', want %d to %d of %d or more", file, found, len(agents), from, to, least)
		}
	}
	f("people.txt", 34_000, 0, 17) // a twentieth of a percent; 175 before the list was tried on people
	f("apps.txt", 1_000, 0, 5)
	f("bots.txt", 1_300, 1_277, 1_348) // 1,276 before
	// 2,117 before. Four of them are people's: a build number of Android phones, Facebook's app, Fluid and Visual Studio Code.
	f("crawlers.txt", 2_100, 2_113, 2_117)
}
