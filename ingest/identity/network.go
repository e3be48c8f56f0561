package identity

import (
	"net/netip"

	"github.com/valyala/fasthttp"
)

// Network is the configuration of the way on which requests come here.
type Network struct {
	// Proxies are the networks whose X-Forwarded-For and headers of a place are believed.
	Proxies Proxies
	// CountryHeader, RegionHeader and CityHeader are those in which a trusted proxy names where the
	// client is; "" for none.
	CountryHeader, RegionHeader, CityHeader string
}

// Client returns the address of the client behind a peer that has sent a request with headers h, of
// which forwarded are those named X-Forwarded-For, and what a trusted proxy reports about
// where it is; proxy reports whether the peer is one.
func (n *Network) Client(peer netip.Addr, h *fasthttp.RequestHeader, forwarded [][]byte) (addr netip.Addr, said Place, proxy bool) {
	if len(n.Proxies) == 0 || !n.Proxies.Contains(peer) {
		return peer, Place{}, false
	}
	return n.Proxies.Client(peer, forwarded), n.said(h), true
}

// said returns what the headers of a trusted proxy report about where the client is.
func (n *Network) said(h *fasthttp.RequestHeader) Place {
	if n.CountryHeader == "" && n.RegionHeader == "" && n.CityHeader == "" {
		return Place{}
	}
	text := func(name string) string {
		if name == "" {
			return ""
		}
		return HeaderText(h.Peek(name))
	}
	return NewPlace(text(n.CountryHeader), text(n.RegionHeader), text(n.CityHeader))
}
