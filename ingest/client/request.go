package client

import (
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Most bytes of what visitors send, who must not be able to have an event refused. They are the
// collector's limits.
const (
	mostURL      = 4096
	mostUA       = 1024
	mostLanguage = 35
)

// FromRequest returns an event of the visitor who makes a request: with his address, user agent and
// language, the address of the request as the page, and the referrer. What he has sent that a
// collector would not take is cut or left out.
//
// Behind a proxy the address is the proxy's unless Options.TrustedProxies has it. Of a request that a
// page makes by itself, for data, the page is in Referrer, not in URL.
func (c *Client) FromRequest(r *http.Request, name string) Event {
	ip, proxied := c.visitor(r)
	return Event{
		Name:      name,
		URL:       address(r, proxied),
		Referrer:  clean(r.Referer(), mostURL),
		Language:  language(r.Header.Get("Accept-Language")),
		IP:        ip,
		UserAgent: clean(r.UserAgent(), mostUA),
	}
}

// OptedOut reports whether the visitor's browser asks not to be followed, by Sec-GPC or DNT. A
// collector can't see that of events that a server sends: leave out what a site is not to count.
func OptedOut(r *http.Request) bool {
	return r.Header.Get("Sec-GPC") == "1" || r.Header.Get("DNT") == "1"
}

// visitor returns the address that a request comes from: the connection's, unless that is a trusted
// proxy's; then the last one in X-Forwarded-For that is none. What stands left of it was written by
// the visitor.
func (c *Client) visitor(r *http.Request) (addr netip.Addr, proxied bool) {
	addr, ok := parseAddr(r.RemoteAddr)
	if !ok {
		return netip.Addr{}, false
	}
	proxied = c.trusts(addr)
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0 && c.trusts(addr); i-- {
		next, ok := parseAddr(strings.TrimSpace(list[i]))
		if !ok {
			break
		}
		addr = next
	}
	return addr, proxied
}

func (c *Client) trusts(addr netip.Addr) bool {
	for _, n := range c.o.TrustedProxies {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddr reads an address with or without a port, IPv6 with or without brackets.
func parseAddr(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return addr.Unmap().WithZone(""), err == nil
}

// address returns the full address of a request, "" if it has none.
func address(r *http.Request, proxied bool) string {
	host := clean(r.Host, mostURL)
	if host == "" || host[0] == '/' {
		return ""
	}
	scheme := "http"
	if r.TLS != nil || proxied && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	path := r.RequestURI // which http.StripPrefix leaves as it was
	if !strings.HasPrefix(path, "/") {
		path = r.URL.RequestURI()
	}
	return clean(scheme+"://"+host+path, mostURL)
}

// language returns the first language of an Accept-Language, "" if it is none.
func language(header string) string {
	if i := strings.IndexAny(header, ",;"); i >= 0 {
		header = header[:i]
	}
	header = strings.TrimSpace(header)
	other := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-'
	}
	if len(header) > mostLanguage || strings.ContainsFunc(header, other) {
		return ""
	}
	return header
}

// clean returns a text without control characters, valid, and of at most so many bytes.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r // of what is not valid, U+FFFD
	}, s)
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
