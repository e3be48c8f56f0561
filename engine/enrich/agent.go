package enrich

import (
	"strings"

	"millrace/engine/window"
)

// agent is what a user agent says.
type agent struct {
	browser, browserVersion string
	os, osVersion           string
	device                  string
	bot                     string // why it is taken for a bot, "" if it is not
}

// maxAgentLen is how much of a user agent is read, in bytes. Browsers stay below 300, apps below 500.
const maxAgentLen = 512

// parseAgent reads a user agent by tokens: of each list the first that occurs decides. Browsers put the names
// of all their ancestors into their user agents and their own where no ancestor had one, so order is all there is to
// it: Edge before Opera before Chrome before Safari. On 952 user agents of real browsers these rules were held against
// go-useragent 1.2.4: they differed in 66, of which 59 are apps or WebViews that it does not know and the others were
// looked at one by one and are right here. A browser on an iPad that asks for desktop pages says it is
// on a Mac, and can't be told from one.
func (t *tables) parseAgent(ua string) agent {
	a := agent{bot: t.botByAgent(ua)}
	a.os = nameOf(first(systems[:], ua))
	a.osVersion = osVersion(ua, a.os)
	a.browser, a.browserVersion = browserOf(ua, a.os)
	a.device = deviceOf(ua, a.os)
	if a.bot == "" && a.browser == window.None && a.os == window.None && strings.Contains(ua, "(compatible;") && first(compatible[:], ua) == nil {
		// "Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)": browsers that call themselves compatible say which
		// browser and which system they are.
		a.bot = reasonCrawler
	}
	return a
}

// compatible are the systems of browsers that call themselves compatible and that systems has no name for: home computers,
// feature phones, television sets.
var compatible = [...]rule{
	{token: "AmigaOS"}, {token: "BeOS"}, {token: "RISC OS"}, {token: "Syllable"}, {token: "CellPhone"}, {token: "Brew "}, {token: "InfiNet "},
	{token: "Maple "},
}

// A rule gives a name to user agents that hold a token.
type rule struct{ token, name string }

// first returns the first rule whose token ua holds, nil if there is none.
func first(rules []rule, ua string) *rule {
	for i := range rules {
		if strings.Contains(ua, rules[i].token) {
			return &rules[i]
		}
	}
	return nil
}

func nameOf(r *rule) string {
	if r == nil {
		return window.None
	}
	return r.name
}

const (
	osAndroid  = "Android"
	osIOS      = "iOS"
	osMacOS    = "macOS"
	osWindows  = "Windows"
	osLinux    = "Linux"
	osChromeOS = "ChromeOS"
)

