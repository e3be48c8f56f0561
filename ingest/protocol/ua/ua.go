package ua

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	get, post := fasthttp.MethodGet, fasthttp.MethodPost
	both := []string{get, post}
	return protocol.Protocol{
		Name:    "ua",
		Servers: true,
		Endpoints: []protocol.Endpoint{
			{Path: "/collect", Methods: both, Credentials: true, NeverResends: true, Handler: collect{}},
			{Path: "/r/collect", Methods: both, Credentials: true, NeverResends: true, Handler: collect{}},
			{Path: "/j/collect", Methods: both, Credentials: true, NeverResends: true, Handler: script{}},
			{Path: "/batch", Methods: []string{post}, NeverResends: true, Handler: batch{}},
		},
	}
}

// collect takes one hit, of the query or of the body.
type collect struct{}

// Read reads the hit. What both query and body have counts as the body has it.
func (collect) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	var body []byte
	if r.Ctx.IsPost() {
		var ref *protocol.Refusal
		if body, ref = r.Body(); ref != nil {
			return nil, ref
		}
	}
	rd := begin(r)
	if len(body) == 0 {
		return rd.result(r, rd.hit(r.Query(), nil))
	}
	return rd.result(r, rd.form(body, r.Query()))
}

// Accept answers with the image.
func (collect) Accept(r *protocol.Request, _ protocol.Outcome) { protocol.WriteGIF(r.Ctx) }

// Refuse answers {"error":"path: message"}. No client sends again, whatever the status.
func (collect) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }

// script is the endpoint that analytics.js reads the answer of.
type script struct{ collect }

// Accept answers "1": taken, and no request to an advertiser's server is to follow.
func (script) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("text/plain")
	r.Ctx.Response.Header.Set("Cache-Control", "no-store")
	r.Ctx.Response.AppendBodyString("1")
}

// batch takes a hit of each line of the body.
type batch struct{ collect }

// Read reads the hits.
func (batch) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	body, ref := r.Body()
	if ref != nil {
		return nil, ref
	}
	rd := begin(r)
	return rd.result(r, rd.hits(body))
}

// begin returns a reader of the hits of a request. One without a user agent is a server's, as of
// universal-analytics: it is no bot for that. analytics.js does not know how pages are rendered
// ahead today, so that it sends then.
func begin(r *protocol.Request) reader {
	r.Server = len(r.Ctx.UserAgent()) == 0
	r.Prefetched = protocol.Prefetched(&r.Ctx.Request.Header)
	r.Parser.Reset()
	return reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now}
}

// result returns the inputs that were read, or the refusal of an error.
func (rd *reader) result(r *protocol.Request, err *protocol.FieldError) ([]protocol.Input, *protocol.Refusal) {
	if err == nil {
		r.Unknown = rd.unknown
		return rd.Inputs(), nil
	}
	ref := protocol.Invalid(err)
	if err.Path == tokenPath {
		ref.Reason = protocol.ReasonSite
	}
	return nil, ref
}
