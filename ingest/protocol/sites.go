package protocol

import (
	"strings"

	"millrace/internal/spelling"
)

// Sites are the sites of an installation, for protocols that name them otherwise than by their ids.
type Sites interface {
	// Configured reports whether a site is configured.
	Configured(site string) bool
	// ConfiguredWWW returns the configured site whose id is "www." and a domain.
	ConfiguredWWW(domain string) (site string, ok bool)
	// Any reports whether sites that are not configured are taken too.
	Any() bool
	// Token returns the site whose tracker names it by a token, such as a project's key or a
	// number.
	Token(token string) (site string, ok bool)
	// Currency returns the currency of a site, "" if it has none: the one of amounts that a tracker
	// sends without.
	Currency(site string) string
}

// FindDomain returns the site that a domain stands for, false if it is none of the installation.
// www.example.com and example.com are one, whichever is configured; where any site goes it is the
// one without "www.". A dot at the end, as of a name that DNS is not to complete, is no part of a
// site.
func FindDomain(sites Sites, domain string) (site string, ok bool) {
	if sites.Configured(domain) {
		return domain, true
	}
	if name := strings.TrimRight(domain, "."); name != "" {
		domain = name
	}
	if sites.Configured(domain) {
		return domain, true
	}
	bare, www := strings.CutPrefix(domain, "www.")
	if www {
		if sites.Configured(bare) {
			return bare, true
		}
		if bare == "" {
			bare = domain
		}
		return bare, sites.Any()
	}
	if site, ok := sites.ConfiguredWWW(domain); ok {
		return site, true
	}
	return domain, sites.Any()
}

// HostOf returns the host of an address that CheckURL let pass as a site has it, without "www." and
// port.
func HostOf(url string) string {
	_, authority, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority = authority[:i]
	}
	return spelling.ASCII(spelling.Hostname(authority))
}

// FindSite returns the site of a token, and if there is none that of a host as HostOf returns it.
// It returns false if neither is one of the installation.
func FindSite(sites Sites, token, host string) (site string, ok bool) {
	if token != "" {
		if site, ok = sites.Token(token); ok {
			return site, true
		}
	}
	site, ok = FindDomain(sites, host)
	return site, ok && CheckSite(site) == ""
}

// NoSite returns the error of an event for which FindSite has no site; path names the token.
func NoSite(path, token, host string) *FieldError {
	what, where := "is missing", "and there is no page to find it by"
	if token != "" {
		what = Quote(token) + " is no token of a site"
	}
	if host != "" {
		where = "and " + Quote(host) + " is not a configured site"
	}
	return BadField(path, "%s, %s", what, where)
}
