package ingest

import (
	"bytes"
	"net/netip"

	"github.com/valyala/fasthttp"

	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/local"
	"millrace/internal/site"
)

// caller is the sender of a request and what is known of it.
type caller struct {
	addr  netip.Addr
	place identity.Place // what a trusted proxy reports
	// trusted callers may send ts, ip, ua and visitor; key is the key they showed, nil for the
	// loopback interface.
	trusted bool
	key     *site.Key
	optOut  bool // Sec-GPC or DNT
}

// caller finds out who calls. BasicToken says that an authorization by Basic is no write key.
func (c *Collector) caller(ctx *fasthttp.RequestCtx, basicToken bool, p *policies) (caller, *protocol.Refusal) {
	h := &ctx.Request.Header
	peer := local.Peer(ctx.RemoteAddr())
	who := caller{optOut: string(h.Peek("Sec-GPC")) == "1" || string(h.Peek("DNT")) == "1"}
	var proxy bool
	who.addr, who.place, proxy = c.network.Client(peer, h)
	if auth := h.Peek("Authorization"); len(auth) > 0 && !(basicToken && isBasic(auth)) {
		if who.key = p.writeKey(auth); who.key == nil {
			return who, &protocol.Refusal{Status: fasthttp.StatusUnauthorized, Reason: protocol.ReasonKey,
				Msg: "the write key is not known: send it as \"Authorization: Bearer KEY\""}
		}
		who.trusted = true
		return who, nil
	}
	found := local.Fasthttp(ctx)
	who.trusted = !c.opts.NoLoopbackTrust && found == local.Yes
	c.proxies.Look(peer, h, found, proxy)
	return who, nil
}

// trust looks for the secret of a tracker's servers where its endpoint has it.
func (r *request) trust(e *endpoint) {
	if e.SecretParam != "" {
		r.Secret(r.Ctx.QueryArgs().Peek(e.SecretParam))
	}
	if e.BasicSecret {
		r.Secret([]byte(protocol.BasicUser(r.Ctx.Request.Header.Peek("Authorization"))))
	}
}

// Trust implements protocol.Secrets. A secret that a page sends can be read by everybody, and one
// that is no write key is none of ours: it is passed over, and not refused.
func (r *request) Trust(secret []byte) bool {
	if r.who.trusted || r.untrusted || protocol.FromPage(&r.Ctx.Request.Header) {
		return r.who.trusted
	}
	if key := r.policies.keys.Find(secret); key != nil {
		r.who.key, r.who.trusted = key, true
		r.KeySite = r.who.site()
	}
	return r.who.trusted
}

// allows reports whether the caller may write to a site.
func (w *caller) allows(site string) bool {
	return w.key == nil || w.key.Opens(site)
}

// site returns the site of the caller's key, "" if it is for several or there is none.
func (w *caller) site() string {
	if w.key == nil || len(w.key.Sites) != 1 {
		return ""
	}
	return w.key.Sites[0]
}

// isBasic reports whether a header Authorization is of the scheme Basic.
func isBasic(auth []byte) bool {
	const scheme = "basic "
	return len(auth) >= len(scheme) && bytes.EqualFold(auth[:len(scheme)], []byte(scheme))
}
