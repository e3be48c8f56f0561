package identity

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
	"unsafe"
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
	if IsPlain(s) {
		return true
	}
	for i := 0; i < len(s); i++ {
		if isControl(rune(s[i])) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// IsPlain reports whether a text is ASCII without control characters, as most are. It looks at 8
// bytes at a time; the last 8 overlap those before.
func IsPlain(s string) bool {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	if len(b) < 8 {
		for _, c := range b {
			if c-0x20 >= 0x7f-0x20 {
				return false
			}
		}
		return true
	}
	for ; len(b) > 8; b = b[min(8, len(b)-8):] {
		if !isPlainWord(binary.LittleEndian.Uint64(b)) {
			return false
		}
	}
	return isPlainWord(binary.LittleEndian.Uint64(b))
}

// isPlainWord is IsPlain of 8 bytes. The mask has the high bits of bytes above 0x7f, of those below
// 0x20, from which the subtraction borrows, and of 0x7f, which the addition makes 0x80. That a borrow
// or a carry reaches the next byte too is of no matter: then the answer is known.
func isPlainWord(w uint64) bool {
	const ones, highs = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	return (w|(w-0x20*ones)|(w+ones))&highs == 0
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
