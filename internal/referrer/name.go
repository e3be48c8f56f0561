package referrer

import (
	"strings"
	"sync"

	"millrace/internal/spelling"
)

// tagNames are the names of sites by what a tag may call them, in lower case. The map never changes.
var tagNames = sync.OnceValue(func() map[string]string {
	m := make(map[string]string)
	for _, names := range [...]map[string]string{countryHosts, hostNames} {
		for _, name := range names {
			m[strings.ToLower(name)] = name
		}
	}
	for alias, name := range tagAliases {
		m[alias] = name
	}
	return m
})

// NameOfTag returns the name of the site that a tag means, so that "google", "Google" and "google.com" are one source; any
// other tag stays as its author wrote it.
func NameOfTag(tag string) string {
	if name, ok := tagNames()[strings.ToLower(tag)]; ok {
		return name
	}
	if host, ok := spelling.HostLike(tag); ok {
		return NameOfHost(host)
	}
	return tag
}

// NameOfHost returns the name of the site that a host belongs to, the host itself if it is not a known one.
func NameOfHost(host string) string {
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
	if !strings.Contains(host, ".") { // one of a network of its own, which NameOfTag would take for a site
		return NameOfTag(spelling.Value(host))
	}
	return spelling.Value(host)
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
