package spelling

import "strings"

// SplitURL takes the address of a page apart: host as Host has it, and as views path ("/" if it is
// empty; "" if there is no page at all) and query, as they came. It reads what trackers send, not
// what RFC 3986 allows: the scheme may be missing ("example.com/a", "//example.com/a"), and so may
// the host ("/a").
func SplitURL(u string) (host, path, query string) {
	u, _, _ = strings.Cut(strings.TrimLeft(u, " "), "#")
	u, query, _ = strings.Cut(u, "?")
	if u == "" && query == "" {
		return "", "", ""
	}
	_, authority, path, ok := CutAuthority(u)
	switch {
	case ok:
	case strings.HasPrefix(u, "/") || u == "":
		path = u
	default:
		first, _, _ := strings.Cut(u, "/")
		if BareHost(first) {
			authority, path = first, u[len(first):]
		} else if !strings.Contains(first, ":") {
			path = "/" + u[:min(len(u), maxPath)]
		} else {
			return "", "", "" // about:blank, data:, mailto: are no pages
		}
	}
	if path == "" {
		path = "/"
	}
	return Host(authority), path, query
}

// WithRoute returns the path of a page that is told apart by the fragment of its URL: with "#" and
// the fragment, up to the query that a router may have put into it. A URL without a fragment, or
// with one that is nothing but a query, has its path.
func WithRoute(path, u string) string {
	_, fragment, _ := strings.Cut(u, "#")
	route, _, _ := strings.Cut(fragment, "?")
	if path == "" || route == "" {
		return path
	}
	return path[:min(len(path), maxPath)] + "#" + route[:min(len(route), maxPath)]
}

// CutAuthority splits "scheme://authority/path" and "//authority/path".
func CutAuthority(u string) (scheme, authority, path string, ok bool) {
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

// BareHost reports whether the part of a URL before its first slash is a host although no scheme
// comes before it: it has a dot or a port.
func BareHost(s string) bool {
	name, port, found := strings.Cut(s, ":")
	if found {
		return name != "" && port != "" && strings.Trim(port, "0123456789") == ""
	}
	return strings.Contains(name, ".")
}
