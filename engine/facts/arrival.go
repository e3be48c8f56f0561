package facts

import (
	"net/url"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
)

// arrival returns Source and Referrer of an event whose URL has this host and query.
func (t *tables) arrival(e *event.Event, host, query string) (source, referrer string) {
	refHost, refPath := splitReferrer(e.Referrer)
	switch {
	case refHost == "":
		source, referrer = window.None, window.None
	case refHost == trimWWW(host) || refHost == trimWWW(e.Site):
		// A step within the site: "" and "".
	default:
		source, referrer = sourceOfHost(refHost), clean(refPath)
	}
	if tag := t.sourceTag(query); tag != "" {
		source = tag
	}
	return source, referrer
}

// splitReferrer returns host (lower case, without "www." and port) and host+path of a referrer; "" for none or for
// one that is no page of a site.
func splitReferrer(ref string) (host, page string) {
	ref, _, _ = strings.Cut(strings.TrimLeft(ref, " "), "#")
	ref, _, _ = strings.Cut(ref, "?")
	scheme, authority, path, ok := cutAuthority(ref)
	if !ok {
		first, _, _ := strings.Cut(ref, "/")
		if !bareHost(first) {
			return "", ""
		}
		authority, path = first, ref[len(first):]
	}
	switch scheme {
	case "http", "https", "", "android-app", "ios-app":
	default:
		return "", ""
	}
	host = trimWWW(hostOf(authority))
	if !validHost(host) {
		return "", ""
	}
	// Path is the end of ref. Nearly always host lies right before it, so that both together are a view.
	end := len(ref) - len(path)
	path = strings.TrimRight(path, "/")
	switch {
	case path == "":
		return host, host
	case strings.HasSuffix(ref[:end], host):
		return host, ref[end-len(host) : end+len(path)]
	}
	return host, host + path[:min(len(path), maxPathLen)]
}

// sourceTag returns the source that a URL's query names, "" if it names none.
func (t *tables) sourceTag(query string) string {
	if query == "" {
		return ""
	}
	for _, name := range [...]string{"utm_source", "source", "ref"} {
		if v := param(query, name); v != "" {
			return t.sourceOfTag(v)
		}
	}
	return ""
}

// sourceOfTag gives a tag the name of the site it means, so that "google", "Google" and "google.com" are one
// source; any other tag stays as its author wrote it.
func (t *tables) sourceOfTag(v string) string {
	v = v[:min(len(v), maxTagLen)]
	if strings.ContainsAny(v, "%+") {
		if u, err := url.QueryUnescape(v); err == nil {
			v = u
		}
	}
	v = clean(v)
	low := strings.ToLower(v)
	if name, ok := t.tagNames[low]; ok {
		return name
	}
	if host := trimWWW(low); strings.Contains(host, ".") && validHost(host) {
		return sourceOfHost(host)
	}
	return v
}

// maxTagLen cuts a tag before it is unescaped; an escaped byte is three.
const maxTagLen = 3 * window.MaxValueLen

// sourceOfHost returns the name of the site that a host belongs to, the host itself if it is not a known one.
func sourceOfHost(host string) string {
	for h := host; h != ""; {
		if name, ok := hostNames[h]; ok {
			return name
		}
		first, rest, _ := strings.Cut(h, ".")
		if name, ok := countryHosts[first]; ok && isCountryDomain(rest) {
			return name
		}
		h = rest
	}
	return clean(host)
}

// isCountryDomain says whether s looks like the end of a name that a company has in many countries: "de", "com",
// "co.uk", "com.br".
func isCountryDomain(s string) bool {
	first, second, two := strings.Cut(s, ".")
	if !two {
		return len(s) == 2 || s == "com"
	}
	return (first == "co" || first == "com") && len(second) == 2
}
