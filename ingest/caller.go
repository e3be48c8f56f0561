package ingest

import (
	"bytes"
	"net/netip"

	"github.com/valyala/fasthttp"

	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/front"
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
func (c *Collector) caller(ctx *fasthttp.RequestCtx, head *headers, basicToken bool, p *policies) (caller, *protocol.Refusal) {
	h := &ctx.Request.Header
	peer := front.Peer(ctx)
	who := caller{optOut: head.optOut}
	var proxy bool
	who.addr, who.place, proxy = c.network.Client(peer, h, head.forwarded)
	if auth := head.authorization; len(auth) > 0 && !(basicToken && isBasic(auth)) {
		if who.key = p.writeKey(auth); who.key == nil {
			return who, &protocol.Refusal{Status: fasthttp.StatusUnauthorized, Reason: protocol.ReasonKey,
				Msg: "the write key is not known: send it as \"Authorization: Bearer KEY\""}
		}
		who.trusted = true
		return who, nil
	}
	found := local.RemotePeer
	switch {
	case !peer.IsLoopback():
	case len(head.forwarded) > 0 && len(head.forwarded[0]) > 0:
		found = local.ProxyHeader // as Fasthttp finds
	default:
		found = local.Fasthttp(ctx)
	}
	who.trusted = !c.opts.NoLoopbackTrust && found == local.Yes
	if !proxy || who.addr == peer { // else the proxy has named its client
		c.proxies.Look(peer, head.forwarded, found, proxy)
	}
	return who, nil
}

// headers are those of a request that the collector itself looks at, as views.
type headers struct {
	optOut                  bool // Sec-GPC or DNT
	page                    bool // see protocol.FromPage
	noCORS                  bool // the page can't read the answer
	debug                   []byte
	authorization, language []byte
	forwarded               [][]byte // X-Forwarded-For
}

// read goes through the headers once: a search for each name would take longer.
func (head *headers) read(h *fasthttp.RequestHeader) {
	*head = headers{forwarded: head.forwarded[:0]}
	for name, value := range h.All() {
		switch string(name) {
		case "Sec-Gpc", "Dnt":
			head.optOut = head.optOut || string(value) == "1"
		case "Authorization":
			setFirst(&head.authorization, value)
		case "Accept-Language":
			setFirst(&head.language, value)
		case "X-Forwarded-For":
			head.forwarded = append(head.forwarded, value)
		case "Sec-Fetch-Mode":
			head.noCORS = head.noCORS || string(value) == "no-cors"
		case debugHeader:
			setFirst(&head.debug, value)
		default:
			head.page = head.page || protocol.IsOfPage(name) && len(value) > 0
		}
	}
}

// setFirst sets what a header has that is there for the first time.
func setFirst(to *[]byte, value []byte) {
	if *to == nil {
		*to = value
	}
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
	if r.who.trusted || r.untrusted || r.head.page {
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
