package spelling

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"millrace/engine/window"
)

// Value returns the one spelling of a value that is no address: as window.Clean makes it, with
// letters in the form NFC. It takes one pass for what nearly always comes: ASCII that is clean.
func Value(s string) string {
	// Nothing behind this is kept: the longest value, if each of its letters is composed of
	// several.
	s = s[:min(len(s), 3*window.MaxValueLen+utf8.UTFMax)]
	if s == "" {
		return window.None
	}
	if len(s) > window.MaxValueLen || s[0] == ' ' || s[len(s)-1] == ' ' {
		return window.Clean(letters(s))
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '\\' {
			return window.Clean(letters(s))
		}
	}
	return s
}

// Part is Value for a part of one: it is neither trimmed nor cut, and may be empty.
func Part(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case r < 0x20, r == 0x7f:
			return ' '
		}
		return r
	}, letters(s))
}

// letters returns text in the form NFC. Bytes that are no UTF-8 are replaced before: what follows
// one is not composed.
func letters(s string) string { return norm.NFC.String(strings.ToValidUTF8(s, "\ufffd")) }

// ParamName returns the name of a parameter without what is left of "&amp;" where an address was
// copied out of a page's source.
func ParamName(name string) string {
	for len(name) > len(amp) && strings.EqualFold(name[:len(amp)], amp) {
		name = name[len(amp):]
	}
	return name
}

const amp = "amp;"

// Unescape returns the text of a parameter's value: "+" and "%20" are blanks, and what is no escape
// stays.
func Unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	return unescape(s, true)
}

func unescape(s string, plus bool) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if v, ok := unhex(s[i+1:]); ok {
				b = append(b, v)
				i += 2
				continue
			}
		}
		if c == '+' && plus {
			c = ' '
		}
		b = append(b, c)
	}
	return string(b)
}
