package spelling

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"millrace/engine/window"
)

// maxPath is how much of a path is looked at: an escaped byte is three, and window.Clean cuts what
// comes of it.
const maxPath = 4 * window.MaxValueLen

// Path returns the one spelling of a path, or of a pattern of paths whose wildcards are stars.
func Path(p string) string {
	if isPlain(p) {
		return p
	}
	p = cutSessions(unescapePath(strings.TrimRight(p[:min(len(p), maxPath)], " ")))
	if strings.HasPrefix(p, "/") && strings.Contains(p, "/.") && !strings.Contains(p, "#") {
		p = resolveDots(p)
	}
	if kept := strings.TrimRight(p, " "); len(kept) < len(p) {
		p = kept + strings.Repeat("%20", len(p)-len(kept))
	}
	return p
}

// sessions are the parameters of a path by which servers in Java and PHP tell a browser without
// cookies again. Each visitor has a value of his own, and the page is the same.
var sessions = [...]string{";jsessionid=", ";phpsessid="}

// cutSessions takes the parameters of sessions out of a path; others mean something.
func cutSessions(p string) string {
	for from := 0; ; {
		i := strings.IndexByte(p[from:], ';')
		if i < 0 {
			return p
		}
		from += i
		rest := p[from:]
		is := func(name string) bool { return len(rest) >= len(name) && strings.EqualFold(rest[:len(name)], name) }
		if !slices.ContainsFunc(sessions[:], is) {
			from++
			continue
		}
		end := strings.IndexAny(rest[1:], "/;#")
		if end < 0 {
			return p[:from]
		}
		p = p[:from] + rest[1+end:]
	}
}

// PathPart is Path for a part of a path: blanks at its end, segments of dots and sessions stay.
func PathPart(p string) string {
	if isPlain(p) {
		return p
	}
	return unescapePath(p[:min(len(p), maxPath)])
}

// isPlain reports whether a path has its one spelling for sure.
func isPlain(p string) bool {
	for i := 0; i < len(p); i++ {
		if !plain[p[i]] && (p[i] != '.' || i > 0 && p[i-1] == '/') {
			return false
		}
	}
	return true
}

// plain are the characters of a path that stay wherever they are.
var plain = func() (set [256]bool) {
	for c := byte('!'); c < 0x7f; c++ {
		set[c] = c != '%' && c != '.' && c != '\\' && c != ';' && !mustEscape(c)
	}
	return set
}()

// unescapePath does what does not depend on where the ends of a path are.
func unescapePath(p string) string {
	b := make([]byte, 0, len(p)+8)
	beyond := false // there is something beyond ASCII
	for i := 0; i < len(p); i++ {
		c := p[i]
		escaped := false
		if c == '%' {
			if v, ok := unhex(p[i+1:]); ok {
				c, escaped = v, true
				i += 2
			}
		}
		switch {
		case c == '\\' && !escaped:
			b = append(b, '/')
		case c >= 0x80:
			beyond = true
			b = append(b, c)
		case c < ' ', c == 0x7f, c == '%', mustEscape(c), escaped && isReserved(c):
			b = appendEscape(b, c)
		default:
			b = append(b, c)
		}
	}
	if !beyond {
		return string(b)
	}
	return composed(string(escapeRunes(b)))
}

// escapeRunes escapes bytes that are no UTF-8 and runes that can't be seen or change how others
// look.
func escapeRunes(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) || isInvisible(r) {
			for _, c := range b[:n] {
				out = appendEscape(out, c)
			}
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

// isInvisible reports whether a rune ends lines or turns the direction of text.
func isInvisible(r rune) bool {
	return r == '\u2028' || r == '\u2029' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// composed returns text in the form NFC, in which one letter has one spelling, and not as a letter
// and its accents. Escapes are no letters: an accent behind "%0A" stays.
func composed(s string) string {
	if norm.NFC.IsNormalString(s) {
		return s
	}
	var out strings.Builder
	for s != "" {
		escape := ""
		if s[0] == '%' {
			escape, s = s[:3], s[3:]
		}
		text := s
		if i := strings.IndexByte(s, '%'); i >= 0 {
			text = s[:i]
		}
		s = s[len(text):]
		out.WriteString(escape)
		// U+1FEF is composed to the grave accent of ASCII.
		out.WriteString(strings.ReplaceAll(norm.NFC.String(text), "`", "%60"))
	}
	return out.String()
}

// mustEscape reports whether a character that can be seen is in no URL without an escape.
func mustEscape(c byte) bool { return c == '"' || c == '<' || c == '>' || c == '`' }

// isReserved reports whether a character means something else than its escape, by RFC 3986, or to
// those who read paths as browsers do.
func isReserved(c byte) bool { return strings.IndexByte(":/?#[]@!$&'()*+,;=\\", c) >= 0 }

func appendEscape(b []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(b, '%', digits[c>>4], digits[c&15])
}

// unhex returns the byte that s begins with, as two hexadecimal digits.
func unhex(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	high, ok1 := digit(s[0])
	low, ok2 := digit(s[1])
	return high<<4 | low, ok1 && ok2
}

func digit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// resolveDots takes the segments "." and ".." out of a path, the latter with the segment before it.
func resolveDots(p string) string {
	var out []string
	rest, more := p[1:], true
	for more {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		switch segment {
		case ".", "..":
			if segment == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if !more {
				out = append(out, "")
			}
		default:
			out = append(out, segment)
		}
	}
	return "/" + strings.Join(out, "/")
}
