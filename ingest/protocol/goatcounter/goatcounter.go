package goatcounter

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	return protocol.Protocol{
		Name:    "goatcounter",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			// The script sends by sendBeacon, which has cookies with it.
			{Path: "/count", Methods: []string{fasthttp.MethodGet, fasthttp.MethodPost}, Credentials: true, NeverResends: true, Handler: count{}},
			{Path: "/api/v0/count", Methods: []string{fasthttp.MethodPost}, Handler: api{}},
		},
	}
}

// count takes the view or event of a query.
type count struct{}

// Read reads the event.
func (count) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	head, query := &r.Ctx.Request.Header, r.Query()
	// The script waits until the page is shown, and its request then has the header still.
	r.Prefetched = !query.Has("rnd") && protocol.Prefetched(head)
	rd := begin(r)
	text := func(name string) string { return protocol.View(query.Peek(name)) }
	h := hit{path: text("p"), title: text("t"), referrer: text("r"), size: text("s"), query: text("q"), event: truthy(text("e"))}
	h.bot, _ = strconv.Atoi(text("b"))
	if h.path == "" {
		return nil, protocol.Invalid(protocol.BadField("p", "is missing: it is the path of the page, or the name of an event"))
	}
	origin := protocol.PageOrigin(head)
	host := protocol.HostOf(origin)
	site, ok := protocol.FindSite(rd.sites, rd.server, host)
	if !ok {
		what := "the browser names no page"
		if host != "" {
			what = protocol.Quote(host) + " is not a configured site"
		}
		return nil, protocol.BadRequest(protocol.ReasonSite, "", what+", and "+protocol.Quote(rd.server)+", where this was sent to, is no alias of one")
	}
	if origin == "" {
		origin = "https://" + site
	}
	in := rd.add(site, origin, &h)
	if h.event {
		in.URL = rd.LooseText(protocol.RefererPage(head), protocol.MaxURL, protocol.FieldURL)
	}
	return rd.Inputs(), nil
}

// Accept answers with an image.
func (count) Accept(r *protocol.Request, _ protocol.Outcome) { protocol.WriteGIF(r.Ctx) }

// Refuse answers {"error":"path: message"}. The script looks at no status.
func (count) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }

// api takes the views and events that a server reports.
type api struct{}

// Read reads the events.
func (api) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if !r.Trusted {
		return nil, &protocol.Refusal{Status: fasthttp.StatusUnauthorized, Reason: protocol.ReasonKey,
			Msg: "only trusted callers may report for others: from the loopback interface, or with a write key in the header Authorization: Bearer KEY"}
	}
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	rd := begin(r)
	site, ok := rd.sites.Token(rd.server)
	if !ok {
		site = r.KeySite
	}
	if site == "" {
		return nil, protocol.BadRequest(protocol.ReasonSite, "", "no site is named: send a write key that is for one site alone, or let "+
			protocol.Quote(rd.server)+" be an alias of it")
	}
	if err := rd.batch(body, site); err != nil {
		return nil, protocol.Invalid(err)
	}
	return rd.Inputs(), nil
}

// Accept answers as GoatCounter does.
func (api) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetStatusCode(fasthttp.StatusAccepted)
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(`{"status":"ok"}`)
}

// Refuse answers {"error":"path: message"}.
func (api) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }

// begin returns a reader of the events of a request.
func begin(r *protocol.Request) reader {
	r.Parser.Reset()
	return reader{Parser: &r.Parser, sites: r.Sites, now: r.Now, server: protocol.HostOf("https://" + protocol.View(r.Ctx.Host()))}
}

// truthy reports whether a text is one of those that GoatCounter takes for true.
func truthy(s string) bool { return s == "true" || s == "1" || s == "on" }
