package enrich

import (
	"strings"

	"millrace/engine/window"
)

// versionTokens are the tokens behind which a browser says its version, for rules whose own token is not one: the
// first that is there counts, bars between them. Nothing means that the browser does not say it.
var versionTokens = map[string]string{
	"FBAN": "FBAV/", "FB_IAB": "FBAV/", "LinkedInApp": "LinkedInApp]/", "Twitter for": "Twitter for iPhone/",
	"Bytedance": "", "NAVER(": "", "Nokia": "", "YaApp_": "YaApp_Android/|YaApp_iOS/", "(Ecosia ": "(Ecosia android@|(Ecosia ios@",
	"Opera": "Version/|Opera/|Opera ", "Trident/": "rv:", "; wv)": "Chrome/", "BlackBerry": "Version/", "BB10": "Version/",
}

// browserVersion returns the major version of the browser that a rule of browsers found, None if it does not say
// one.
func browserVersion(ua string, r *rule) string {
	if tokens, ok := versionTokens[r.token]; ok {
		return versionBehind(ua, tokens)
	}
	at := strings.Index(ua, r.token) + len(r.token)
	if at < len(ua) && strings.IndexByte("/ _:", ua[at]) >= 0 {
		at++
	}
	return major(ua[at:])
}

// osTokens are the tokens behind which systems say their version, by name, as in versionTokens.
var osTokens = map[string]string{
	osIOS: " OS |iOS ", osAndroid: "Android ", osMacOS: "Mac OS X ", "Windows Phone": "Windows Phone OS |Windows Phone ",
	"Tizen": "Tizen |Tizen/", "webOS": "hpwOS/|webOS/", "KaiOS": "KAIOS/", "HarmonyOS": "OpenHarmony ", "tvOS": "tvOS ",
	"PlayStation": "PlayStation |PLAYSTATION ", "BlackBerry": "BB|PlayBook; U; RIM Tablet OS ",
}

// windowsNames are the names of Windows by the version of its kernel. 10.0 is Windows 11 as well: Microsoft froze the
// number, and the two can't be told apart by the user agent.
var windowsNames = map[string]string{
	"10.0": "10", "6.3": "8.1", "6.2": "8", "6.1": "7", "6.0": "Vista", "5.2": "XP", "5.1": "XP", "5.0": "2000", "4.0": "NT 4.0",
}

// osVersion returns the version of a system as people say it: the major one, with the minor one of macOS 10.x, the name
// of Windows. Browsers have frozen some: macOS at 10.15, Android at 10, iOS at 18, ChromeOS at the build
// 14541; they are given as they come.
func osVersion(ua, os string) string {
	switch os {
	case osWindows:
		return windowsVersion(ua)
	case osChromeOS:
		// "CrOS x86_64 14541.0.0"
		_, rest, _ := strings.Cut(ua, "CrOS ")
		_, rest, _ = strings.Cut(rest, " ")
		return major(rest)
	case osMacOS:
		if _, rest, ok := strings.Cut(ua, "Mac OS X 10"); ok && rest != "" && (rest[0] == '_' || rest[0] == '.') {
			if minor := major(rest[1:]); minor != window.None {
				return "10." + minor
			}
			return "10"
		}
	}
	return versionBehind(ua, osTokens[os])
}

func windowsVersion(ua string) string {
	_, rest, ok := strings.Cut(ua, "Windows NT ")
	if !ok {
		for _, old := range [...]string{"98", "95", "2000", "XP"} {
			if strings.Contains(ua, "Windows "+old) || strings.Contains(ua, "Win"+old) {
				return old
			}
		}
		return window.None
	}
	end := 0
	for end < len(rest) && (isDigit(rest[end]) || rest[end] == '.') {
		end++
	}
	if name, ok := windowsNames[rest[:end]]; ok {
		return name
	}
	return window.None
}

// versionBehind returns the major version behind the first of some tokens, bars between them, that has one.
func versionBehind(ua, tokens string) string {
	for tokens != "" {
		var token string
		token, tokens, _ = strings.Cut(tokens, "|")
		if _, rest, ok := strings.Cut(ua, token); ok {
			if v := major(rest); v != window.None {
				return v
			}
		}
	}
	return window.None
}

// maxVersionDigits is the longest number that is taken for a version: longer ones are builds and dates.
const maxVersionDigits = 5

// major returns a copy of the number that s begins with, None if it does not.
func major(s string) string {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n == 0 || n > maxVersionDigits {
		return window.None
	}
	return strings.Clone(s[:n])
}
