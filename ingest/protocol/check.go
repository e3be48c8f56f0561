package protocol

import (
	"strings"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/ingest/identity"
)

// CheckText returns what is wrong with s as a text of at most so many bytes, "" for nothing.
func CheckText(s string, most int) string {
	if len(s) > most {
		return "is " + itoa(len(s)) + " bytes long, at most " + itoa(most) + " are allowed"
	}
	if identity.IsPlain(s) {
		return ""
	}
	wide := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < 0x20 || c == 0x7f {
			return "holds a control character at byte " + itoa(i)
		}
		wide = wide || c >= utf8.RuneSelf
	}
	if wide && !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	return ""
}

const (
	// maxAhead is how far the time of an event may lie in the future: clocks differ, time zones must
	// not.
	maxAhead = 60 * event.Second
	// minTime is 1995-01-01. An earlier time is one in another unit.
	minTime event.Time = 788_918_400_000
)

// CheckTime returns what is wrong with t as the time of an event that came in at now, sent in a
// unit such as "milliseconds".
func CheckTime(t, now event.Time, unit string) string {
	switch {
	case t < minTime:
		return t.String() + " is before 1995: it is in " + unit + " since 1970"
	case t > now+maxAhead:
		return t.String() + " is more than " + itoa(int(maxAhead/event.Second)) + " s in the future"
	}
	return ""
}

// CheckSite returns what is wrong with s as a site id.
func CheckSite(s string) string {
	if event.ValidSite(s) != nil {
		return Quote(s) + " is no site id: 1 to 253 of a-z 0-9 . -"
	}
	return ""
}

// CheckURL returns what is wrong with s as the address of a page. It is no parser: what looks like
// an address is kept as it was sent.
func CheckURL(s string) string {
	if s == "" || isWeb(s, "https://") || isWeb(s, "http://") {
		return ""
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) || rest == "" || rest[0] == '/' {
		return Quote(s) + " is not a full address such as https://example.com/page"
	}
	return ""
}

// isWeb reports whether s is a full address that begins with a scheme and "://".
func isWeb(s, scheme string) bool {
	n := len(scheme)
	return len(s) > n && s[:n] == scheme && s[n] != '/'
}

func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// CheckScreen returns what is wrong with s as WIDTHxHEIGHT.
func CheckScreen(s string) string {
	if s == "" {
		return ""
	}
	x := 0 // where the x is
	for x < len(s) && s[x]-'0' <= 9 {
		x++
	}
	if h := len(s) - x - 1; x >= 1 && x <= mostPixels && h >= 1 && h <= mostPixels && s[x] == 'x' {
		i := x + 1
		for i < len(s) && s[i]-'0' <= 9 {
			i++
		}
		if i == len(s) {
			return ""
		}
	}
	return Quote(s) + " is not WIDTHxHEIGHT, such as 1280x720"
}

// mostPixels is how many digits a width and a height have at most.
const mostPixels = 6
