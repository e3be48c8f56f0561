package identity

import (
	"strings"
	"unicode/utf8"
)

// MaxUA is the longest user agent that is kept, in bytes; longer ones are cut, here and before they are hashed.
const MaxUA = 1024

// Clean makes a text fit to be stored that is not its sender's wording but some software's, a header, an address or a log's
// field: at most so many bytes, valid UTF-8 with U+FFFD for what is not, without control characters, as browsers read addresses.
func Clean(s string, most int) string {
	s = Cut(s, most)
	if isClean(s) {
		return s
	}
	return Cut(strings.Map(func(r rune) rune {
		if isControl(r) {
			return -1
		}
		return r // of invalid UTF-8, U+FFFD
	}, s), most)
}

// CleanWords is Clean for its sender's wording, a name or a value: each control character is a blank, as window.Clean makes it of
// the values of filters. So words on two lines stay two words, and a filter of the value as it was sent finds it.
func CleanWords(s string, most int) string {
	s = Cut(s, most)
	if isClean(s) {
		return s
	}
	return Cut(strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")), most)
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func isClean(s string) bool {
	for i := 0; i < len(s); i++ {
		if isControl(rune(s[i])) {
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