// systems: phones first, since they claim to be like desktops and like one another.
var systems = [...]rule{
	{"Windows Phone", "Windows Phone"}, {"IEMobile", "Windows Phone"}, {"Xbox", "Xbox"}, {"XBOX", "Xbox"},
	{"Windows", osWindows}, {"Win64", osWindows}, {"Win32", osWindows}, {"WinNT", osWindows}, {"Win98", osWindows},
	{"CrOS", osChromeOS}, {"Tizen", "Tizen"}, {"Web0S", "webOS"}, {"webOS", "webOS"}, {"hpwOS", "webOS"}, {"KAIOS", "KaiOS"},
	{"iPhone", osIOS}, {"iPad", osIOS}, {"iPod", osIOS}, {"AppleTV", "tvOS"}, {"Apple TV", "tvOS"}, {"tvOS", "tvOS"},
	{"OpenHarmony", "HarmonyOS"}, {"Android", osAndroid}, {"Silk-Accelerated", osAndroid},
	{"Macintosh", osMacOS}, {"Mac OS X", osMacOS}, {"Mac_PowerPC", osMacOS},
	{"BlackBerry", "BlackBerry"}, {"BB10", "BlackBerry"}, {"PlayBook", "BlackBerry"}, {"Symbian", "Symbian"}, {"SymbOS", "Symbian"},
	{"PlayStation", "PlayStation"}, {"PLAYSTATION", "PlayStation"}, {"Nintendo", "Nintendo"},
	{"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"NetBSD", "NetBSD"}, {"DragonFly", "DragonFly BSD"}, {"SunOS", "Solaris"}, {"Haiku", "Haiku"},
	{"Linux", osLinux}, {"Ubuntu", osLinux}, {"Fedora", osLinux}, {"X11", osLinux},
}

// browsers: apps that show pages in themselves, then browsers built on others, then the others.
var browsers = [...]rule{
	{"FBAN", "Facebook"}, {"FBAV", "Facebook"}, {"FB_IAB", "Facebook"}, {"Instagram", "Instagram"}, {"Barcelona ", "Threads"},
	{"GSA/", "Google App"}, {"Snapchat", "Snapchat"}, {"musical_ly", "TikTok"}, {"Bytedance", "TikTok"}, {"TikTok", "TikTok"},
	{"Pinterest/", "Pinterest"}, {"Pinterest for", "Pinterest"}, {"LinkedInApp", "LinkedIn"}, {" Line/", "LINE"}, {"Twitter for", "Twitter"},
	{"MicroMessenger", "WeChat"}, {"KAKAOTALK", "KakaoTalk"}, {"NAVER(", "Naver"}, {"DuckDuckGo/", "DuckDuckGo"}, {" Ddg/", "DuckDuckGo"},

	{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"Edge/", "Edge"},
	{"Opera Mini", "Opera Mini"}, {"OPR/", "Opera"}, {"OPT/", "Opera"}, {"OPiOS/", "Opera"}, {"OPX/", "Opera"}, {"Opera", "Opera"},
	{"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"}, {"YaApp_", "Yandex Browser"}, {"YaSearchBrowser/", "Yandex Browser"},
	{"SamsungBrowser/", "Samsung Browser"}, {"HuaweiBrowser/", "Huawei Browser"}, {"MiuiBrowser/", "Mi Browser"}, {"HeyTapBrowser/", "HeyTap Browser"},
	{"VivoBrowser/", "Vivo Browser"}, {"UCBrowser", "UC Browser"}, {"UCWEB", "UC Browser"}, {"UBrowser/", "UC Browser"}, {"QQBrowser", "QQ Browser"},
	{"MetaSr", "Sogou Explorer"}, {"SogouMobileBrowser", "Sogou Explorer"}, {"Whale/", "Whale"}, {"(Ecosia ", "Ecosia"}, {"Brave/", "Brave"}, {"Puffin/", "Puffin"}, {"Maxthon", "Maxthon"},
	{"coc_coc_browser", "Coc Coc"}, {"AvastSecureBrowser", "Avast Browser"}, {"Avast/", "Avast Browser"}, {"Silk/", "Amazon Silk"}, {"Sleipnir/", "Sleipnir"},
	{"NintendoBrowser", "Nintendo Browser"}, {"Falkon/", "Falkon"}, {"QupZilla/", "Falkon"}, {"Epiphany/", "GNOME Web"}, {"Konqueror", "Konqueror"},
	{"SeaMonkey/", "SeaMonkey"}, {"PaleMoon/", "Pale Moon"}, {"Waterfox/", "Waterfox"}, {"K-Meleon/", "K-Meleon"}, {"Camino/", "Camino"},
	{"Midori/", "Midori"}, {"conkeror/", "Conkeror"}, {"UP.Browser", "UP.Browser"}, {"Reeder/", "Reeder"},
	{"Lynx/", "Lynx"}, {"Links (", "Links"},

	{"FxiOS/", "Firefox"}, {"Focus/", "Firefox"}, {"Klar/", "Firefox"}, {"CriOS/", "Chrome"}, {"MSIE ", "Internet Explorer"}, {"Trident/", "Internet Explorer"},
	{"Firefox/", "Firefox"}, {"Iceweasel/", "Firefox"}, {"IceCat/", "Firefox"}, {"Minefield/", "Firefox"}, {"BonEcho/", "Firefox"}, {"GranParadiso/", "Firefox"}, {"Shiretoko/", "Firefox"}, {"Namoroka/", "Firefox"}, {"; wv)", "Android WebView"},
	{"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"BlackBerry", "BlackBerry Browser"}, {"BB10", "BlackBerry Browser"}, {"Nokia", "Nokia Browser"},
}

// browserOf finishes what browsers begins: WebKit's own browsers say "Safari" and "Version" and nothing else.
func browserOf(ua, os string) (name, version string) {
	if r := first(browsers[:], ua); r != nil {
		return r.name, browserVersion(ua, r)
	}
	if !strings.Contains(ua, "AppleWebKit/") {
		return window.None, window.None
	}
	switch {
	case os == osAndroid:
		return "Android Browser", versionBehind(ua, "Version/")
	case strings.Contains(ua, "Safari/"):
		return "Safari", versionBehind(ua, "Version/")
	case os == osIOS:
		return "iOS WebView", window.None
	case os == osMacOS:
		return "macOS WebView", window.None
	}
	return window.None, window.None
}

const (
	deviceDesktop = "Desktop"
	deviceMobile  = "Mobile"
	deviceTablet  = "Tablet"
	deviceTV      = "TV"
)

// devices that say what they are. What is left is told by the system.
var devices = [...]rule{
	{"SmartTV", deviceTV}, {"SMART-TV", deviceTV}, {"Smart TV", deviceTV}, {"Smart-TV", deviceTV}, {"HbbTV", deviceTV}, {"GoogleTV", deviceTV}, {"Google TV", deviceTV}, {"Android TV", deviceTV},
	{"AppleTV", deviceTV}, {"Apple TV", deviceTV}, {"BRAVIA", deviceTV}, {"Web0S", deviceTV}, {"NetCast", deviceTV}, {"; AFT", deviceTV}, {"CrKey", deviceTV}, {"Roku", deviceTV}, {"VIDAA", deviceTV},
	{"PlayStation Vita", deviceMobile}, {"PlayStation Portable", deviceMobile}, {"PlayStation", deviceTV}, {"PLAYSTATION", deviceTV}, {"Xbox", deviceTV}, {"XBOX", deviceTV}, {"Nintendo Wii", deviceTV}, {"Nintendo Switch", deviceTV}, {"Nintendo", deviceMobile},
	{"Opera Mini", deviceMobile}, {"Opera Mobi", deviceMobile}, {"Windows Phone", deviceMobile}, {"IEMobile", deviceMobile},
	{"iPad", deviceTablet}, {"iPhone", deviceMobile}, {"iPod", deviceMobile}, {"PlayBook", deviceTablet}, {"Kindle", deviceTablet},
}

func deviceOf(ua, os string) string {
	if r := first(devices[:], ua); r != nil {
		return r.name
	}
	mobile := strings.Contains(ua, "Mobile") || strings.Contains(ua, "mobile")
	switch os {
	case osWindows, osMacOS, osChromeOS:
		// "Tablet PC 2.0" and "Touch" stand in the user agents of many ordinary PCs.
		return deviceDesktop
	case osAndroid:
		// Google asks makers of phones to say Mobile and makers of tablets not to.
		if mobile && !strings.Contains(ua, "Tablet") || strings.HasPrefix(ua, "Dalvik/") {
			return deviceMobile
		}
		return deviceTablet
	case "Tizen":
		if strings.Contains(ua, "TV") {
			return deviceTV
		}
		return deviceMobile
	case "webOS", "KaiOS", "BlackBerry", "Symbian", "HarmonyOS":
		return deviceMobile
	case osLinux:
		if mobile {
			return deviceMobile
		}
		return deviceDesktop
	case window.None:
		if mobile || strings.Contains(ua, "MIDP") || strings.Contains(ua, "J2ME") {
			return deviceMobile
		}
		return window.None
	}
	return deviceDesktop // the BSDs, Solaris, Haiku
}
