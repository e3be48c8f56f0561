package facts

import (
	"strings"

	"millrace/engine/window"
)

// splitURL takes the address of a page apart, as views: host without port, path ("/" if it is empty; "" if there
// is no page at all) and query. It reads what trackers send, not what RFC 3986 allows: the scheme may be missing
// ("example.com/a", "//example.com/a"), and so may the host ("/a").
func splitURL(u string) (host, path, query string) {
	u, _, _ = strings.Cut(strings.TrimLeft(u, " "), "#")
	u, query, _ = strings.Cut(u, "?")
	if u == "" && query == "" {
		return "", "", ""
	}
	_, authority, path, ok := cutAuthority(u)
	switch {
	case ok:
	case strings.HasPrefix(u, "/") || u == "":
		path = u
	default:
		first, _, _ := strings.Cut(u, "/")
		if bareHost(first) {
			authority, path = first, u[len(first):]
		} else if !strings.Contains(first, ":") {
			path = "/" + u[:min(len(u), maxPathLen)]
		} else {
			return "", "", "" // about:blank, data:, mailto: are no pages
		}
	}
	if path == "" {
		path = "/"
	}
	return hostOf(authority), path, query
}

// maxPathLen is the length from which a path that must be copied is cut: values are shorter.
const maxPathLen = 1 << 10

// cutAuthority splits "scheme://authority/path" and "//authority/path".
func cutAuthority(u string) (scheme, authority, path string, ok bool) {
	i := strings.IndexByte(u, '/')
	if i < 0 || i+1 >= len(u) || u[i+1] != '/' {
		return "", "", "", false
	}
	if i > 0 {
		if u[i-1] != ':' {
			return "", "", "", false
		}
		scheme = u[:i-1]
	}
	authority = u[i+2:]
	if j := strings.IndexByte(authority, '/'); j >= 0 {
		authority, path = authority[:j], authority[j:]
	}
	return scheme, authority, path, true
}

// bareHost says whether the part of a URL before its first slash is a host although no scheme comes before it:
// it has a dot or a port.
func bareHost(s string) bool {
	name, port, found := strings.Cut(s, ":")
	if found {
		return name != "" && port != "" && strings.Trim(port, "0123456789") == ""
	}
	return strings.Contains(name, ".")
}

// hostOf strips user and port from an authority and makes it lower case.
func hostOf(authority string) string {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && strings.IndexByte(authority[i:], ']') < 0 {
		authority = authority[:i]
	}
	authority = strings.TrimSuffix(authority, ".")
	return strings.ToLower(authority[:min(len(authority), maxHostLen)])
}

// maxHostLen is the longest name that DNS has.
const maxHostLen = 253

// validHost says whether s can be a host: letters, digits, dots and hyphens, an IPv6 address in brackets, or
// anything that is not ASCII.
func validHost(s string) bool {
	if s == "" {
		return false
	}
	inner, v6 := strings.CutPrefix(s, "[")
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

func trimWWW(host string) string { return strings.TrimPrefix(host, "www.") }

// hostname returns the dimension of a host that splitURL found.
func hostname(host string) string {
	host = trimWWW(host)
	if !validHost(host) {
		return window.None
	}
	return clean(host)
}
