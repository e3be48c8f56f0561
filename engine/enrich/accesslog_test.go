package enrich

import (
	"bufio"
	"os"
	"regexp"
	"strings"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

// accessLog is 10,000 lines of a real web site's log of May 2015, kept beside the repository.
const accessLog = "../../../shared/data/apache_combined.log"

var combined = regexp.MustCompile(`^(\S+) \S+ \S+ \[[^\]]+\] "GET (\S+)[^"]*" (\d{3}) \S+ "([^"]*)" "([^"]*)"`)

const assets = " .css .js .mjs .map .png .jpg .jpeg .gif .ico .svg .webp .avif .woff .woff2 .ttf .eot .otf .mp4 .webm .mp3 "

// pageviews returns the events that importing the log gives.
func pageviews(t *testing.T) []event.Event {
	t.Helper()
	file, err := os.Open(accessLog)
	if os.IsNotExist(err) {
		t.Skipf("the access log %s is not here: nothing is compared with it", accessLog)
	} else if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var events []event.Event
	for sc := bufio.NewScanner(file); sc.Scan(); {
		m := combined.FindStringSubmatch(sc.Text())
		if m == nil || m[3][0] != '2' && m[3] != "304" {
			continue
		}
		path, _, _ := strings.Cut(m[2], "?")
		if i := strings.LastIndexByte(path, '.'); i >= 0 && strings.Contains(assets, " "+strings.ToLower(path[i:])+" ") {
			continue
		}
		e := event.Event{Site: "semicomplete.com", Name: event.Pageview, URL: m[2], Client: "import"}
		if m[4] != "-" {
			e.Referrer = m[4]
		}
		if m[5] != "-" {
			e.UA = m[5]
		}
		events = append(events, e)
	}
	return events
}

// TestAccessLog counts a real log. The numbers were compared with a recount that shares no code with this package: the
// crawler list's own regular expressions and a few tokens, in Python.
func TestAccessLog(t *testing.T) {
	events := pageviews(t)
	if len(events) != 4232 {
		t.Fatalf("the log gives %d page views, want 4232: is it another log?", len(events))
	}
	got := make(map[window.Dim]map[string]int)
	for d := range window.NumDims {
		got[d] = make(map[string]int)
	}
	d := New(Options{})
	for _, e := range events {
		var r window.Row
		whole(d, &e, &r)
		for dim, v := range r.Dims {
			if v != "" {
				got[window.Dim(dim)][v]++
			}
		}
	}
	f := func(dim window.Dim, total int, want map[string]int) {
		t.Helper()
		sum := 0
		for _, n := range got[dim] {
			sum += n
		}
		if sum != total {
			t.Errorf("%s: %d in all, want %d", dim, sum, total)
		}
		for v, n := range want {
			if got[dim][v] != n {
				t.Errorf("%s %q: got %d, want %d", dim, v, got[dim][v], n)
			}
		}
	}
	// 4,232 = 1,779 people + 2,453 bots. A recount that knows bots by the crawler list and isbot's words only has 183 more
	// people: Ezooms (152), "Mozilla/4.0 (compatible;)" (6), Digg Feed Fetcher (21) and libfetch (4); and 2 fewer, who browse
	// with ELinks and MAXX_MAUI WAP Browser.
	f(window.Name, 1779, map[string]int{"pageview": 1779})
	f(window.Reason, 2453, map[string]int{
		reasonSearch: 987, reasonFeed: 491, reasonLink: 405, reasonCrawler: 249, reasonArchiver: 165, reasonEmpty: 75,
		reasonPreview: 44, reasonMalformed: 14, reasonLibrary: 16, reasonScanner: 4, reasonMonitoring: 2, reasonAutomation: 1,
	})
	// "Safari/" without "Chrome/" and "Android" is in 53: Silk has 4 of them and the Google app 1. "Opera" is in 33: Opera Mini 2.
	f(window.Browser, 1779, map[string]int{
		"Firefox": 927, "Chrome": 433, "Internet Explorer": 263, "Safari": 48, "Chromium": 41, "Opera": 31, "(none)": 7,
		"Amazon Silk": 4, "Android Browser": 4, "SeaMonkey": 3, "iOS WebView": 3, "Opera Mini": 2, "GNOME Web": 1, "Konqueror": 1, "Google App": 1, "Instagram": 1,
		"Midori": 3, "Conkeror": 1, "UP.Browser": 1, "Reeder": 1, "Lynx": 1, "Links": 2,
	})
	// "Linux" or "X11" without "Android" is in 480: Chromebooks have 3 of them, FreeBSD 1, Solaris 1, and Silk 4, which runs on Android
	// and does not say so.
	f(window.OS, 1779, map[string]int{"Windows": 809, "Linux": 471, "macOS": 420, "iOS": 27, "Android": 24, "ChromeOS": 3})
	// Versions: compared with regular expressions for the browser's own token, in Python.
	f(window.BrowserVersion, 1779, map[string]int{"32": 326, "27": 253})
	f(window.OSVersion, 1779, map[string]int{"7": 425, "10.7": 300, "XP": 274, "10.9": 96, "8.1": 44, "98": 1})
	f(window.Channel, 1236, map[string]int{"Direct": 474, "Organic Search": 513, "Referral": 182, "Other": 65, "Organic Social": 2})
	f(window.Device, 1779, map[string]int{"Desktop": 1707, "Mobile": 37})
	// Referrers on semicomplete.com and www.semicomplete.com count in neither family, unless the URL has a tag.
	f(window.Source, 1236, map[string]int{"(none)": 474, "Google": 493, "feedburner": 65, "Stack Overflow": 34, "DuckDuckGo": 14, "Wikipedia": 12})
}
