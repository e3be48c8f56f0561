package posthog

import (
	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// Protocol returns the protocol.
func Protocol() protocol.Protocol {
	get, post := fasthttp.MethodGet, fasthttp.MethodPost
	p := protocol.Protocol{Name: "posthog", Servers: true}
	serve := func(h protocol.Handler, methods []string, paths ...string) {
		for _, path := range paths {
			p.Endpoints = append(p.Endpoints, protocol.Endpoint{Path: path, Methods: methods, Credentials: true, Handler: h})
		}
	}
	serve(capture{}, []string{get, post}, "/e/", "/e", "/capture/", "/capture", "/i/v0/e/", "/i/v0/e")
	serve(capture{}, []string{post}, "/batch/") // /batch is Universal Analytics'
	serve(settings{body: config}, []string{get}, "/array/{token}/config")
	serve(script{}, []string{get}, "/array/{token}/config.js")
	serve(settings{body: flags}, []string{get, post}, "/flags/", "/flags")
	serve(settings{body: decide}, []string{get, post}, "/decide/", "/decide")
	return p
}

// capture takes events.
type capture struct{ refuser }

// Read reads the events of the body, or of data in the query of a GET.
func (capture) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	r.Server = !protocol.FromPage(&r.Ctx.Request.Header)
	var body []byte
	if r.Ctx.IsPost() {
		var ref *protocol.Refusal
		if body, ref = r.BodyByContent(); ref != nil {
			return nil, ref
		}
	}
	form := false
	switch {
	case len(body) == 0:
		body, form = r.Query().Peek("data"), true
	case isForm(body):
		args := fasthttp.AcquireArgs()
		defer fasthttp.ReleaseArgs(args)
		args.ParseBytes(body)
		body, form = args.Peek("data"), true
	}
	if form {
		if !r.Memory.Reserve(len(body)) {
			return nil, protocol.NoMemory()
		}
		var err *protocol.FieldError
		if body, err = decoded(body); err != nil {
			return nil, protocol.Invalid(err)
		}
	}
	rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: r.Trusted, now: r.Now}
	if err := rd.read(body); err != nil {
		ref := protocol.Invalid(err)
		if err.Path == tokenPath {
			ref.Reason = protocol.ReasonSite
		}
		return nil, ref
	}
	r.Unknown = rd.unknown
	return r.Parser.Inputs(), nil
}

// Accept answers as PostHog does.
func (capture) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetContentType("application/json")
	r.Ctx.Response.AppendBodyString(`{"status":1}`)
}

// refuser answers refusals at all endpoints.
type refuser struct{}

// Refuse answers {"error":"path: message"}, with a status at which clients do what they should.
func (refuser) Refuse(r *protocol.Request, ref *protocol.Refusal) {
	shown := *ref
	switch {
	case ref.RetryAfter != "":
		shown.Status = fasthttp.StatusServiceUnavailable
	case ref.Status >= fasthttp.StatusInternalServerError:
		shown.Status = fasthttp.StatusBadRequest
	}
	protocol.RefuseJSON(r.Ctx, &shown)
}
