package window

// closed holds the values of the dimensions that have only a few, as package engine gives them.
var closed = map[Dim][]string{
	Device: {"Desktop", "Mobile", "Tablet", "TV"},
	Screen: {"Mobile", "Tablet", "Laptop", "Desktop"},
	Channel: {
		"Direct", "Cross-network", "Paid Search", "Paid Social", "Paid Video", "Paid Shopping", "Paid Other", "Display",
		"Organic Search", "Organic Social", "Organic Video", "Organic Shopping", "AI Assistants", "Email", "Affiliates",
		"Audio", "SMS", "Mobile Push Notifications", "Referral", "Other",
	},
	Browser: {
		"Chrome", "Safari", "Firefox", "Amazon Silk", "Android Browser", "Android WebView", "Avast Browser",
		"BlackBerry Browser", "Brave", "Camino", "Chromium", "Coc Coc", "Conkeror", "DuckDuckGo", "Ecosia", "Edge",
		"Facebook", "Falkon", "GNOME Web", "Google App", "HeyTap Browser", "Huawei Browser", "Instagram",
		"Internet Explorer", "iOS WebView", "K-Meleon", "KakaoTalk", "Konqueror", "LINE", "LinkedIn", "Links", "Lynx",
		"macOS WebView", "Maxthon", "Mi Browser", "Midori", "Naver", "Nintendo Browser", "Nokia Browser", "Opera Mini",
		"Opera", "Pale Moon", "Pinterest", "Puffin", "QQ Browser", "Reeder", "Samsung Browser", "SeaMonkey", "Sleipnir",
		"Snapchat", "Sogou Explorer", "Threads", "TikTok", "Twitter", "UC Browser", "UP.Browser", "Vivaldi",
		"Vivo Browser", "Waterfox", "WeChat", "Whale", "Yandex Browser",
	},
	OS: {
		"Windows", "Android", "iOS", "BlackBerry", "ChromeOS", "DragonFly BSD", "FreeBSD", "Haiku", "HarmonyOS", "KaiOS",
		"Linux", "macOS", "NetBSD", "Nintendo", "OpenBSD", "PlayStation", "Solaris", "Symbian", "Tizen", "tvOS", "webOS",
		"Windows Phone", "Xbox",
	},
	Reason: {
		"empty user agent", "malformed user agent", "link in user agent", "tool or library", "automated browser",
		"feed reader", "link preview", "search engine", "ai crawler", "scanner", "monitoring", "archiver", "research",
		"advertising", "crawler",
	},
}

// Closed returns all values that a dimension can have besides None and Other, or nil if they are
// not a closed set. The caller must not change the list.
func Closed(d Dim) []string { return closed[d] }
