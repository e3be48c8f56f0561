package device

import "strings"

// maxDeviceParts bounds the parts of a user agent that Without takes out: apps write at most three.
const maxDeviceParts = 4

// Without returns a user agent without its descriptions of devices; their brackets stay. It copies
// only what has one.
func Without(ua string) string {
	rest := ua
	var out strings.Builder
	for range maxDeviceParts {
		from, to := nextDevice(rest)
		if from < 0 {
			break
		}
		out.WriteString(rest[:from])
		rest = rest[to:]
	}
	if out.Len() == 0 {
		return ua
	}
	out.WriteString(rest)
	return out.String()
}

// nextDevice returns the inner part of the first comment that describes a device, from -1 if there
// is none.
func nextDevice(ua string) (from, to int) {
	for at := 0; ; {
		i := strings.IndexAny(ua[at:], "([")
		if i < 0 {
			return -1, 0
		}
		from = at + i + 1
		to = from + commentLen(ua[from:])
		if isDevice(ua[:from-1], ua[from:to]) {
			return from, to
		}
		at = to
	}
}

// commentLen returns the length of the comment that s begins with, up to the bracket that closes it
// or the end: models have brackets of their own, "Moto G (4)".
func commentLen(s string) int {
	depth := 1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// programTokens mark a comment that names a program: crawlers that pretend to be a phone have one
// of these in it.
var programTokens = [...]string{"compatible", "://", "@", "bot/", "Bot/", "-Google/"}

// deviceTokens mark a comment that describes a device: the systems of phones and television sets,
// how Instagram lists a screen, how Facebook begins the model.
var deviceTokens = [...]string{
	"Android", "android", "Andr0id", "; Adr ", "Linux; U;", "Windows Phone", "Tizen", "HarmonyOS", "OpenHarmony", "dpi; ", "FBDV/",
}

// makerTokens come before a comment that names the maker.
var makerTokens = [...]string{" Android ", " HbbTV/"}

// isDevice reports whether a comment describes a device; before is what precedes its bracket.
func isDevice(before, comment string) bool {
	if containsAny(comment, programTokens[:]) {
		return false
	}
	if containsAny(comment, deviceTokens[:]) || strings.HasPrefix(comment, "Mobile;") || strings.HasPrefix(comment, "Tablet;") {
		return true
	}
	for _, token := range makerTokens {
		i := strings.LastIndex(before, token)
		if i >= 0 && strings.IndexByte(before[i+len(token):], '(') < 0 {
			return true
		}
	}
	return false
}

func containsAny(s string, tokens []string) bool {
	for _, token := range tokens {
		if strings.Contains(s, token) {
			return true
		}
	}
	return false
}
