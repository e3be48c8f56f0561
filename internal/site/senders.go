package site

import (
	"net/netip"
	"strings"

	"millrace/internal/spelling"
)

// Senders is who may send events of a site, and what of them is left out by the collector. The zero
// value takes everything.
type Senders struct {
	// Origins are the origins of pages that may send; without any, of all.
	Origins []Origin
	// Hostnames are the hosts of pages whose events are counted; without any, of all.
	Hostnames []Host
	// ExcludedPaths are pages, and ExcludedAddresses the addresses of senders, of which nothing is
	// counted.
	ExcludedPaths     []Page
	ExcludedAddresses []netip.Prefix
	// Quota is how many events are counted.
	Quota Quota
}

// Host is a host, or all below one: "*.example.com".
type Host struct {
	// Name is in the spelling that what it is compared with has.
	Name string
	// Below says that every host below Name is meant, and not Name itself.
	Below bool
}

// Matches reports whether a host in the same spelling is meant.
func (h *Host) Matches(host string) bool {
	if !h.Below {
		return host == h.Name
	}
	above, ok := strings.CutSuffix(host, h.Name)
	return ok && len(above) > 1 && above[len(above)-1] == '.'
}

// Origin is an origin as browsers send it, or several.
type Origin struct {
	// Scheme is "https", for example; "" is any.
	Scheme string
	// Host is in the spelling of DNS.
	Host Host
	// Port is a number; "" is the scheme's own where there is a Scheme, else any.
	Port string
}

// Matches reports whether an origin, or the address of a page, is meant.
func (o *Origin) Matches(origin string) bool {
	scheme, authority, ok := strings.Cut(origin, "://")
	if !ok {
		return false
	}
	if i := strings.IndexByte(authority, '/'); i >= 0 {
		authority = authority[:i]
	}
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && strings.IndexByte(authority[i:], ']') < 0 {
		host, port = authority[:i], authority[i+1:]
	}
	if o.Scheme != "" && (scheme != o.Scheme || port != o.Port) || o.Port != "" && port != o.Port {
		return false
	}
	return o.Host.Matches(host)
}

// Quota is how many events of a site are counted in an hour, a day and a month of the site's time
// zone; 0 is any number.
type Quota struct {
	Hour, Day, Month int64
	// Refuse answers what comes past it with 429, to be sent again; otherwise it is answered and not
	// counted.
	Refuse bool
}

// Limited reports whether there is a quota.
func (q Quota) Limited() bool { return q.Hour > 0 || q.Day > 0 || q.Month > 0 }

// TakesHost reports whether events of pages on a host, as spelling.Hostname returns it, are counted.
func (s *Senders) TakesHost(host string) bool {
	for i := range s.Hostnames {
		if s.Hostnames[i].Matches(host) {
			return true
		}
	}
	return len(s.Hostnames) == 0
}

// TakesOrigin reports whether pages of an origin, which may be the address of one, may send.
func (s *Senders) TakesOrigin(origin string) bool {
	for i := range s.Origins {
		if s.Origins[i].Matches(origin) {
			return true
		}
	}
	return len(s.Origins) == 0
}

// ExcludesPage reports whether a page, in the spelling that rows have, is left out.
func (s *Senders) ExcludesPage(page string) bool {
	for i := range s.ExcludedPaths {
		if s.ExcludedPaths[i].Matches(page) {
			return true
		}
	}
	return false
}

// ExcludesAddress reports whether a sender's address is left out.
func (s *Senders) ExcludesAddress(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range s.ExcludedAddresses {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHost reads a host or "*." and one.
func parseHost(text string, spell func(string) string) (Host, bool) {
	name, below := strings.CutPrefix(text, "*.")
	h := Host{Name: spell(name), Below: below}
	return h, spelling.ValidHost(h.Name) && !strings.ContainsAny(name, "/:@?#* ") && strings.Trim(h.Name, ".") == h.Name
}

// parseOrigin reads SCHEME://HOST[:PORT], or a host alone.
func parseOrigin(text string) (Origin, bool) {
	var o Origin
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "", text
	}
	o.Scheme = strings.ToLower(scheme)
	if host, port, ok := strings.Cut(rest, ":"); ok {
		rest, o.Port = host, port
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return o, false
		}
	}
	if o.Scheme == "https" && o.Port == "443" || o.Scheme == "http" && o.Port == "80" {
		o.Port = "" // browsers leave it out
	}
	if strings.Trim(o.Scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" {
		return o, false
	}
	o.Host, ok = parseHost(rest, spelling.ASCII)
	return o, ok
}
