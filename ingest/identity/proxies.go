package identity

import (
	"net/netip"
	"strings"
	"unsafe"
)

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// Contains reports whether addr lies in one of the networks.
func (p Proxies) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, n := range p {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// Client returns the address of the client: the peer's, unless the peer is a trusted proxy; then
// the rightmost entry of X-Forwarded-For that is not one. What stands left of that entry was
// written by the client and proves nothing. An entry that is not an address ends the search at the
// proxy that passed it on. Forwarded are the values of the header in the order of the request; each
// may be a list.
func (p Proxies) Client(peer netip.Addr, forwarded [][]byte) netip.Addr {
	client := peer
	for i := len(forwarded) - 1; i >= 0 && p.Contains(client); i-- {
		list := view(forwarded[i])
		for list != "" && p.Contains(client) {
			var last string
			if c := strings.LastIndexByte(list, ','); c >= 0 {
				list, last = list[:c], list[c+1:]
			} else {
				list, last = "", list
			}
			addr, ok := parseForwarded(strings.TrimSpace(last))
			if !ok {
				return client
			}
			client = addr
		}
	}
	return client
}

// Named reports whether the nearest proxy names a client at all: the rightmost entry of
// X-Forwarded-For is an address.
func Named(forwarded [][]byte) bool {
	if len(forwarded) == 0 {
		return false
	}
	list := view(forwarded[len(forwarded)-1])
	_, ok := parseForwarded(strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:]))
	return ok
}

// view returns a string that is b, not a copy of it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// parseForwarded reads an address with or without a port, IPv6 with or without brackets.
func parseForwarded(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		if addr, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil {
			return addr.WithZone(""), true
		}
	}
	return netip.Addr{}, false
}
