package enrich

import (
	"strings"
	"unicode/utf8"
)

// MaxUA is the longest user agent that is kept, in bytes; longer ones are cut, here and before they are hashed.
const MaxUA = 1024

// Clean makes a text fit to be stored that is not its sender's wording but some software's, a header or a log's field: at most
// so many bytes, valid UTF-8 with U+FFFD for what is not, without control characters.
func Clean(s string, most int) string {
	s = Cut(s, most)
	if isClean(s) {
		return s
	}
	return Cut(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r // of invalid UTF-8, U+FFFD
	}, s), most)
}

func isClean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// Cut returns the first bytes of s, at most so many, without splitting a character.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
