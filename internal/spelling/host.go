package spelling

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// maxHost is the longest name that DNS has; in escapes it is longer.
const maxHost = 253

// Host returns the one spelling of a host: without user and port, without dots at the end, in lower
// case, with letters in place of Punycode. What is no host is returned in lower case. It takes one
// pass for what nearly always comes: a name that is spelled so already.
func Host(authority string) string {
	if isPlainHost(authority) {
		return authority
	}
	return spellHost(authority)
}

func spellHost(authority string) string {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && strings.IndexByte(authority[i:], ']') < 0 {
		authority = authority[:i]
	}
	authority = strings.TrimRight(authority, ".")
	host := strings.ToLower(authority[:min(len(authority), 3*maxHost)])
	switch {
	case strings.HasPrefix(host, "["):
		return literalHost(host)
	case isForeign(host):
		host = strings.TrimRight(foreignHost(host), ".")
	}
	return host[:min(len(host), maxHost)]
}

// isPlainHost reports whether Host has nothing to change: lower case, digits, and dots, hyphens and
// underscores between them, without two hyphens in a row, which Punycode has.
func isPlainHost(host string) bool {
	if host == "" || len(host) > maxHost || host[len(host)-1] == '.' {
		return false
	}
	before := byte(0)
	for i := 0; i < len(host); i++ {
		c := host[i]
		if !plainHostByte[c] || c == '-' && before == '-' {
			return false
		}
		before = c
	}
	return true
}

// plainHostByte are the bytes of a name that Host leaves as they are.
var plainHostByte = func() (set [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyz0123456789.-_" {
		set[c] = true
	}
	return set
}()

// Hostname is Host without "www.".
func Hostname(authority string) string { return WithoutWWW(Host(authority)) }

// WithoutWWW returns a host that Host returned without "www.", however often it begins with it: what is
// stored passes through Hostname unchanged.
func WithoutWWW(host string) string {
	for strings.HasPrefix(host, "www.") {
		host = host[len("www."):]
	}
	return host
}

// ASCII returns a host as DNS and site ids have it: in lower case, with Punycode in place of letters
// beyond ASCII. What is no name of a host is only put into lower case.
func ASCII(host string) string {
	if isLowerASCII(host) {
		return host
	}
	host = strings.ToLower(host)
	if strings.IndexFunc(host, func(r rune) bool { return r >= 0x80 }) < 0 || !ValidHost(host) {
		return host
	}
	if ascii, err := hosts.ToASCII(host); err == nil {
		return ascii
	}
	return host
}

// isLowerASCII reports whether a text is ASCII without capitals.
func isLowerASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c-'A' <= 'Z'-'A' {
			return false
		}
	}
	return true
}

// isForeign reports whether a host has letters beyond ASCII, in any form.
func isForeign(host string) bool {
	for i := 0; i < len(host); i++ {
		if c := host[i]; c >= 0x80 || c == '%' || c == '-' && strings.HasPrefix(host[max(i-3, 0):], "xn--") {
			return true
		}
	}
	return false
}

// hosts reads the names of hosts as browsers do, but takes underscores, which some hosts have.
var hosts = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// foreignHost returns a host in letters. One that is no such name, or that DNS would look up by
// another, stays as it is.
func foreignHost(host string) string {
	if strings.Contains(host, "%") {
		plain := strings.ToLower(unescape(host, false))
		if !ValidHost(plain) {
			return host
		}
		host = plain
	}
	letters, err := hosts.ToUnicode(host)
	if err != nil {
		return host
	}
	ascii, err := hosts.ToASCII(host)
	if again, err2 := hosts.ToASCII(letters); err != nil || err2 != nil || again != ascii {
		return host
	}
	return letters
}

// literalHost returns an IPv6 address in brackets in its shortest form.
func literalHost(host string) string {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && a.Is6() && a.Zone() == "" {
		return "[" + a.String() + "]"
	}
	return host[:min(len(host), maxHost)]
}

// ValidHost reports whether a host that Host returned can be one: letters, digits, dots, hyphens
// and underscores, an IPv6 address in brackets, or anything that is not ASCII.
func ValidHost(host string) bool {
	inner, v6 := strings.CutPrefix(host, "[")
	if inner == "" || v6 && inner[len(inner)-1] != ']' {
		return false
	}
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c >= 0x80:
		case v6 && (c == ':' || c == ']' && i == len(inner)-1):
		default:
			return false
		}
	}
	return true
}

// HostLike returns the host that a value looks like, one of several labels, without "www.".
func HostLike(v string) (host string, ok bool) {
	host = strings.TrimPrefix(strings.ToLower(v), "www.")
	if !strings.Contains(host, ".") || !ValidHost(host) {
		return "", false
	}
	return Hostname(host), true
}

// Referrer returns the one spelling of a referrer: host and path, without scheme, "www.", port,
// query, fragment and the slashes at the end.
func Referrer(ref string) string {
	if scheme, rest, ok := strings.Cut(ref, "://"); ok && !strings.ContainsAny(scheme, "/?#") {
		ref = rest
	}
	ref, _, _ = strings.Cut(ref, "#")
	ref, _, _ = strings.Cut(ref, "?")
	host, _, _ := strings.Cut(ref, "/")
	return Hostname(host) + ReferrerPath(ref[len(host):])
}

// ReferrerPath is Path without the slashes at the end, and blanks between them.
func ReferrerPath(path string) string { return strings.TrimRight(Path(path), "/ ") }
