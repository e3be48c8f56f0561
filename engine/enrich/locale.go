package enrich

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"millrace/engine/window"
)

// country returns a code in upper case, None for what is no code or means "unknown" (XX and ZZ are reserved for
// that by ISO 3166-1).
func country(c string) string {
	if len(c) != 2 || !isAlpha(c) {
		return window.None
	}
	switch c = strings.ToUpper(c); c {
	case "XX", "ZZ":
		return window.None
	case "UK": // what ISO 3166 has set aside for those who do not use its own code
		return "GB"
	case "EL":
		return "GR"
	}
	return c
}

// region returns a code of ISO 3166-2 in upper case ("US-CA", "AT-9"), "" for what is none.
func region(c string) string {
	if len(c) < 4 || len(c) > 6 || c[2] != '-' || !isAlpha(c[:2]) {
		return ""
	}
	for i := 3; i < len(c); i++ {
		if !isAlpha(c[i:i+1]) && !isDigit(c[i]) {
			return ""
		}
	}
	return strings.ToUpper(c)
}

// maxCity is the length of the longest city in bytes; the collector keeps no longer ones.
const maxCity = 100

// city returns a GeoNames id, or the name that a source without ids has given, "" for what is neither: a name begins with a letter
// or an apostrophe, so that it is not "(other)", and has no control characters.
func city(s string) string {
	if s == "" || len(s) > maxCity || !utf8.ValidString(s) {
		return ""
	}
	if isDigit(s[0]) {
		if s[0] == '0' || len(s) > 10 || strings.Trim(s, "0123456789") != "" {
			return ""
		}
		return s
	}
	first, _ := utf8.DecodeRuneInString(s)
	if !unicode.IsLetter(first) && !strings.ContainsRune("'‘’", first) || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return value(s)
}

// maxLanguageLen is how much of the first tag of a list is read; the longest that RFC 5646 asks to support is 35.
const maxLanguageLen = 35

// language returns primary language and region of the first tag of what a browser sent: navigator.language or
// an Accept-Language list.
func (d *Deriver) language(s string) string {
	s = s[:min(len(s), maxLanguageLen)]
	if i := strings.IndexAny(s, ",;"); i >= 0 {
		s = s[:i]
	}
	if v, ok := d.languages.get(s); ok {
		return *v
	}
	return *d.languages.put(s, strings.Clone(parseLanguage(s)))
}

// parseLanguage reads one BCP 47 tag (RFC 5646, section 2.1): the primary language of two or three letters, then
// scripts (four letters) and extended languages (three) to be passed over, then the region of two letters or three
// digits.
func parseLanguage(s string) string {
	primary, rest, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(s), "_", "-"), "-")
	if len(primary) < 2 || len(primary) > 3 || !isAlpha(primary) || primary == "und" {
		return window.None
	}
	primary = strings.ToLower(primary)
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "-")
		switch {
		case len(part) == 2 && isAlpha(part), len(part) == 3 && strings.Trim(part, "0123456789") == "":
			return primary + "-" + strings.ToUpper(part)
		case (len(part) == 3 || len(part) == 4) && isAlpha(part):
		default:
			return primary
		}
	}
	return primary
}

func isAlpha(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
