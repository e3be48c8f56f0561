package ingest

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/netip"
	"slices"

	"github.com/valyala/fasthttp"

	"millrace/ingest/enrich"
)

// caller is who sent a request and what is believed of what it says.
type caller struct {
	addr  netip.Addr
	place enrich.Place // what a trusted proxy says of it
	// trusted callers may send ts, ip, ua and visitor; key is the key they showed, nil for the loopback interface.
	trusted bool
	key     *WriteKey
	optOut  bool // Sec-GPC or DNT
}

// caller finds out who calls.
func (c *Collector) caller(ctx *fasthttp.RequestCtx) (caller, *refusal) {
	h := &ctx.Request.Header
	peer := peerAddr(ctx.RemoteAddr())
	who := caller{addr: peer, optOut: string(h.Peek("Sec-GPC")) == "1" || string(h.Peek("DNT")) == "1"}
	if len(c.opts.TrustedProxies) > 0 && c.opts.TrustedProxies.Contains(peer) {
		who.addr = c.opts.TrustedProxies.Client(peer, h.PeekAll("X-Forwarded-For"))
		who.place = c.opts.saidPlace(h)
	}
	if auth := h.Peek("Authorization"); len(auth) > 0 {
		if who.key = c.writeKey(auth); who.key == nil {
			return who, &refusal{status: fasthttp.StatusUnauthorized, reason: reasonKey,
				msg: "the write key is not known: send it as \"Authorization: Bearer KEY\""}
		}
		who.trusted = true
		return who, nil
	}
	who.trusted = !c.opts.NoLoopbackTrust && peer.IsLoopback() && !forwarded(h) && !browser(h)
	return who, nil
}

// saidPlace returns what the headers of a trusted proxy say about where the client is.
func (o *Options) saidPlace(h *fasthttp.RequestHeader) enrich.Place {
	if o.CountryHeader == "" && o.RegionHeader == "" && o.CityHeader == "" {
		return enrich.Place{}
	}
	said := func(name string) string {
		if name == "" {
			return ""
		}
		return enrich.HeaderText(h.Peek(name))
	}
	return enrich.NewPlace(said(o.CountryHeader), said(o.RegionHeader), said(o.CityHeader))
}

// writeKey returns the key of an Authorization header, nil if there is none such. It compares with all of them, each in
// constant time.
func (c *Collector) writeKey(auth []byte) *WriteKey {
	const scheme = "bearer "
	if len(auth) <= len(scheme) || !bytes.EqualFold(auth[:len(scheme)], []byte(scheme)) {
		return nil
	}
	sum := sha256.Sum256(bytes.TrimSpace(auth[len(scheme):]))
	var found *WriteKey
	for i := range c.opts.WriteKeys {
		if k := &c.opts.WriteKeys[i]; subtle.ConstantTimeCompare(sum[:], k.Hash[:]) == 1 {
			found = k
		}
	}
	return found
}

// allows reports whether the caller may write to a site.
func (w *caller) allows(site string) bool {
	return w.key == nil || len(w.key.Sites) == 0 || slices.Contains(w.key.Sites, site)
}

// forwarded tells a request that came through a proxy, to which the loopback interface is only the last stretch.
func forwarded(h *fasthttp.RequestHeader) bool {
	for _, name := range [...]string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if len(h.Peek(name)) > 0 {
			return true
		}
	}
	return false
}

// browser tells a request that a page made: any page that the operator visits can reach his loopback interface.
func browser(h *fasthttp.RequestHeader) bool {
	return len(h.Peek("Origin")) > 0 || len(h.Peek("Sec-Fetch-Site")) > 0 || len(h.Peek("Referer")) > 0
}

func peerAddr(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// addressPrefix is what the address rate limit counts by.
func addressPrefix(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
